package frappe_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// parseURI gives the path and the parameters of what was asked.
func parseURI(t testing.TB, uri string) (string, url.Values) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path, u.Query()
}

func TestCallMethod(t *testing.T) {
	t.Parallel()
	tx := loadTranscript(t, "403-add-comment")
	var args map[string]any
	if err := json.Unmarshal([]byte(tx.Request.Body), &args); err != nil {
		t.Fatal(err)
	}
	b := setup(t, frappe.Config{}, tx.Response)
	answer, err := b.CallMethod(t.Context(), cred(t), "frappe.desk.form.utils.add_comment", args)
	if err != nil {
		t.Fatal(err)
	}
	var comment struct{ Name, Content string }
	if err := json.Unmarshal(answer.Message, &comment); err != nil || comment.Name == "" || comment.Content == "" {
		t.Errorf("got %s, %v", answer.Message, err)
	}
	sent := b.last(t)
	if sent.method != tx.Request.Method || sent.uri != tx.Request.Path || !cmp.Equal(sent.json(t), args) {
		t.Errorf("sent %s %s %s", sent.method, sent.uri, sent.body)
	}
	if _, repeats := sent.header["Idempotency-Key"]; repeats {
		t.Error("net/http would send it again")
	}
}

func TestCallMethodAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]frappe.Answer{
		`{}`:                {},
		`{"message": null}`: {Message: []byte(`null`)},
		`{"message": 1.50}`: {Message: []byte(`1.50`)},
		`{"message": "x", "_server_messages": "[\"{\\\"message\\\": \\\"a\\\"}\"]"}`: {Message: []byte(`"x"`), Messages: []string{"a"}},
	} {
		b := setup(t, frappe.Config{}, ok("%s", body))
		answer, err := b.CallMethod(t.Context(), cred(t), "a.b", nil)
		if err != nil || !cmp.Equal(*answer, want) || b.last(t).body != "{}" {
			t.Errorf("%s: %v, %v", body, answer, err)
		}
	}
}

// A method that the site does not offer is the operator's matter, in any language.
func TestCallMethodMissing(t *testing.T) {
	t.Parallel()
	answers := map[string]answer{
		"german": raised(417, "ValidationError", "frappe.exceptions.ValidationError: Fehler bei Befehl frappe.db.sql mit No module named 'frappe.db'", "Fehler bei Befehl frappe.db.sql"),
	}
	for _, a := range errorAnswers(t) {
		switch a.Case {
		case "512-method-unknown", "513-method-not-whitelisted", "514-method-not-whitelisted-2":
			answers[a.Case] = a
		}
	}
	if len(answers) != 4 {
		t.Fatalf("%d answers", len(answers))
	}
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, a)
			_, err := b.CallMethod(t.Context(), cred(t), "frappe.db.sql", nil)
			var e *frappe.Error
			if !errors.As(err, &e) || e.Code != apierror.UpstreamUnavailable || !errors.Is(err, frappe.ErrNoMethod) || e.Uncertain || b.count() != 1 {
				t.Fatalf("got %v", err)
			}
			if public := e.Public().Message; !strings.Contains(public, "does not offer this method") {
				t.Errorf("it says %q", public)
			}
		})
	}
}

// Refusals of the method itself are not taken for its absence.
func TestCallMethodErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer answer
		code   apierror.Code
	}{
		"refused":             {raised(417, "ValidationError", "frappe.exceptions.ValidationError: no", "no"), apierror.Validation},
		"forbidden":           {raised(403, "PermissionError", "frappe.exceptions.PermissionError: Not permitted", "Not permitted"), apierror.Forbidden},
		"an argument missing": {raised(500, "TypeError", "TypeError: f() missing 1 required positional argument: 'x'"), apierror.Validation},
		"no document":         {raised(404, "DoesNotExistError", "", "Customer X not found"), apierror.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, c.answer)
			_, err := b.CallMethod(t.Context(), cred(t), "app.api.work", nil)
			if apierror.CodeOf(err) != c.code || errors.Is(err, frappe.ErrNoMethod) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCallMethodRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, ok(`{}`))
	for _, method := range []string{
		"", "logout", "run_doc_method", "a.", ".a", "a..b", "a.b/../c", "a.b?x=1", "a.b c", "a.é", "1.b", "a.b\n", strings.Repeat("a.", 200) + "b",
	} {
		if _, err := b.CallMethod(t.Context(), cred(t), method, nil); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%q: %v", method, err)
		}
	}
	for _, name := range []string{"cmd", "a b", "", "é"} {
		if _, err := b.CallMethod(t.Context(), cred(t), "a.b", map[string]any{name: 1}); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("argument %q: %v", name, err)
		}
	}
	if _, err := b.CallMethod(t.Context(), cred(t), "a.b", map[string]any{"x": "\xff"}); apierror.CodeOf(err) != apierror.BadUserInput {
		t.Errorf("no text: %v", err)
	}
	if _, err := b.CallMethod(t.Context(), frappe.Credential{}, "a.b", nil); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("no credential: %v", err)
	}
	if b.count() != 0 {
		t.Errorf("%d requests were sent", b.count())
	}
}

// A method may have done its work: it is called once.
func TestCallMethodOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, status(http.StatusBadGateway))
	if _, err := b.CallMethod(t.Context(), cred(t), "a.b", nil); apierror.CodeOf(err) != apierror.UpstreamUnavailable || b.count() != 1 {
		t.Errorf("got %v after %d calls", err, b.count())
	}
}
