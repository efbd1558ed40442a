package loaders

import (
	"context"
	"fmt"
	"sync"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// Proofs remembers which credentials ERPNext accepted lately. It holds hashes only.
type Proofs struct {
	ttl time.Duration
	now func() time.Time

	mu    sync.Mutex
	until map[string]time.Time
}

// maxProofs bounds the memory; past it, what has expired is dropped, then everything.
const maxProofs = 100_000

// NewProofs remembers an accepted credential for ttl: how long a revoked one can
// still read local rows. Upstream documents are not concerned, ERPNext decides on
// them at each call.
func NewProofs(ttl time.Duration, now func() time.Time) *Proofs {
	return &Proofs{ttl: ttl, now: now, until: map[string]time.Time{}}
}

func (p *Proofs) has(key string) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now().Before(p.until[key])
}

func (p *Proofs) add(key string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if len(p.until) >= maxProofs {
		for k, t := range p.until {
			if !now.Before(t) {
				delete(p.until, k)
			}
		}
		if len(p.until) >= maxProofs {
			clear(p.until)
		}
	}
	p.until[key] = now.Add(p.ttl)
}

func (p *Proofs) drop(key string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.until, key)
}

// heard notes what an upstream call tells of the credential: an answer vouches for it, a
// refusal of the credential itself takes the proof back.
func (s *Set) heard(err error) {
	switch {
	case err == nil:
		if s.proven.CompareAndSwap(false, true) {
			s.cfg.Proofs.add(s.cred.Key())
		}
	case apierror.CodeOf(err) == apierror.Unauthenticated:
		s.denied.CompareAndSwap(nil, &err)
		s.cfg.Proofs.drop(s.cred.Key())
	}
}

// Prove makes sure that ERPNext knows the credential before local rows are read
// with it. It costs a call only when no upstream call of this response, and none of
// the last minute, has proved it already; reads that need it at the same time share
// the call and its answer.
func (s *Set) Prove(ctx context.Context) error {
	if denied := s.denied.Load(); denied != nil {
		return *denied // ERPNext has said so in this very response
	}
	if s.proven.Load() || s.cfg.Proofs.has(s.cred.Key()) {
		return nil
	}
	s.prove.Do(func() { _, s.refused = s.LoggedUser(ctx) })
	return s.refused
}

// LoggedUser asks ERPNext whose credential this is.
func (s *Set) LoggedUser(ctx context.Context) (string, error) {
	if err := s.spend(); err != nil {
		return "", err
	}
	user, err := s.cfg.Upstream.LoggedUser(ctx, s.cred)
	s.heard(err)
	if err != nil {
		return "", fmt.Errorf("ask whose credential this is: %w", err)
	}
	return user, nil
}

// Roles asks ERPNext for the roles of a user, with the caller's own credential.
func (s *Set) Roles(ctx context.Context, user string) ([]string, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	roles, err := s.cfg.Upstream.Roles(ctx, s.cred, user)
	s.heard(err)
	if err != nil {
		return nil, fmt.Errorf("ask for the roles of %s: %w", user, err)
	}
	return roles, nil
}

// LinkOptions asks ERPNext what its own link field would show this caller.
func (s *Set) LinkOptions(ctx context.Context, q frappe.LinkQuery) ([]frappe.LinkOption, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	options, err := s.cfg.Upstream.LinkSearch(ctx, s.cred, q)
	s.heard(err)
	if err != nil {
		return nil, fmt.Errorf("search %s: %w", q.DocType, err)
	}
	return options, nil
}
