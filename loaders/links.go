package loaders

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// What is about to be stored as a link has to be readable by whoever stores it, or links
// would tell what exists, and rows could be put where others are shown them.

// Readable tells which of the documents of an upstream type, or rows of a local one, the
// caller may read, in one call (or statement) for each chunk of names. It gives for each
// such name the one that the document really has: ERPNext takes names as equal that
// differ in case, accents or trailing blanks, Postgres does not. A name that is missing in
// the answer may not be read, or is nobody's.
//
// Of a DocType of which links keep snapshots it brings the titles along: see SeenTitle.
//
// ERPNext is asked anew, whatever the response has read before. Of the few core DocTypes
// of which a list tells all fields also to those who may only link to them (User is one),
// readable means no more than that.
//
// Errors: FORBIDDEN for a local type of which the caller lacks the roles; those of the
// reads themselves.
func (s *Set) Readable(ctx context.Context, t *doctype.Type, names []string) (map[string]string, error) {
	names = distinctNames(names)
	switch {
	case len(names) == 0:
		return map[string]string{}, nil
	case t.Source == doctype.Local:
		rows, err := s.RowsByID(ctx, t, names)
		out := make(map[string]string, len(rows))
		for id := range rows {
			out[id] = id
		}
		return out, err
	case t.Source != doctype.Upstream:
		return nil, fmt.Errorf("readable: nothing links to a document of %s", t.Name)
	}
	parts := chunks(names, s.cfg.ChunkNames)
	found, refusals := make([]map[string]string, len(parts)), make([]error, len(parts))
	columns, began := append([]string{"name", ownerColumn}, s.titleOf(t)...), time.Now()
	err := parallel(len(parts), func(i int) error {
		listed, refused, err := s.listed(ctx, t, frappe.ListQuery{
			DocType: t.Key, Columns: plain(columns), Limit: len(parts[i]),
			Filters: []frappe.Filter{{Field: "name", Op: frappe.OpIn, Value: anys(parts[i])}},
		})
		rows := owned(listed)
		s.noteTitles(t, rows, began)
		answered := keysOf(rows)
		found[i], refusals[i] = realNames(parts[i], answered), refused
		if err == nil && refused == nil {
			s.setVerdicts(t, matches(parts[i], answered))
		}
		return err
	})
	if err == nil {
		err = s.noRightAtAll(t, refusals)
	}
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(names))
	for _, part := range found {
		maps.Copy(out, part)
	}
	return out, nil
}

// RowsByID reads rows of a local type by their ids, those that the caller may see, with
// the id and the fields given. Unlike [Set.Lookup] it reads what is stored now, however
// often it is called.
//
// Errors: FORBIDDEN, naming the roles that are missing; those of the read.
func (s *Set) RowsByID(ctx context.Context, t *doctype.Type, ids []string, fields ...*doctype.Field) (map[string]*Row, error) {
	if t.Source != doctype.Local {
		return nil, fmt.Errorf("rows by id: %s is no local type", t.Name)
	}
	rows, err := s.localKeys(ctx, t, fields, ids)
	if err != nil {
		return nil, err
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	out := make(map[string]*Row, len(rows))
	for _, row := range rows {
		if asked[row.Key] { // a uuid in capitals finds a row, and is not its id
			out[row.Key] = row
		}
	}
	return out, nil
}

// maxRowsOf bounds the rows that RowsOf reads.
const maxRowsOf = 1000

// RowsOf reads the rows of a @reverse list of a local row, those that the caller may see,
// with the fields of these GraphQL names, for hand-written Go that needs all of them: more
// than 1000 are COST_LIMIT. Other errors as RowsByID.
func (s *Set) RowsOf(ctx context.Context, row *Row, list string, fields ...string) ([]*Row, error) {
	f := row.Type.Field(list)
	if f == nil || f.Kind != doctype.ReverseList {
		return nil, fmt.Errorf("rows of: %s has no @reverse list %q", row.Type.Name, list)
	}
	from := s.cfg.Registry.ByKey(f.Target)
	for _, name := range fields {
		field := from.Field(name)
		if field == nil || field.Column == "" {
			return nil, fmt.Errorf("rows of: %s has no stored field %q", from.Name, name)
		}
		s.Select(from, field.Column)
	}
	link := &doctype.Reverse{Name: f.Name, From: from.Key, Field: from.Field(f.Options).Column}
	pages, err := s.Reverse(ctx, ReverseQuery{Link: link, To: row.Type, From: from, Parents: []string{row.Key}, Limit: maxRowsOf})
	if err != nil {
		return nil, err
	}
	page := pages[row.Key]
	if page.More {
		return nil, apierror.New(apierror.CostLimit, "%s %q has more than %d rows in %s", row.Type.Name, row.Key, maxRowsOf, list).
			About(row.Type.Key, row.Key, list)
	}
	return page.Rows, nil
}

// NotThere is the error of a local row that does not exist, or that the caller may not
// see: NOT_FOUND in the words that a read has for it.
func NotThere(t *doctype.Type, id string) error { return notThere(t, id) }

// realNames gives for each name asked for the name of the document that ERPNext answered
// it with, by the rule of matches.
func realNames(asked, answered []string) map[string]string {
	same, alike := map[string]string{}, map[string][]string{}
	for _, name := range answered {
		same[plainFold(name)] = name
		alike[Fold(name)] = append(alike[Fold(name)], name)
	}
	out := make(map[string]string, len(asked))
	for name, ok := range matches(asked, answered) {
		if !ok {
			continue
		}
		if found, exact := same[plainFold(name)]; exact {
			out[name] = found
		} else if others := alike[Fold(name)]; len(others) == 1 {
			out[name] = others[0]
		}
	}
	return out
}

// distinctNames are the names that a document can have, each once.
func distinctNames(names []string) []string {
	out := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	slices.Sort(out)
	return slices.Compact(out)
}
