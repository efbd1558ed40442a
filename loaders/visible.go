package loaders

import (
	"context"
	"errors"
	"slices"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// visible leaves out the rows of a local type, read with the ends of their chains, that
// the caller may not see. It costs one upstream call for each chunk of documents that are
// not known yet, and where the question says so, one at least.
func (s *Set) visible(ctx context.Context, t *doctype.Type, rows []*Row, q question) ([]*Row, error) {
	end := t.Access.End()
	ends := make([]string, len(rows))
	for i, r := range rows {
		ends[i] = r.Text(postgres.EndColumn)
	}
	if err := s.decide(ctx, end, ends, q); err != nil {
		return nil, err
	}
	out := rows[:0:0]
	for i, r := range rows {
		if readable, _ := s.verdict(end, ends[i]); readable {
			out = append(out, r)
		}
	}
	return out, nil
}

// guarded tells that ERPNext decides which rows of the type are visible.
func guarded(t *doctype.Type) bool {
	end := t.Access.End()
	return end != nil && end.Source != doctype.Local
}

// chainOf is the chain of links that a local type is read through, if any.
func chainOf(t *doctype.Type) []doctype.Hop {
	if t.Access == nil {
		return nil
	}
	return t.Access.Chain
}

// endOf is the chain to read with rows of which the visible ones are wanted.
func endOf(t *doctype.Type) []doctype.Hop {
	if !guarded(t) {
		return nil
	}
	return t.Access.Chain
}

// visibleParents are those of the parents that the caller may read. They nearly always
// are rows of this response, and cost nothing then.
func (s *Set) visibleParents(ctx context.Context, t *doctype.Type, parents []string) ([]string, error) {
	open := s.undecided(t, parents)
	var err error
	switch {
	case len(open) == 0:
	case t.Source == doctype.Local:
		s.Documents(ctx, t, open)
		for _, id := range open {
			if _, e := s.Document(t, id); apierror.CodeOf(e) != apierror.NotFound {
				err = errors.Join(err, e)
			}
		}
	default:
		err = s.decide(ctx, t, open, question{whole: true})
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(parents), func(name string) bool {
		readable, _ := s.verdict(t, name)
		return !readable
	}), nil
}

// shown notes rows that the caller sees: so he sees the rows of other local types that
// they are read through. To follow that link tells him nothing new, and needs no call.
func (s *Set) shown(t *doctype.Type, rows []*Row) {
	chain := endOf(t)
	if len(chain) == 0 || chain[0].Target.Source != doctype.Local {
		return
	}
	through, target := chain[0].Field.Column, chain[0].Target
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vouched[target] == nil {
		s.vouched[target] = map[string]bool{}
	}
	for _, r := range rows {
		if id := r.Text(through); id != "" {
			s.vouched[target][id] = true
		}
	}
}

// allVouched tells that rows which the caller sees lead to all of these.
func (s *Set) allVouched(t *doctype.Type, ids []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(ids, func(id string) bool { return !s.vouched[t][id] })
}
