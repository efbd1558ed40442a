package loaders

import (
	"context"
	"fmt"
	"slices"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// A page of rows can be read first and looked through after. A count can't, nor can a
// sum, or the lists of many parents: for these it must be known beforehand at which
// documents a row's chain may end. They are the reach of a caller among some rows.

// maxNames is how many of its names a DocType is asked for at once: whoever may read no
// more than these is told all of them in one call.
const maxNames = 10_000

// reachKey tells apart the rows of which the reach is known: those of a type that a
// client's where matches, or of them those that link to some parents.
type reachKey struct {
	typ     *doctype.Type
	where   *criteria.Expr // as the client's arguments were compiled, before any change
	link    *doctype.Reverse
	parents string
}

// narrow adds to a where that only rows count which the caller may see. Among the rows
// that key stands for, it asks ERPNext at most once in a response.
func (s *Set) narrow(ctx context.Context, t *doctype.Type, where *criteria.Expr, key reachKey) (*criteria.Expr, error) {
	end := t.Access.End()
	if end == nil {
		return where, nil
	}
	seen := &criteria.EndsExpr{Chain: t.Access.Chain}
	if end.Source != doctype.Local {
		var err error
		if seen.In, err = s.reach(ctx, t, where, key, s.cfg.ChunkNames*s.cfg.MaxCalls); err != nil {
			return nil, err
		}
	}
	return &criteria.Expr{And: append(whereOf(where), &criteria.Expr{Ends: seen})}, nil
}

// known gives the reach of some rows, where it was asked for before.
func (s *Set) known(key reachKey) ([]string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names, ok := s.reached[key]
	return names, ok
}

// reach gives the documents, in the spelling of the rows, that the chains of the rows end
// at which where matches, and that the caller may read. More than limit are too many to
// ask about: COST_LIMIT.
func (s *Set) reach(ctx context.Context, t *doctype.Type, where *criteria.Expr, key reachKey, limit int) ([]string, error) {
	if names, ok := s.known(key); ok {
		return names, nil
	}
	db, err := s.local(ctx, t)
	if err != nil {
		return nil, err
	}
	ends, err := db.Ends(ctx, postgres.EndsQuery{Type: t, Chain: t.Access.Chain, Where: where, Limit: limit + 1})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.Name, err)
	}
	if len(ends) > limit {
		return nil, tooManyEnds(t)
	}
	if err := s.decideEnds(ctx, t, ends); err != nil {
		return nil, err
	}
	ends = slices.DeleteFunc(ends, func(name string) bool {
		readable, _ := s.verdict(t.Access.End(), name)
		return !readable
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached[key] = ends
	return ends, nil
}

// decideEnds asks which of the ends may be read: by their names where one call carries
// them; else for all names that the caller may read, which are few for whoever sees
// little; else by their names, as far as the budget of calls goes. It makes one call at
// least.
func (s *Set) decideEnds(ctx context.Context, t *doctype.Type, ends []string) error {
	target, called := t.Access.End(), false
	open := s.undecided(target, ends)
	if len(open) > s.cfg.ChunkNames {
		var err error
		if called, err = s.decideByAll(ctx, target); err != nil {
			return err
		}
		open = s.undecided(target, open)
	}
	if calls := (len(open) + s.cfg.ChunkNames - 1) / s.cfg.ChunkNames; calls > s.cfg.MaxCalls-s.Calls() {
		return tooManyEnds(t)
	}
	return s.decide(ctx, target, open, question{always: !called})
}

func tooManyEnds(t *doctype.Type) error {
	return apierror.New(apierror.CostLimit,
		"which rows of %s you may see hangs on too many documents of %s to ask ERPNext about at once: narrow the where", t.Name, t.Access.End().Key).
		About(t.Key, "", "where")
}

// rowsWhere is the condition on the rows of another local type: only rows that the
// caller may see can match. Those that are read through their parent are as visible as
// the row whose condition this is.
func (s *Set) rowsWhere(ctx context.Context, rows *criteria.RowsExpr, where *criteria.Expr) (*criteria.Expr, error) {
	if err := s.mayRead(ctx, rows.Of); err != nil {
		return nil, err
	}
	if throughParent(rows) {
		return where, nil
	}
	return s.narrow(ctx, rows.Of, where, reachKey{typ: rows.Of, where: rows.Where})
}

// throughParent tells that the rows of a condition are read through the row it is on.
func throughParent(rows *criteria.RowsExpr) bool {
	chain := chainOf(rows.Of)
	return len(chain) > 0 && chain[0].Field.Name == rows.Field.Options
}

// Guarded tells that ERPNext may have to be asked about documents before rows of a local
// type are shown, for the type's own sake or that of a type in the where. The engine lets
// such reads wait for all others of their level, and for each other: else the number of
// calls would hang on which of them came first.
func Guarded(t *doctype.Type, where *criteria.Expr) bool {
	return t.Source == doctype.Local && (guarded(t) || guardedRows(where))
}

// guardedRows looks for conditions on rows that are guarded.
func guardedRows(e *criteria.Expr) bool {
	switch {
	case e == nil:
		return false
	case e.Rows != nil:
		return guarded(e.Rows.Of) && !throughParent(e.Rows) || guardedRows(e.Rows.Where)
	default:
		return guardedRows(e.Not) || slices.ContainsFunc(e.And, guardedRows) || slices.ContainsFunc(e.Or, guardedRows)
	}
}

// ReverseGuarded is Guarded for a reverse link. Rows that are read through the link
// itself are as visible as their parents, of which the response nearly always knows.
func (s *Set) ReverseGuarded(q ReverseQuery) bool {
	switch {
	case !Guarded(q.From, q.Where):
		return false
	case q.throughLink() && !guardedRows(q.Where):
		return len(s.undecided(q.To, q.Parents)) > 0
	default:
		return true
	}
}

// throughLink tells that the rows are read through the very link that is followed back.
func (q ReverseQuery) throughLink() bool {
	chain := chainOf(q.From)
	return len(chain) > 0 && chain[0].Target == q.To && chain[0].Field.Column == q.Link.Field
}
