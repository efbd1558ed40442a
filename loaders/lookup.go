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

// Lookup reads one document of an upstream type, by its name, or one row of a local type,
// by its id, for a hand-written resolver, with the caller's own rights. Lookups that
// resolvers of a level make at the same time, of one type and the same fields, become
// one call or statement.
//
// Where the answer itself shows the document, return an engine.Ref instead: the engine
// then reads exactly what the client selected.
//
// Errors: FORBIDDEN for a document that this caller can't read, or that is gone, and for
// a local type of which he lacks the roles; NOT_FOUND for a local row that he may not
// see, or that is gone.
func (s *Set) Lookup(ctx context.Context, typeKey, name string, fields ...string) (*Row, error) {
	t := s.cfg.Registry.ByKey(typeKey)
	if t == nil || t.Source != doctype.Upstream && t.Source != doctype.Local {
		return nil, fmt.Errorf("lookup: %q is no upstream or local type of the graph", typeKey)
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
	if t.Source == doctype.Local {
		return s.lookupRows(ctx, t, columns, names)
	}
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

// lookupRows is lookupBatch for a local type.
func (s *Set) lookupRows(ctx context.Context, t *doctype.Type, columns, ids []string) []*dataloader.Result[*Row] {
	var fields []*doctype.Field
	for _, c := range columns {
		if f := t.ByColumn(c); f != nil && f.Kind != doctype.ID {
			fields = append(fields, f)
		}
	}
	rows, err := s.localKeys(ctx, t, fields, ids)
	found := make(map[string]*Row, len(rows))
	for _, row := range rows {
		found[row.Key] = row
	}
	out := make([]*dataloader.Result[*Row], len(ids))
	for i, id := range ids {
		switch row := found[id]; {
		case err != nil:
			out[i] = &dataloader.Result[*Row]{Error: err}
		case row == nil:
			out[i] = &dataloader.Result[*Row]{Error: notThere(t, id)}
		default:
			out[i] = &dataloader.Result[*Row]{Data: row}
		}
	}
	return out
}
