package frappe_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// isWrite tells the transcripts of writes by their numbers.
func isWrite(t testing.TB, name string) bool {
	t.Helper()
	prefix, _, _ := strings.Cut(name, "-")
	n, err := strconv.Atoi(prefix)
	if err != nil {
		t.Fatal(err)
	}
	if n == 424 || n == 429 { // downloads, which answer with pages: see TestFileErrors
		return false
	}
	return 297 <= n && n <= 431 || n == 528 || n == 529 || n == 582 || 588 <= n && n <= 591
}

// failWrite makes a write that is answered with a.
func failWrite(t testing.TB, a answer) *frappe.Error {
	t.Helper()
	b := setup(t, frappe.Config{}, a)
	_, err := b.Update(t.Context(), cred(t), "Customer", "X", map[string]any{"a": 1})
	var e *frappe.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: not a *frappe.Error: %v", a.Case, err)
	}
	if b.count() != 1 {
		t.Errorf("%s: sent %d times", a.Case, b.count())
	}
	return e
}

// describe is what a client and the layers above the client can know of an error.
func describe(name string, e *frappe.Error) string {
	public := e.Public()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d %s %s", name, e.Status, e.Code, e.ExcType)
	if len(e.Fields) > 0 {
		fmt.Fprintf(&b, " fields=%q", e.Fields)
	}
	if len(e.Marked) > 0 && e.Code != apierror.Forbidden {
		fmt.Fprintf(&b, " marked=%q", e.Marked)
	}
	if e.Uncertain {
		b.WriteString(" uncertain")
	}
	fmt.Fprintf(&b, "\n    %s\n", strings.ReplaceAll(public.Message, "\n", "\n    "))
	messages, _ := public.Extensions["messages"].([]string)
	for _, message := range messages {
		fmt.Fprintf(&b, "    - %s\n", message)
	}
	return b.String()
}

// The policy for every recorded error of a write, in one file to review. A transcript that
// is not in it fails.
func TestWriteErrorTranscripts(t *testing.T) {
	t.Parallel()
	const golden = "testdata/writes.golden"
	var got strings.Builder
	for _, a := range errorAnswers(t) {
		if !isWrite(t, a.Case) {
			continue
		}
		e := failWrite(t, a)
		text := describe(a.Case, e)
		got.WriteString(text)
		for _, secret := range []string{"Traceback", "pymysql", "Error(", "Error:  ", "tabService", "NoneType"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s tells of %q: %s", a.Case, secret, text)
			}
		}
		if markup.MatchString(text) {
			t.Errorf("%s: markup in %s", a.Case, text)
		}
		if e.Uncertain {
			t.Errorf("%s: ERPNext's own answer is uncertain", a.Case)
		}
		if _, unknown := frappe.UnknownField(e); unknown {
			t.Errorf("%s: takes a value for an unknown field", a.Case)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the policy changed (-want +got):\n%s", diff)
	}
}

// raised is an answer of Frappe's with an exception.
func raised(status int, excType, exception string, messages ...string) answer {
	encoded := make([]string, len(messages))
	for i, message := range messages {
		encoded[i] = string(marshal(map[string]any{"message": message}))
	}
	return answer{Status: status, Body: string(marshal(map[string]any{
		"exc_type": excType, "exception": exception, "_server_messages": string(marshal(encoded)),
	}))}
}

