package engine

import (
	"fmt"
	"io"

	"erpgraph/loaders"
)

// Result is the finished answer of a root field: the engine has executed the whole
// selection below it, so gqlgen only copies it into the response.
type Result struct{ json []byte }

// MarshalGQL writes the answer.
func (r Result) MarshalGQL(w io.Writer) { _, _ = w.Write(r.json) }

// UnmarshalGQL is refused: a result is never an input. gqlgen asks for the method.
func (r *Result) UnmarshalGQL(any) error { return fmt.Errorf("a result can't be an input") }

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
