package engine

import (
	"context"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
)

// Dangling is a link of a local row to a document that is gone.
type Dangling struct {
	// Type is the local type's key, ID the row's, Field the link's GraphQL name.
	Type, ID, Field string
	// DocType and Name are the document's.
	DocType, Name string
	Since         time.Time
}

// Windows of links are read until enough of them are of rows that the caller sees.
const (
	danglingWindow  = 500
	danglingWindows = 10
)

// danglingRoot lists the links of local rows that point nowhere: those of rows that the
// caller may see by their own @access, and of rows that nobody may see since their document is
// gone, where ERPNext shows the caller its Deleted Document.
func danglingRoot(x *execution, f graphql.CollectedField) (task, error) {
	args := argumentsOf(f, x.op.Variables)
	t := &rawTask{rootField: rootField{x, f}, empty: "[]"}
	limit, err := x.pageSize(args)
	t.err = err
	fields := graphql.CollectFields(x.op, f.Selections, []string{"DanglingLink"})
	var found []Dangling
	t.read = func(ctx context.Context) (err error) {
		found, err = x.dangling(ctx, args.text("doctype"), limit)
		return err
	}
	t.show = func(w *writer) {
		w.b = append(w.b, '[')
		for i, d := range found {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.strings(fields, map[string]string{
				"__typename": "DanglingLink", "type": x.engine.registry.ByKey(d.Type).Name, "id": encodeID(d.Type, d.ID), "field": d.Field,
				"doctype": d.DocType, "name": d.Name, "since": d.Since.UTC().Format(time.RFC3339Nano),
			}, nil)
		}
		w.b = append(w.b, ']')
	}
	return t, nil
}

func (x *execution) dangling(ctx context.Context, key string, limit int) ([]Dangling, error) {
	if x.engine.cfg.Dangling == nil {
		return nil, nil
	}
	if _, err := x.set.Caller(ctx); err != nil {
		return nil, err
	}
	var out []Dangling
	var last Dangling
	for range danglingWindows {
		links, err := x.engine.cfg.Dangling(ctx, last, danglingWindow)
		if err != nil || len(links) == 0 {
			return out, err
		}
		last = links[len(links)-1]
		full := len(links) == danglingWindow
		links = slices.DeleteFunc(links, func(d Dangling) bool {
			return key != "" && d.DocType != key || x.engine.registry.ByKey(d.Type) == nil
		})
		if links, err = x.mayKnow(ctx, links); err != nil {
			return nil, err
		}
		out = append(out, links...)
		if len(out) >= limit {
			return out[:limit], nil
		}
		if !full {
			break
		}
	}
	return out, nil
}

// mayKnow leaves out the links that the caller may not know of.
func (x *execution) mayKnow(ctx context.Context, links []Dangling) ([]Dangling, error) {
	ids := map[*doctype.Type][]string{}
	for _, d := range links {
		t := x.engine.registry.ByKey(d.Type)
		ids[t] = append(ids[t], d.ID)
	}
	for t, rows := range ids {
		x.set.Documents(ctx, t, rows)
	}
	orphans := map[string][]string{} // names, by DocType
	sees := make([]bool, len(links))
	for i, d := range links {
		t := x.engine.registry.ByKey(d.Type)
		_, err := x.set.Document(t, d.ID)
		switch code := apierror.CodeOf(err); {
		case err == nil:
			sees[i] = true
		case code == apierror.NotFound && orphan(t, d):
			orphans[d.DocType] = append(orphans[d.DocType], d.Name)
		case code != apierror.Forbidden && code != apierror.NotFound:
			return nil, err
		}
	}
	deleted := map[string]map[string]bool{}
	for doctype, names := range orphans {
		slices.Sort(names)
		var err error
		if deleted[doctype], err = x.set.Deleted(ctx, doctype, slices.Compact(names)); err != nil {
			return nil, err
		}
	}
	var out []Dangling
	for i, d := range links {
		if sees[i] || orphan(x.engine.registry.ByKey(d.Type), d) && deleted[d.DocType][d.Name] {
			out = append(out, d)
		}
	}
	return out, nil
}

// orphan tells that the link that dangles is the one that decides who may see its row: now
// nobody may. Who may know of the document's deletion may know that the link is left.
func orphan(t *doctype.Type, d Dangling) bool {
	return t.Access != nil && t.Access.Through == d.Field && len(t.Access.Chain) == 1
}

// eventCursorRoot tells where the log ends.
func eventCursorRoot(x *execution, f graphql.CollectedField) (task, error) {
	t := &rawTask{rootField: rootField{x, f}, empty: "null"}
	var cursor string
	t.read = func(ctx context.Context) error {
		if x.engine.live == nil {
			return errNoLog
		}
		if _, err := x.set.Caller(ctx); err != nil {
			return err
		}
		s, err := x.engine.live.cfg.Hub.Attach(ctx, []string{}, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		cursor = s.Start().String()
		return nil
	}
	t.show = func(w *writer) { w.b = appendQuoted(w.b, cursor) }
	return t, nil
}

var errNoLog = apierror.New(apierror.UpstreamUnavailable, "this server has no event log: subscriptions are off")