// Errors of writes that no transcript shows, by the source or by the database's manual.
func TestWriteErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  answer
		code    apierror.Code
		fields  []string
		message string // of the public error, a part of it
	}{
		"workflow state":      {raised(417, "WorkflowStateError", "frappe.model.workflow.WorkflowStateError: x", "Workflow State not set"), apierror.Validation, nil, "Workflow State not set"},
		"workflow transition": {raised(417, "WorkflowTransitionError", "frappe.model.workflow.WorkflowTransitionError: x", "Not a valid Workflow Action"), apierror.Validation, nil, "Not a valid Workflow Action"},
		"workflow permission": {raised(417, "WorkflowPermissionError", "frappe.model.workflow.WorkflowPermissionError: x", "not allowed from <strong>A</strong> to <strong>B</strong>"), apierror.Validation, nil, "not allowed from A to B"},
		"broken link":         {raised(417, "LinkValidationError", "frappe.exceptions.LinkValidationError: x", "Could not find Row #1: Item: N-1"), apierror.Validation, nil, "Could not find Row #1: Item: N-1"},
		"a cancelled link":    {raised(417, "CancelledLinkError", "frappe.exceptions.CancelledLinkError: x", "Cannot link cancelled document: A"), apierror.Validation, nil, "Cannot link"},
		"negative":            {raised(417, "NonNegativeError", "frappe.exceptions.NonNegativeError: x", "Value cannot be negative for Item: <strong>Qty</strong>"), apierror.Validation, nil, "negative for Item: Qty"},
		"a bad name":          {raised(409, "NameError", "frappe.exceptions.NameError: x", "Name cannot contain special characters like <"), apierror.Validation, nil, "special characters"},
		"locked":              {raised(417, "DocumentLockedError", "frappe.exceptions.DocumentLockedError"), apierror.Conflict, nil, "working on the document"},
		"deadlock":            {raised(500, "QueryDeadlockError", "frappe.exceptions.QueryDeadlockError: (1213, 'Deadlock found when trying to get lock')"), apierror.Conflict, nil, "nothing was written"},
		"lock timeout":        {raised(500, "QueryTimeoutError", "frappe.exceptions.QueryTimeoutError: (1205, 'Lock wait timeout exceeded')"), apierror.UpstreamTimeout, nil, "did not answer in time"},
		"read-only mode":      {raised(503, "InReadOnlyMode", "frappe.exceptions.InReadOnlyMode", "maintenance"), apierror.UpstreamUnavailable, nil, "not available"},
		"no mail server":      {raised(501, "OutgoingEmailError", "frappe.exceptions.OutgoingEmailError", "set up an account"), apierror.UpstreamUnavailable, nil, "not available"},
		"no encryption key":   {raised(401, "InvalidKeyError", "frappe.exceptions.InvalidKeyError", "Encryption key is invalid"), apierror.UpstreamUnavailable, nil, "not available"},
		"all missing fields":  {raised(417, "MandatoryError", "frappe.exceptions.MandatoryError: [A]: x, B]: a, b_2, c", "Value missing for A: x"), apierror.Validation, []string{"a", "b_2", "c"}, "Value missing"},
		"unique, no message":  {raised(417, "UniqueValidationError", `frappe.exceptions.UniqueValidationError: ('A', 'B', IntegrityError(1062, "Duplicate entry 'x' for key 'tax_id'"))`), apierror.Validation, []string{"tax_id"}, "refused"},
		"exists, no message":  {raised(409, "DuplicateEntryError", `frappe.exceptions.DuplicateEntryError: ("A's", 'B', IntegrityError(1062, "…"))`), apierror.Conflict, nil, "exists already"},
		"argument's type":     {raised(417, "FrappeTypeError", "frappe.exceptions.FrappeTypeError: Argument 'doc' should be of type 'str' but got 'int' instead."), apierror.Validation, nil, "refused"},
		"out of range":        {raised(500, "DataError", `pymysql.err.DataError: (1264, "Out of range value for column 'amount' at row 1")`), apierror.Validation, []string{"amount"}, "can't store the value of amount"},
		"too long":            {raised(500, "DataError", `pymysql.err.DataError: (1406, "Data too long for column 'title' at row 1")`), apierror.Validation, []string{"title"}, "can't store the value of title"},
		"not a number":        {raised(500, "OperationalError", "pymysql.err.OperationalError: (1366, \"Incorrect integer value: 'for column `a`.`b`.`evil`' for column `db`.`tabA b`.`visits` at row 1\")"), apierror.Validation, []string{"visits"}, "the value of visits"},
		"no NULL":             {raised(500, "IntegrityError", `pymysql.err.IntegrityError: (1048, "Column 'idx' cannot be null")`), apierror.Validation, []string{"idx"}, "the value of idx"},
		"a raw duplicate":     {raised(500, "IntegrityError", `pymysql.err.IntegrityError: (1062, "Duplicate entry 'x' for key 'PRIMARY'")`), apierror.Conflict, nil, "exists already"},
		"a raw second value":  {raised(500, "IntegrityError", `pymysql.err.IntegrityError: (1062, "Duplicate entry 'x' for key 'tax_id'")`), apierror.Validation, []string{"tax_id"}, "the value of tax_id"},
		"a missing column":    {raised(500, "OperationalError", `pymysql.err.OperationalError: (1054, "Unknown column 'nope' in 'SET'")`), apierror.UpstreamUnavailable, []string{"nope"}, "failed to answer"},
		"database gone":       {raised(500, "OperationalError", `pymysql.err.OperationalError: (2006, "Server has gone away")`), apierror.UpstreamUnavailable, nil, "failed to answer"},
		"None in the code":    {raised(500, "AttributeError", "AttributeError: 'NoneType' object has no attribute 'x'"), apierror.Validation, nil, "missing or malformed"},
		"any class, a reason": {answer{Status: 500, Body: `{"exc_type":"OSError","exception":"OSError: x","_server_messages":"[\"{\\\"message\\\":\\\"No <b>such</b> file\\\",\\\"raise_exception\\\":1}\"]"}`}, apierror.Validation, nil, "No such file"},
		"any class, a note":   {raised(500, "OSError", "OSError: disk full", "Saved"), apierror.UpstreamUnavailable, nil, "failed to answer"},
		"Python's NameError":  {raised(500, "NameError", "NameError: name 'x' is not defined"), apierror.UpstreamUnavailable, nil, "failed to answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := failWrite(t, c.answer)
			if e.Code != c.code || e.Uncertain || !cmp.Equal(e.Fields, c.fields) {
				t.Errorf("got %s, fields %q, uncertain %v", e.Code, e.Fields, e.Uncertain)
			}
			if e.Field != "" && e.Field != e.Fields[0] || e.Field == "" && len(e.Fields) > 0 {
				t.Errorf("field %q", e.Field)
			}
			if public := e.Public(); !strings.Contains(public.Message, c.message) || strings.Contains(public.Message, "Error") {
				t.Errorf("it says %q", public.Message)
			}
		})
	}
}

// What clients may see beside the text: the messages of a refusal one by one, and that a
// write may have been made.
func TestPublicExtensions(t *testing.T) {
	t.Parallel()
	both := raised(417, "ValidationError", "frappe.exceptions.ValidationError: b", "first <b>x</b>", "", "second")
	for name, c := range map[string]struct {
		answer answer
		want   map[string]any
	}{
		"messages":  {both, map[string]any{"messages": []string{"first x", "second"}}},
		"forbidden": {raised(403, "PermissionError", "frappe.exceptions.PermissionError", "secret"), nil},
		"uncertain": {answer{Status: http.StatusBadGateway}, map[string]any{"uncertain": true}},
		"neither":   {raised(417, "ValidationError", ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, failWrite(t, c.answer).Public().Extensions); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
