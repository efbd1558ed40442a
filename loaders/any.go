package loaders

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// fieldPattern is a fieldname. Whatever else ERPNext would take in its place, such as
// functions and other tables' columns, is refused.
var fieldPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,139}$`)

// CheckFieldname refuses what is no plain fieldname.
func CheckFieldname(path, name string) error {
	if !fieldPattern.MatchString(name) {
		return apierror.New(apierror.BadUserInput, "%s: %.80q is no fieldname", path, name).About("", "", path)
	}
	return nil
}

// standardColumns exist on every document and are never above a permlevel.
var standardColumns = []string{"name", "owner", "creation", "modified", "modified_by", "docstatus", "idx"}

// CheckAnyReadable is CheckReadable for fieldnames of any DocType, in the graph or not.
func (s *Set) CheckAnyReadable(ctx context.Context, key string, columns []string) error {
	t := s.cfg.Registry.ByKey(key)
	var ask []string
	for _, c := range columns {
		if slices.Contains(standardColumns, c) || slices.Contains(ask, c) {
			continue
		}
		if t != nil && t.Source != doctype.Local && t.ByColumn(c) != nil && t.ByColumn(c).PermLevel == 0 {
			continue
		}
		ask = append(ask, c)
	}
	if len(ask) == 0 {
		return nil
	}
	refused, err := s.unreadable(ctx, key, nil, ask)
	if err != nil || refused == "" {
		return err
	}
	return apierror.New(apierror.Forbidden, "%s of %s can't be used in a filter or order: you may not read it", refused, key).About(key, "", refused)
}

// AnyPage reads a page of any DocType's documents, with the fieldnames given.
func (s *Set) AnyPage(ctx context.Context, key string, columns []string, filters []frappe.Filter, q PageQuery) (*Page, error) {
	used := orderColumns(q.Order)
	for _, f := range filters {
		used = append(used, f.Field)
	}
	if err := s.CheckAnyReadable(ctx, key, used); err != nil {
		return nil, err
	}
	q.Untyped = true
	var rows []*Row
	t := &doctype.Type{Key: key, Name: key}
	for _, seg := range segments(q) {
		var names []string
		for _, c := range slices.Concat([]string{"name"}, columns, orderColumns(q.Order)) {
			names = appendMissing(names, c)
		}
		table, err := s.list(ctx, t, frappe.ListQuery{
			DocType: key, Columns: plain(names), Filters: append(slices.Clone(filters), seg.filters...),
			OrderBy: seg.order, Limit: q.Limit + 1 - len(rows),
		})
		if err != nil {
			return nil, err
		}
		for _, c := range columns {
			if gone := s.Gone(t, c); gone != nil {
				return nil, apierror.Wrap(apierror.BadUserInput, gone, "fields: %s has no field %q", key, c).About(key, "", "fields")
			}
		}
		for _, row := range rowsOf(t, table) {
			if seg.keep == nil || seg.keep(row) {
				rows = append(rows, row)
			}
		}
		if len(rows) > q.Limit {
			break
		}
	}
	return NewPage(rows, q.Limit, false), nil
}

func appendMissing(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// AnyDocument reads one document of any DocType, child tables included, as ERPNext
// shows it to this caller.
//
// ERPNext's single read gives 0 for numbers above the caller's permlevel, where its
// list leaves them out: a list of the same document tells which fields to drop.
func (s *Set) AnyDocument(ctx context.Context, key, name string) (map[string]jsontext.Value, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	doc, err := s.cfg.Upstream.Document(ctx, s.cred, key, name)
	s.heard(err)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	canonical := textOf(doc["name"])
	if canonical == key {
		return doc, nil // a single DocType can't be listed
	}
	var zeros []string
	for column, v := range doc {
		if isZero(v) && !slices.Contains(standardColumns, column) && fieldPattern.MatchString(column) {
			zeros = append(zeros, column)
		}
	}
	if len(zeros) == 0 {
		return doc, nil
	}
	slices.Sort(zeros)
	table, err := s.list(ctx, &doctype.Type{Key: key}, frappe.ListQuery{
		DocType: key, Columns: plain(append([]string{"name"}, zeros...)),
		Filters: []frappe.Filter{{Field: "name", Op: frappe.OpEq, Value: canonical}}, Limit: 1,
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rowsOf(&doctype.Type{Key: key}, table) {
		for _, c := range zeros {
			if row.Raw(c) == nil {
				doc[c] = jsontext.Value("null")
			}
		}
	}
	return doc, nil
}

func isZero(v jsontext.Value) bool {
	s := string(v)
	return s == "0" || s == "0.0"
}

// LinkOptions asks ERPNext what its own link field would show this caller.
func (s *Set) LinkOptions(ctx context.Context, q frappe.LinkQuery) ([]frappe.LinkOption, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	options, err := s.cfg.Upstream.LinkSearch(ctx, s.cred, q)
	s.heard(err)
	if err != nil {
		return nil, fmt.Errorf("search %s: %w", q.DocType, err)
	}
	return options, nil
}
