package loaders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// Callers tells who a credential belongs to, by ERPNext's own answer, which it keeps for
// a short time. Its calls to ERPNext are not among those of a Set's budget: they are made
// once for a credential and that time, not for a query's shape.
type Callers interface {
	// Who gives the user of a credential with his roles. UNAUTHENTICATED when ERPNext
	// does not know it, UPSTREAM_UNAVAILABLE when it can't be asked.
	Who(ctx context.Context, cred frappe.Credential) (*frappe.User, error)
	// Forget drops what is kept of a credential: ERPNext has just refused it.
	Forget(cred frappe.Credential)
}

// errNoCallers is a mistake of whoever put the program together.
var errNoCallers = errors.New("loaders: no Callers are configured, so nobody can be told from anybody")

// Credential is what the response reads with, for who writes as the same caller
// (package write).
func (s *Set) Credential() frappe.Credential { return s.cred }

// Heard tells the set what came of a call that was made with its credential elsewhere:
// where ERPNext refused the credential, that counts at once here too.
func (s *Set) Heard(err error) { s.heard(err) }

// Caller is who this response is for, asked once however many reads need it. Errors as
// Callers.Who; once ERPNext has refused the credential in this response, that refusal.
func (s *Set) Caller(ctx context.Context) (*frappe.User, error) {
	if denied := s.denied.Load(); denied != nil {
		return nil, *denied // what was known before no longer counts
	}
	s.ask.Do(func() { s.caller, s.unknown = s.who(ctx) })
	return s.caller, s.unknown
}

func (s *Set) who(ctx context.Context) (*frappe.User, error) {
	if s.cfg.Callers == nil {
		return nil, errNoCallers
	}
	user, err := s.cfg.Callers.Who(ctx, s.cred)
	switch {
	case err != nil:
		s.heard(err)
		return nil, fmt.Errorf("ask whose credential this is: %w", err)
	case user == nil || user.Name == "":
		return nil, errors.New("ask whose credential this is: nobody's")
	default:
		return user, nil
	}
}

// heard notes what an upstream call tells of the credential: a refusal of the credential
// itself counts at once, for this response and for all others.
func (s *Set) heard(err error) {
	if apierror.CodeOf(err) != apierror.Unauthenticated {
		return
	}
	s.denied.CompareAndSwap(nil, &err)
	if s.cfg.Callers != nil {
		s.cfg.Callers.Forget(s.cred)
	}
}

// mayRead tells whether the caller has the roles to read rows of a local type at all:
// its own and those of the types that it is read through. FORBIDDEN names the roles that
// are missing; they are no secret.
func (s *Set) mayRead(ctx context.Context, t *doctype.Type) error {
	user, err := s.Caller(ctx)
	if err != nil {
		return err
	}
	if t.Access.Closed() {
		return fmt.Errorf("%s has no @access that lets anybody in", t.Name)
	}
	for _, roles := range t.Access.Roles {
		if err := needs(user, t, "reading", roles); err != nil {
			return err
		}
	}
	return nil
}

// MayWrite tells whether the caller has the roles to create, change and delete rows of a
// local type: one of those that write names, and what reading needs. Without a write
// nobody may. It says nothing of a single row: whoever changes one reads it first, and
// so knows whether it is visible.
//
// Errors: FORBIDDEN, naming the roles; those of Caller.
func (s *Set) MayWrite(ctx context.Context, t *doctype.Type) error {
	if t.Source != doctype.Local {
		return fmt.Errorf("%s is no local type: ERPNext decides who may write it", t.Name)
	}
	if err := s.mayRead(ctx, t); err != nil {
		return err
	}
	user, err := s.Caller(ctx)
	if err != nil {
		return err
	}
	if len(t.Access.Write) == 0 {
		return apierror.New(apierror.Forbidden, "%s: nobody may write it", t.Name).About(t.Key, "", "")
	}
	return needs(user, t, "writing", t.Access.Write)
}

// needs is FORBIDDEN for a user who has none of the roles. Names of roles compare
// exactly: in doubt nobody gets in.
func needs(user *frappe.User, t *doctype.Type, what string, roles []string) error {
	if slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(user.Roles, role) }) {
		return nil
	}
	which := "the role " + roles[0]
	if len(roles) > 1 {
		which = "one of the roles " + strings.Join(roles, ", ")
	}
	return apierror.New(apierror.Forbidden, "%s: %s needs %s", t.Name, what, which).About(t.Key, "", "")
}
