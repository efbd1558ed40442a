package loaders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/graph-gophers/dataloader/v7"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

type setKey struct{}

// WithSet puts the response's loader set into the context, for hand-written resolvers.
func WithSet(ctx context.Context, s *Set) context.Context { return context.WithValue(ctx, setKey{}, s) }

// FromContext gives the loader set of the response that ctx belongs to.
func FromContext(ctx context.Context) (*Set, error) {
	s, ok := ctx.Value(setKey{}).(*Set)
	if !ok {
		return nil, errors.New("no loader set in the context: it is only there while a response is made")
	}
	return s, nil
}

// lookupWait is how long a lookup waits for others to join its call. Only hand-written
// resolvers wait: what the engine reads is known without a timer.
const lookupWait = time.Millisecond

// Lookup reads one document of an upstream type for a hand-written resolver, with the
// caller's own credential. Lookups that resolvers of a level make at the same time, of
// one DocType and the same fields, become one call.
//
// Where the answer itself shows the document, return an engine.Ref instead: the engine
// then reads exactly what the client selected.
//
// Errors: FORBIDDEN for a document that this caller can't read, or that is gone.
func (s *Set) Lookup(ctx context.Context, typeKey, name string, fields ...string) (*Row, error) {
	t := s.cfg.Registry.ByKey(typeKey)
	if t == nil || t.Source != doctype.Upstream {
		return nil, fmt.Errorf("lookup: %q is no upstream type of the graph", typeKey)
	}
	columns := []string{"name"}
	for _, name := range fields {
		f := t.Field(name)
		if f == nil || f.Column == "" || f.Kind == doctype.Table {
			return nil, fmt.Errorf("lookup: %s has no stored field %q", t.Name, name)
		}
		columns = appendMissing(columns, f.Column)
	}
	slices.Sort(columns[1:])
	return s.lookupLoader(t, columns).Load(ctx, name)()
}

// lookupLoader gives the loader of one type and set of columns.
func (s *Set) lookupLoader(t *doctype.Type, columns []string) *dataloader.Loader[string, *Row] {
	key := t.Key + "\x00" + strings.Join(columns, "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lookups == nil {
		s.lookups = map[string]*dataloader.Loader[string, *Row]{}
	}
	if s.lookups[key] == nil {
		batch := func(ctx context.Context, names []string) []*dataloader.Result[*Row] {
			return s.lookupBatch(ctx, t, columns, names)
		}
		s.lookups[key] = dataloader.NewBatchedLoader(batch,
			dataloader.WithWait[string, *Row](lookupWait), dataloader.WithBatchCapacity[string, *Row](s.cfg.ChunkNames))
	}
	return s.lookups[key]
}

// lookupBatch answers in the order of the names, as dataloader wants it.
func (s *Set) lookupBatch(ctx context.Context, t *doctype.Type, columns, names []string) []*dataloader.Result[*Row] {
	out := make([]*dataloader.Result[*Row], len(names))
	table, err := s.list(ctx, t, frappe.ListQuery{
		DocType: t.Key, Columns: plain(columns), Limit: len(names),
		Filters: []frappe.Filter{{Field: "name", Op: frappe.OpIn, Value: anys(names)}},
	})
	found := map[string]*Row{}
	if err == nil {
		for _, row := range rowsOf(t, table) {
			found[Fold(row.Key)] = row
		}
	}
	for i, name := range names {
		switch row := found[Fold(name)]; {
		case err != nil:
			out[i] = &dataloader.Result[*Row]{Error: err}
		case row == nil:
			out[i] = &dataloader.Result[*Row]{Error: notReadable(t, name)}
		default:
			out[i] = &dataloader.Result[*Row]{Data: row}
		}
	}
	return out
}
