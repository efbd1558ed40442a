package loaders_test

import (
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

func withCallers(c loaders.Callers) func(*loaders.Config) {
	return func(cfg *loaders.Config) { cfg.Callers = c }
}

// However many reads need it, who calls is asked once, and costs no call of the budget.
func TestCallerIsAskedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*callers{
		"known":   {user: &frappe.User{Name: "ada@example.com"}},
		"refused": {err: apierror.New(apierror.Unauthenticated, "revoked")},
		"down":    {err: apierror.New(apierror.UpstreamUnavailable, "down")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t, &upstream{}, withCallers(c))
			for _, err := range loaders.Parallel(20, func(int) error { _, err := s.Caller(t.Context()); return err }) {
				if apierror.CodeOf(err) != apierror.CodeOf(c.err) {
					t.Errorf("got %v, want %v", err, c.err)
				}
			}
			if c.asked != 1 || s.Calls() != 0 {
				t.Errorf("asked %d times, %d calls", c.asked, s.Calls())
			}
			if c.forgot > 0 && name == "down" {
				t.Error("an outage says nothing of the credential")
			}
		})
	}
}

// Once ERPNext has refused the credential, nothing of before counts: not in this response,
// and not in others.
func TestRefusalCountsAtOnce(t *testing.T) {
	t.Parallel()
	refused := apierror.New(apierror.Unauthenticated, "revoked")
	u := &upstream{list: func(frappe.ListQuery) ([]map[string]string, error) { return nil, refused }}
	c := &callers{user: &frappe.User{Name: "ada@example.com"}}
	set := newSet(t, u, withCallers(c))
	if _, err := set.Caller(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _ = set.Page(t.Context(), loaders.PageQuery{Type: customer, Limit: 1})
	if user, err := set.Caller(t.Context()); apierror.CodeOf(err) != apierror.Unauthenticated || user != nil {
		t.Errorf("after the refusal: %v, %v", user, err)
	}
	if c.forgot != 1 {
		t.Errorf("forgotten %d times", c.forgot)
	}
}

// A program that was put together wrongly lets nobody in.
func TestNobodyCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]loaders.Callers{"no callers": nil, "no user": &callers{}, "no name": &callers{user: &frappe.User{}}} {
		if _, err := newSet(t, &upstream{}, withCallers(c)).Caller(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMayWrite(t *testing.T) {
	t.Parallel()
	local := func(a *doctype.Access) *doctype.Type {
		typ := &doctype.Type{Name: "Contract", Key: "Contract", Source: doctype.Local, Access: a}
		doctype.NewRegistry([]*doctype.Type{typ})
		return typ
	}
	reading, writing := []string{"Sales User", "Auditor"}, []string{"Sales Manager"}
	for name, tt := range map[string]struct {
		typ   *doctype.Type
		roles []string
		want  string // part of the FORBIDDEN, "" for yes
	}{
		"both roles":      {local(&doctype.Access{Read: reading, Write: writing}), []string{"Auditor", "Sales Manager"}, ""},
		"reads only":      {local(&doctype.Access{Read: reading, Write: writing}), []string{"Sales User"}, "Contract: writing needs the role Sales Manager"},
		"writes only":     {local(&doctype.Access{Read: reading, Write: writing}), []string{"Sales Manager"}, "Contract: reading needs one of the roles Sales User, Auditor"},
		"public to read":  {local(&doctype.Access{Public: true, Write: writing}), []string{"Sales Manager"}, ""},
		"no role":         {local(&doctype.Access{Public: true, Write: writing}), nil, "writing needs"},
		"nobody writes":   {local(&doctype.Access{Public: true}), []string{"System Manager"}, "nobody may write it"},
		"nearly the role": {local(&doctype.Access{Public: true, Write: writing}), []string{"sales manager", "Sales Manager "}, "writing needs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSet(t, &upstream{}, withCallers(&callers{user: &frappe.User{Name: "ada@example.com", Roles: tt.roles}}))
			err := s.MayWrite(t.Context(), tt.typ)
			if tt.want == "" && err != nil || tt.want != "" && (apierror.CodeOf(err) != apierror.Forbidden || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	s := newSet(t, &upstream{}, withCallers(&callers{user: &frappe.User{Name: "ada@example.com"}}))
	if s.MayWrite(t.Context(), customer) == nil || s.MayWrite(t.Context(), local(nil)) == nil {
		t.Error("an upstream type, or one without @access, may be written")
	}
}
