package write

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// maxTries is how often a write that reads before it writes begins again because somebody
// else wrote between the two.
const maxTries = 3

// operation is one write upstream, in the parts that an idempotency key needs apart.
type operation struct {
	t    *doctype.Type // nil where the call is about no type
	name string        // of the document, "" for a new one
	path string        // of the input, for errors
	sent *request      // nil where there is no input
	// hashed is what makes the request the same as another.
	hashed any
	// look is set where the state before is needed with or without a key.
	look bool
	// locked is set where the client says itself which state it changes.
	locked bool
	// oldest is set where a later look needs the state before the first attempt, and not
	// before the last.
	oldest bool
	// before reads the state of affairs. It may refuse.
	before func(ctx context.Context) (attempt, error)
	// probe tells what became of an earlier attempt: its result if it was made, nil if it
	// was not, and an error where that can't be told.
	probe func(ctx context.Context, a attempt) (*Result, error)
	// call writes, once.
	call func(ctx context.Context, a attempt) (*Result, error)
}

// once makes a write under the Writer's next key.
func (w *Writer) once(ctx context.Context, op *operation) (*Result, error) {
	return w.onceUnder(ctx, w.nextKey(), op)
}

// onceUnder is once under a key of its own.
func (w *Writer) onceUnder(ctx context.Context, key string, op *operation) (*Result, error) {
	if op.name != "" {
		if err := docname("name", op.name); err != nil {
			return nil, err
		}
	}
	hash, err := hashOf(op.hashed)
	if err != nil {
		return nil, err
	}
	c, replayed, err := w.claimKey(ctx, key, hash)
	if err != nil || replayed != nil {
		return replayed, err
	}
	return w.carryOut(ctx, c, op)
}

// carryOut makes a write, unless an earlier attempt has made it: note the state of
// affairs, call, keep what came of it.
func (w *Writer) carryOut(ctx context.Context, c *claim, op *operation) (*Result, error) {
	var earlier *attempt
	if c != nil && c.unknown && c.attempt != nil {
		made, err := op.probe(ctx, *c.attempt)
		switch {
		case err != nil:
			c.leaveUnknown(ctx)
			return nil, w.explain(ctx, op, err)
		case made != nil:
			made.Replayed = true
			c.settle(ctx, made, nil)
			return made, nil
		}
		earlier = c.attempt
	}
	for try := 1; ; try++ {
		a, err := w.prepare(ctx, c, op, earlier)
		if err != nil {
			err = w.explain(ctx, op, err)
			if c != nil && c.unknown { // what is refused now says nothing of the earlier attempt
				c.release(ctx)
			} else {
				c.settle(ctx, nil, err)
			}
			return nil, err
		}
		result, err := op.call(ctx, a)
		if w.cfg.AfterCall != nil {
			w.cfg.AfterCall(ctx)
		}
		if op.name != "" && stale(err) && !op.locked && try < maxTries {
			continue
		}
		err = w.explain(ctx, op, err)
		if result != nil && !op.oldest {
			result.created = "" // it was there before
		}
		c.settle(ctx, result, err)
		return result, err
	}
}

// prepare reads and notes the state of affairs, where that is needed.
func (w *Writer) prepare(ctx context.Context, c *claim, op *operation, earlier *attempt) (attempt, error) {
	var a attempt
	if op.oldest && earlier != nil {
		a = *earlier
	} else if op.before != nil && (c != nil || op.look) {
		var err error
		if a, err = op.before(ctx); err != nil {
			return attempt{}, err
		}
	}
	return a, c.note(ctx, a)
}

// errStale is a document that is not as it was when it was read.
var errStale = errors.New("the document has changed since it was read")

// stale tells whether a write failed, and was not made, because somebody else has
// written to the document.
func stale(err error) bool {
	if errors.Is(err, errStale) {
		return true
	}
	e, ok := errors.AsType[*frappe.Error](err)
	return ok && e.ExcType == "TimestampMismatchError"
}

// written is the result of a write of a document.
func written(t *doctype.Type, name string, answer *frappe.Written, err error, what string) (*Result, error) {
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, t.Key, err)
	}
	if answer.Name != "" {
		name = answer.Name
	}
	return &Result{Type: t, Name: name, Messages: answer.Messages, created: rawText(answer.Document[creationColumn])}, nil
}

// sentAs is written for a write with an input. Two changes ERPNext makes in silence that
// nobody can foresee: it cleans markup that it takes for unsafe (model/base_document.py
// _sanitize_content), and fetches a field anew through its link. They are told.
func (op *operation) sentAs(answer *frappe.Written, err error, what string) (*Result, error) {
	r, err := written(op.t, op.name, answer, err, what)
	if err != nil {
		return nil, err
	}
	for _, one := range op.sent.touched {
		column := one.field.Column
		sent, ok := op.sent.values[column]
		if one.of != op.t || !ok || sent == nil || !quietly(one.field, sent) || answer.Document == nil {
			continue
		}
		if stored := answer.Document[column]; !equalValue(one.field, sent, stored) {
			r.Messages = append(slices.Clone(r.Messages), one.path+": ERPNext has stored another value than the one sent")
		}
	}
	return r, nil
}

// quietly tells whether ERPNext may change a value without a word.
func quietly(f *doctype.Field, sent any) bool {
	text, _ := sent.(string)
	return f.Facts != nil && f.Facts.FetchFrom != "" || f.Kind == doctype.String && strings.Contains(text, "<")
}
