package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/loaders"
)

// changeReader makes the events of xChanged and documentChanged: each document of a window
// is read once, with the subscribers' own credential, by a call for each type. That read
// is the access check, the filter and the payload.
type changeReader struct {
	// key stands for the stream over reconnections.
	key event.StreamKey
	// stored are documents of which the database knows that they were shown.
	stored map[docKey]bool
}

// join checks what a subscriber asks before its stream begins, and which of the documents
// that it names it may read now.
func (r *changeReader) join(ctx context.Context, c *class, m *member) error {
	x, err := c.execution(ctx)
	if err != nil {
		return err
	}
	user, err := x.set.Caller(ctx)
	if err != nil {
		return err
	}
	r.key = c.spec.streamKey(user.Name)
	if err := c.live.cfg.Shown.Touch(ctx, r.key, m.start); err != nil {
		return fmt.Errorf("keep what was shown: %w", err)
	}
	fields, err := r.compile(x, c.spec)
	if err != nil {
		return err
	}
	if err := x.checkLive(fields); err != nil {
		return err
	}
	if c.spec.typ == nil {
		return nil
	}
	if c.spec.names == nil {
		return x.mayListen(ctx, c.spec)
	}
	names := slices.Collect(maps.Keys(m.asked))
	for _, n := range names { // its class may not know of those that it followed
		c.spec.names[n] = true
	}
	rows, err := x.liveRows(ctx, c.spec, c.spec.typ, names)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		if err := x.mayListen(ctx, c.spec); err != nil {
			return err
		}
	}
	m.named = map[string]int64{}
	var readable []docKey
	for n := range rows {
		m.named[n] = m.head
		readable = append(readable, docKey{c.spec.typ.Key, n})
	}
	r.canonical(x, c.spec, m)
	// As of now, whatever cursor it came with: then it may have been another document's name.
	return r.remember(ctx, c, readable, m.head)
}

// canonical adds the names that ERPNext has for those that the client gave: it takes names
// as equal that differ in case or accents only, and events have its own spelling.
func (r *changeReader) canonical(x *execution, s *liveSpec, m *member) {
	if s.typ.Source != doctype.Upstream || s.where != nil {
		return
	}
	for n := range maps.Clone(m.asked) {
		if row, err := x.set.Document(s.typ, n); err == nil && row.Key != n && row.Text(ownerOfDocument) != "" {
			s.names[row.Key], m.asked[row.Key], m.named[row.Key] = true, false, m.head
		}
	}
}

// mayListen refuses a subscription to documents of which the caller may read none, and one
// whose where ERPNext does not take, while there is somebody to tell.
func (x *execution) mayListen(ctx context.Context, s *liveSpec) error {
	if s.typ.Source == doctype.Single {
		x.set.Documents(ctx, s.typ, []string{s.typ.Key})
		_, err := x.set.Document(s.typ, s.typ.Key)
		return err
	}
	if err := x.set.CheckReadable(ctx, usesOf(s.typ, s.where, nil)); err != nil {
		return err
	}
	_, err := x.set.Page(ctx, loaders.PageQuery{Type: s.typ, Where: s.where, Limit: 1})
	return err
}

// changeField is one selected field of a change.
type changeField struct {
	graphql.CollectedField

	dynamic *dynamicSelection // of document
	got     []*object
}

// compile compiles the selection of a change.
func (r *changeReader) compile(x *execution, s *liveSpec) ([]*changeField, error) {
	typename := "DocumentChange"
	if s.typ != nil {
		typename = s.typ.Change()
	}
	var out []*changeField
	for _, cf := range graphql.CollectFields(x.op, s.field.Selections, []string{typename}) {
		f := &changeField{CollectedField: cf}
		if cf.Name == "document" {
			var err error
			f.dynamic, err = x.comp.dynamic(cf)
			if err == nil && s.typ != nil {
				_, err = x.comp.dynamicFor(f.dynamic, s.typ)
			}
			if err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// checkLive refuses what needs more upstream calls for one window than an operation may make.
func (x *execution) checkLive(fields []*changeField) error {
	p := &plan{calls: map[planned]bool{}}
	for _, f := range fields {
		if f.dynamic != nil {
			for t, sel := range f.dynamic.byTyp {
				p.document(0, t)
				p.selection(1, sel)
			}
		}
	}
	if n := len(p.calls) + p.extra; n > x.set.MaxCalls() {
		return x.set.TooManyCalls(n)
	}
	return nil
}
