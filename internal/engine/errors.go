package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/doctype"
)

// place is where an object stands in the answer.
type place struct {
	owner *object
	field *ast.Field
	inner string // "nodes", "edges" or their aliases in a connection, else ""
	index int    // in a list, else -1
	leaf  string // "node" or its alias within edges, else ""
}

func (p place) path() ast.Path {
	var out ast.Path
	if p.owner != nil {
		out = p.owner.at.path()
	}
	out = append(out, ast.PathName(p.field.Alias))
	if p.inner != "" {
		out = append(out, ast.PathName(p.inner))
	}
	if p.index >= 0 {
		out = append(out, ast.PathIndex(p.index))
	}
	if p.leaf != "" {
		out = append(out, ast.PathName(p.leaf))
	}
	return out
}

// located is an error with its place in the answer.
type located struct {
	err   error
	path  ast.Path
	field *ast.Field
}

// failure identifies what an error is about, so that a document that fifty rows link
// to, or a call that failed for a whole level, is reported once for each field.
type failure struct {
	field *ast.Field
	typ   *doctype.Type
	name  string
}

// fail reports an error at a place.
func (x *execution) fail(err error, at place) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.errs = append(x.errs, &located{err: err, path: at.path(), field: at.field})
}

// failOnce reports an error at its first place only.
func (x *execution) failOnce(err error, at place, about failure) {
	x.mu.Lock()
	seen := x.failed[about]
	x.failed[about] = true
	x.mu.Unlock()
	if !seen {
		x.fail(err, at)
	}
}

// reportErrors hands the errors to gqlgen, in the order of their paths: levels end in
// any order, answers must not.
func (x *execution) reportErrors(ctx context.Context) {
	slices.SortStableFunc(x.errs, func(a, b *located) int { return strings.Compare(a.path.String(), b.path.String()) })
	for _, l := range x.errs {
		e := &gqlerror.Error{Err: l.err, Message: l.err.Error(), Path: l.path}
		if l.field.Position != nil {
			e.Locations = []gqlerror.Location{{Line: l.field.Position.Line, Column: l.field.Position.Column}}
		}
		graphql.AddError(ctx, e)
	}
}
