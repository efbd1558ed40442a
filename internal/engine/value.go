package engine

import (
	"context"
	"fmt"
	"io"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/loaders"
)

// Result is the finished answer of a root field: the engine has executed the whole
// selection below it, so gqlgen only copies it into the response. That of an event may go
// to many subscribers.
type Result struct {
	json []byte
	// errs are the errors of an event, which was made before there was a response.
	errs []*gqlerror.Error
	// note is called with the context of each response that has the result.
	note func(context.Context)
}

// MarshalGQLContext writes the answer.
func (r *Result) MarshalGQLContext(ctx context.Context, w io.Writer) error {
	for _, e := range r.errs {
		own := *e // the presenter writes into it
		graphql.AddError(ctx, &own)
	}
	if r.note != nil {
		r.note(ctx)
	}
	_, err := w.Write(r.json)
	return err //nolint:wrapcheck // of gqlgen's own buffer
}

// UnmarshalGQLContext is refused: a result is never an input. gqlgen asks for the method.
func (r *Result) UnmarshalGQLContext(context.Context, any) error {
	return fmt.Errorf("a result can't be an input")
}

// finished is JSON of a part of the answer.
type finished []byte

// MarshalGQL writes it.
func (f finished) MarshalGQL(w io.Writer) { _, _ = w.Write(f) }

// Ref points at a document or local row. A hand-written resolver that returns one
// (or a list of them) needs no loader: the engine reads what the client selects of
// all refs of a level in one call, with the caller's own credential.
type Ref struct {
	// Type is the DocType ("Sales Order") or the local type's name.
	Type string
	// Name is the docname, or the local row's id.
	Name string
}

// MarshalGQL writes null; the engine replaces a Ref by the object it points to.
func (r Ref) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, "null") }

// UnmarshalGQL is refused: a ref is never an input. gqlgen asks for the method.
func (r *Ref) UnmarshalGQL(any) error { return fmt.Errorf("a reference can't be an input") }

// Row is a document, child row or local row as it was read: what a hand-written
// resolver gets as its object.
type Row = loaders.Row
