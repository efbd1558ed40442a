package frappe_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

const (
	transitionsURI = "/api/method/frappe.model.workflow.get_transitions"
	applyURI       = "/api/method/frappe.model.workflow.apply_workflow"
)

func TestWorkflowActions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer answer
		want   []frappe.WorkflowAction
		code   apierror.Code
	}{
		"two, one for two roles": {
			answer{Status: 200, Body: `{"message": [
				{"action": "Approve", "next_state": "Approved", "allowed": "Sales Manager", "state": "Pending"},
				{"action": "Reject", "next_state": "Rejected", "allowed": "Sales Manager"},
				{"action": "Approve", "next_state": "Approved", "allowed": "System Manager"}]}`},
			[]frappe.WorkflowAction{{Action: "Approve", NextState: "Approved"}, {Action: "Reject", NextState: "Rejected"}},
			"",
		},
		"none":        {answer{Status: 200, Body: `{"message": []}`}, []frappe.WorkflowAction{}, ""},
		"no state":    {raised(417, "WorkflowStateError", "frappe.model.workflow.WorkflowStateError: x", "Workflow State not set"), nil, ""},
		"no workflow": {raised(404, "DoesNotExistError", "", "Workflow  not found"), nil, ""},
		"translated":  {raised(404, "DoesNotExistError", "", "Workflow None nicht gefunden"), nil, ""},
		"no document": {raised(404, "DoesNotExistError", "", "Sales Order S&lt;1 not found"), nil, apierror.NotFound},
		"no message":  {raised(404, "DoesNotExistError", ""), nil, apierror.NotFound},
		"forbidden":   {raised(403, "PermissionError", "frappe.exceptions.PermissionError"), nil, apierror.Forbidden},
		"no list":     {answer{Status: 200, Body: `{"message": {"action": "x"}}`}, nil, apierror.UpstreamUnavailable},
		"null":        {answer{Status: 200, Body: `{"message": null}`}, nil, apierror.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, c.answer)
			got, err := b.WorkflowActions(t.Context(), cred(t), "Sales Order", "S<1")
			if apierror.CodeOf(err) != c.code || !cmp.Equal(got, c.want) {
				t.Errorf("got %v, %v", got, err)
			}
			want := map[string]any{"doc": map[string]any{"doctype": "Sales Order", "name": "S<1"}}
			if sent := b.last(t); sent.method != "POST" || sent.uri != transitionsURI || !cmp.Equal(sent.json(t), want) {
				t.Errorf("sent %s %s %s", sent.method, sent.uri, sent.body)
			}
		})
	}
}

func TestApplyWorkflow(t *testing.T) {
	t.Parallel()
	t.Run("done", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, ok(`{"message": {"doctype": "Sales Order", "name": "SO-1", "workflow_state": "Approved"}, "_server_messages": "[\"{\\\"message\\\": \\\"Well\\\"}\"]"}`))
		written, err := b.ApplyWorkflow(t.Context(), cred(t), "Sales Order", "SO-1", "Approve")
		if err != nil {
			t.Fatal(err)
		}
		if written.Name != "SO-1" || string(written.Document["workflow_state"]) != `"Approved"` || !cmp.Equal(written.Messages, []string{"Well"}) {
			t.Errorf("got %+v", written)
		}
		want := map[string]any{"doc": map[string]any{"doctype": "Sales Order", "name": "SO-1"}, "action": "Approve"}
		sent := b.last(t)
		if sent.uri != applyURI || !cmp.Equal(sent.json(t), want) {
			t.Errorf("sent %s %s", sent.uri, sent.body)
		}
		if _, repeats := sent.header["Idempotency-Key"]; repeats {
			t.Error("net/http would send it again")
		}
	})
	for name, c := range map[string]struct {
		answer answer
		code   apierror.Code
	}{
		"no such action": {raised(417, "WorkflowTransitionError", "frappe.model.workflow.WorkflowTransitionError: x", "Not a valid Workflow Action"), apierror.Validation},
		"no workflow":    {raised(404, "DoesNotExistError", "", "Workflow  not found"), apierror.Validation},
		"no document":    {raised(404, "DoesNotExistError", "", "Sales Order SO-1 not found"), apierror.NotFound},
		"a page":         {answer{Status: 502, Body: "<h1>no</h1>"}, apierror.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, c.answer)
			_, err := b.ApplyWorkflow(t.Context(), cred(t), "Sales Order", "SO-1", "Approve")
			var e *frappe.Error
			if apierror.CodeOf(err) != c.code || b.count() != 1 || !errors.As(err, &e) || e.Uncertain != (c.answer.Status == 502) {
				t.Errorf("got %v after %d calls", err, b.count())
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, ok(`{}`))
		_, noAction := b.ApplyWorkflow(t.Context(), cred(t), "Sales Order", "SO-1", "")
		_, noName := b.ApplyWorkflow(t.Context(), cred(t), "Sales Order", "", "Approve")
		_, noDocType := b.WorkflowActions(t.Context(), cred(t), "", "SO-1")
		_, noText := b.ApplyWorkflow(t.Context(), cred(t), "Sales Order", "SO-1", "\xff")
		for _, err := range []error{noAction, noName, noDocType, noText} {
			if apierror.CodeOf(err) != apierror.BadUserInput {
				t.Errorf("got %v", err)
			}
		}
		if b.count() != 0 {
			t.Errorf("%d requests were sent", b.count())
		}
	})
}

func TestMayDo(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"254-has-permission-read": false, "256-has-permission-submit": true} {
		tx := loadTranscript(t, name)
		b := setup(t, frappe.Config{}, tx.Response)
		right := "read"
		if want {
			right = "submit"
		}
		may, err := b.MayDo(t.Context(), cred(t), "Sales Order", "SAL-ORD-2026-00105", right)
		if may != want || err != nil {
			t.Errorf("%s: %v, %v", name, may, err)
		}
		asked, query := parseURI(t, b.last(t).uri)
		if wantPath, wantQuery := parseURI(t, tx.Request.Path); asked != wantPath || !cmp.Equal(query, wantQuery) {
			t.Errorf("asked %s %v", asked, query)
		}
	}
	for body, want := range map[string]struct {
		may  bool
		code apierror.Code
	}{
		`{"message": {"has_permission": 1}}`:    {may: true},
		`{"message": {"has_permission": null}}`: {},
		`{"message": {"has_permission": "no"}}`: {code: apierror.UpstreamUnavailable},
		`{"message": {}}`:                       {code: apierror.UpstreamUnavailable},
	} {
		b := setup(t, frappe.Config{}, ok("%s", body))
		if may, err := b.MayDo(t.Context(), cred(t), "Customer", "X", "write"); may != want.may || apierror.CodeOf(err) != want.code {
			t.Errorf("%s: %v, %v", body, may, err)
		}
	}
	b := setup(t, frappe.Config{}, raised(404, "DoesNotExistError", "", "Customer X not found"))
	if _, err := b.MayDo(t.Context(), cred(t), "Customer", "X", "write"); apierror.CodeOf(err) != apierror.NotFound {
		t.Errorf("missing: %v", err)
	}
	sent := b.count()
	_, e1 := b.MayDo(t.Context(), cred(t), "Customer", "X", "wirte")
	_, e2 := b.MayDo(t.Context(), cred(t), "Customer", "", "write")
	if apierror.CodeOf(e1) != apierror.BadUserInput || apierror.CodeOf(e2) != apierror.BadUserInput || b.count() != sent {
		t.Errorf("got %v and %v", e1, e2)
	}
}
