package frappe_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

var update = flag.Bool("update", false, "write testdata/errors.golden anew")

var markup = regexp.MustCompile(`</?[a-zA-Z!]`)

// errorAnswers are the errors among the transcripts, by name.
func errorAnswers(t testing.TB) []answer {
	t.Helper()
	file, err := os.Open("testdata/errors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var answers []answer
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	return answers
}

// fail makes a call that is answered with a.
func fail(t testing.TB, a answer) *frappe.Error {
	t.Helper()
	b := setup(t, frappe.Config{Retries: -1}, a)
	_, err := b.Document(t.Context(), cred(t), "Customer", "X")
	var e *frappe.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: not a *frappe.Error: %v", a.Case, err)
	}
	return e
}

// The policy for every recorded error, in one file to review.
func TestErrorTranscripts(t *testing.T) {
	t.Parallel()
	const golden = "testdata/errors.golden"
	var got strings.Builder
	for _, a := range errorAnswers(t) {
		e := fail(t, a)
		fmt.Fprintf(&got, "%s: %d %s %s", a.Case, e.Status, e.Code, e.ExcType)
		if e.Field != "" {
			fmt.Fprintf(&got, " field=%s", e.Field)
		}
		if e.RetryAfter > 0 {
			fmt.Fprintf(&got, " retry=%s", e.RetryAfter)
		}
		got.WriteByte('\n')
		if e.Message != "" {
			fmt.Fprintf(&got, "    %s\n", strings.ReplaceAll(e.Message, "\n", "\n    "))
		}
		if strings.Contains(e.Message, "Traceback") || markup.MatchString(e.Message) {
			t.Errorf("%s: the message has markup or a traceback: %s", a.Case, e.Message)
		}
		if public := e.Public(); public.Message == "" || strings.Contains(public.Message, "SQL syntax") {
			t.Errorf("%s: public message %q", a.Case, public.Message)
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

func TestErrors(t *testing.T) {
	t.Parallel()
	want := map[string]frappe.Error{
		"014-auth-bad-api-key":          {Code: apierror.Unauthenticated, Status: 401, ExcType: "AuthenticationError"},
		"474-oauth-expired-token":       {Code: apierror.Unauthenticated, Status: 401, ExcType: "AuthenticationError"},
		"220-doc-customer-north-denied": {Code: apierror.Forbidden, Status: 403, ExcType: "PermissionError"},
		"232-doc-not-found":             {Code: apierror.NotFound, Status: 404, ExcType: "DoesNotExistError"},
		"234-doc-unknown-doctype":       {Code: apierror.NotFound, Status: 500, ExcType: "ImportError"},
		"171-list-unknown-doctype":      {Code: apierror.NotFound, Status: 404, ExcType: "DoesNotExistError"},
		"302-insert-mandatory":          {Code: apierror.Validation, Status: 417, ExcType: "MandatoryError", Field: "subject"},
		"301-insert-unique-violation":   {Code: apierror.Validation, Status: 417, ExcType: "UniqueValidationError", Field: "custom_loyalty_ref"},
		"335-update-stale-modified":     {Code: apierror.Conflict, Status: 417, ExcType: "TimestampMismatchError"},
		"300-insert-duplicate-item":     {Code: apierror.Conflict, Status: 409, ExcType: "DuplicateEntryError"},
		"568-ratelimit-429":             {Code: apierror.RateLimited, Status: 429, ExcType: "TooManyRequestsError", RetryAfter: 20 * time.Second},
		"569-ratelimit-429-html":        {Code: apierror.RateLimited, Status: 429, RetryAfter: 20 * time.Second},
		"570-ratelimit-decorator-429":   {Code: apierror.RateLimited, Status: 429, ExcType: "RateLimitExceededError"},
		"571-maintenance-503":           {Code: apierror.UpstreamUnavailable, Status: 503, ExcType: "SessionStopped"},
		"572-maintenance-503-html":      {Code: apierror.UpstreamUnavailable, Status: 503},
		"183-list-get-long-url":         {Code: apierror.UpstreamUnavailable, Status: 400},
		"511-page-404":                  {Code: apierror.UpstreamUnavailable, Status: 404},
		"512-method-unknown":            {Code: apierror.UpstreamUnavailable, Status: 417, ExcType: "ValidationError"},
		"147-fields-unknown":            {Code: apierror.Validation, Status: 417, ExcType: "DataError", Field: "nope"},
		"058-list-orderby-unknown":      {Code: apierror.UpstreamUnavailable, Status: 500, ExcType: "OperationalError", Field: "nope"},
	}
	answers := map[string]answer{}
	for _, a := range errorAnswers(t) {
		answers[a.Case] = a
	}
	for name, want := range want {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := fail(t, answers[name])
			got := frappe.Error{Code: e.Code, Status: e.Status, ExcType: e.ExcType, Field: e.Field, RetryAfter: e.RetryAfter}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if e.Method != "resource" || e.DocType != "Customer" || e.DocName != "X" {
				t.Errorf("about %s %s %s", e.Method, e.DocType, e.DocName)
			}
			if apierror.CodeOf(e) != want.Code {
				t.Errorf("public code %s", apierror.CodeOf(e))
			}
			if seconds := e.Public().Extensions["retryAfter"]; want.RetryAfter > 0 && seconds != 20 {
				t.Errorf("retryAfter %v", seconds)
			}
		})
	}
}

func TestUnknownField(t *testing.T) {
	t.Parallel()
	for _, a := range errorAnswers(t) {
		want := map[string]string{
			"058-list-orderby-unknown": "nope", "111-op-unknown-field": "nope", "147-fields-unknown": "nope",
			"065-op-eq-two-element": "North", "128-filters-string": "N", "116-op-link-field-filter": "territory",
		}[a.Case]
		if a.Status != http.StatusExpectationFailed && want == "" {
			continue
		}
		field, known := frappe.UnknownField(fmt.Errorf("wrapped: %w", fail(t, a)))
		if known != (want != "") || known && field != want {
			t.Errorf("%s: %q, %v; want %q", a.Case, field, known, want)
		}
	}
	translated := answer{Status: 417, Body: `{"exc_type":"DataError","exception":"frappe.exceptions.DataError: Feld in Abfrage nicht erlaubt: tabSales Order Item.foo"}`}
	if field, known := frappe.UnknownField(fail(t, translated)); field != "foo" || !known {
		t.Errorf("translated: %q, %v", field, known)
	}
	if _, known := frappe.UnknownField(errors.New("x")); known {
		t.Error("any error is known")
	}
}

// What is not Frappe's JSON, in all the ways that proxies have.
func TestNotFrappe(t *testing.T) {
	t.Parallel()
	page := "<html><title>hello</title></html>"
	cases := map[string]struct {
		answer answer
		code   apierror.Code
		cause  error
	}{
		"page with 200":         {answer{Status: 200, Headers: map[string]string{"Content-Type": "text/html"}, Body: page}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"page called JSON":      {answer{Status: 200, Headers: map[string]string{"Content-Type": "application/json"}, Body: "\n  " + page}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"empty":                 {answer{Status: 200}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"half JSON":             {answer{Status: 200, Body: `{"data": {"name": "X"`}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"two values":            {answer{Status: 200, Body: `{"data": {"name": "X"}} {}`}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"no data":               {answer{Status: 200, Body: `{"message": {"name": "X"}}`}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"list for a document":   {answer{Status: 200, Body: `{"data": [{"name": "X"}]}`}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"empty document":        {answer{Status: 200, Body: `{"data": {}}`}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"invalid UTF-8":         {answer{Status: 200, Body: "{\"data\": {\"name\": \"\xff\"}}"}, apierror.UpstreamUnavailable, frappe.ErrMalformed},
		"accepted":              {answer{Status: 202, Body: `{"data": {"name": "X"}}`}, apierror.UpstreamUnavailable, nil},
		"no content":            {answer{Status: 204}, apierror.UpstreamUnavailable, nil},
		"page with 401":         {answer{Status: 401, Body: page}, apierror.UpstreamUnavailable, nil},
		"foreign JSON with 401": {answer{Status: 401, Body: `{"message": "Unauthorized"}`}, apierror.UpstreamUnavailable, nil},
		"nothing with 401":      {answer{Status: 401}, apierror.UpstreamUnavailable, nil},
		"page with 403":         {answer{Status: 403, Body: page}, apierror.UpstreamUnavailable, nil},
		"page with 404":         {answer{Status: 404, Body: page}, apierror.UpstreamUnavailable, nil},
		"foreign JSON with 404": {answer{Status: 404, Body: `{"error": "no route"}`}, apierror.UpstreamUnavailable, nil},
		"page with 413":         {answer{Status: 413, Body: page}, apierror.Validation, nil},
		"page with 504":         {answer{Status: 504, Body: page}, apierror.UpstreamTimeout, nil},
		"half JSON with 500":    {answer{Status: 500, Body: `{"exc_type": "Imp`}, apierror.UpstreamUnavailable, nil},
		"odd JSON with 403":     {answer{Status: 403, Body: `{"exc_type": ["PermissionError"], "exc": 5, "_server_messages": {}, "exception": null}`}, apierror.Forbidden, nil},
		"list with 500":         {answer{Status: 500, Body: `[]`}, apierror.UpstreamUnavailable, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := fail(t, c.answer)
			if e.Code != c.code || e.Status != c.answer.Status {
				t.Errorf("got %v", e)
			}
			if c.cause != nil && !errors.Is(e, c.cause) {
				t.Errorf("cause of %v", e)
			}
		})
	}
}

// A forbidden document's values must not come with the refusal.
func TestForbiddenTellsNothing(t *testing.T) {
	t.Parallel()
	for _, a := range errorAnswers(t) {
		if a.Case != "220-doc-customer-north-denied" {
			continue
		}
		e := fail(t, a)
		if !strings.Contains(e.Message, "West Coast") {
			t.Errorf("the log should know: %q", e.Message)
		}
		if strings.Contains(e.Public().Message, "West Coast") || strings.Contains(fmt.Sprint(e.Public().Public()), "West Coast") {
			t.Errorf("the client should not: %v", e.Public())
		}
	}
}

func TestCancelledIsTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := setup(t, frappe.Config{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	_, err := b.Document(ctx, cred(t), "Customer", "X")
	if !errors.Is(err, context.Canceled) || b.count() != 1 {
		t.Errorf("got %v after %d calls", err, b.count())
	}
}
