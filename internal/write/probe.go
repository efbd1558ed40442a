package write

import (
	"context"
	"fmt"
	"path"
	"strings"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// maxCandidates bounds the documents that are looked at to find one that was written.
const maxCandidates = 50

// errUnknown is the error of a write of which nobody can tell whether it was made: the
// caller has to look. candidates are the names of the documents that may be it.
func errUnknown(candidates []string) error {
	e := apierror.New(apierror.Conflict,
		"an earlier request with this idempotency key did not come to an end, and ERPNext does not tell whether it was carried out: look, and use a new key")
	e.Extensions = map[string]any{"uncertain": true}
	if len(candidates) > 0 {
		e.Extensions["candidates"] = candidates
	}
	return e
}

// newest is the state before a new document: when the caller created the last one. A
// caller who may create but not read leaves no trace to look for.
func (w *Writer) newest(ctx context.Context, key string) (attempt, error) {
	user, err := w.set.Caller(ctx)
	if err != nil {
		return attempt{}, err
	}
	table, err := w.cfg.Upstream.List(ctx, w.set.Credential(), frappe.ListQuery{
		DocType: key, Columns: columnsOf([]string{"creation"}), Limit: 1,
		Filters: []frappe.Filter{{Field: "owner", Op: frappe.OpEq, Value: user.Name}},
		OrderBy: []frappe.Order{{Field: "creation", Desc: true}},
	})
	switch {
	case apierror.CodeOf(err) == apierror.Forbidden:
		return attempt{Blind: true}, nil
	case err != nil:
		return attempt{}, fmt.Errorf("list %s: %w", key, err)
	case len(table.Rows) == 0:
		return attempt{}, nil
	default:
		return attempt{Creation: rawText(table.Rows[0][0])}, nil
	}
}

// since lists the caller's own documents that are newer than an attempt.
func (w *Writer) since(ctx context.Context, key string, a attempt, columns []string, filters ...frappe.Filter) ([]document, error) {
	if a.Blind {
		return nil, errUnknown(nil)
	}
	user, err := w.set.Caller(ctx)
	if err != nil {
		return nil, err
	}
	filters = append(filters, frappe.Filter{Field: "owner", Op: frappe.OpEq, Value: user.Name})
	if a.Creation != "" {
		filters = append(filters, frappe.Filter{Field: "creation", Op: frappe.OpGt, Value: a.Creation})
	}
	table, err := w.cfg.Upstream.List(ctx, w.set.Credential(), frappe.ListQuery{
		DocType: key, Columns: columnsOf(columns), Filters: filters, Limit: maxCandidates + 1,
		OrderBy: []frappe.Order{{Field: "creation"}},
	})
	if err != nil {
		return nil, fmt.Errorf("look for a written %s: %w", key, err)
	}
	if len(table.Rows) > maxCandidates {
		return nil, errUnknown(nil)
	}
	out := make([]document, len(table.Rows))
	for i := range table.Rows {
		out[i] = rowOf(table, i)
	}
	return out, nil
}

// only is the one document that was written: none means that nothing was, several that
// nobody can tell. like grades the candidates.
func only(t *doctype.Type, found []document, like func(document) likeness) (*Result, error) {
	var equal, near []string
	for _, d := range found {
		switch like(d) {
		case same:
			equal = append(equal, rawText(d[nameColumn]))
		case unclear:
			near = append(near, rawText(d[nameColumn]))
		case different:
		}
	}
	switch {
	case len(equal) > 1 || len(equal) == 0 && len(near) > 0:
		return nil, errUnknown(append(equal, near...))
	case len(equal) == 1:
		return &Result{Type: t, Name: equal[0]}, nil
	default:
		return nil, nil //nolint:nilnil // it was not written
	}
}

// probeCreate looks for the document that an earlier attempt may have created: one of the
// caller's, newer than the attempt, that holds what was sent.
func (w *Writer) probeCreate(ctx context.Context, op *operation, a attempt) (*Result, error) {
	columns := []string{nameColumn}
	for column, v := range op.sent.values {
		if _, rows := v.([]any); !rows && column != nameColumn {
			columns = append(columns, column)
		}
	}
	found, err := w.since(ctx, op.t.Key, a, columns)
	if err != nil {
		return nil, err
	}
	grades := make(map[string]likeness, len(found))
	for _, d := range found {
		name := rawText(d[nameColumn])
		if grades[name], err = w.grade(ctx, op, d); err != nil {
			return nil, err
		}
	}
	return only(op.t, found, func(d document) likeness { return grades[rawText(d[nameColumn])] })
}

// grade compares a document of a list with what was sent; its rows, which no list has, are
// read where the rest is alike.
func (w *Writer) grade(ctx context.Context, op *operation, listed document) (likeness, error) {
	like := likenessOf(op.t, op.sent.values, listed, false)
	if like == different || !hasRows(op.sent.values) {
		return like, nil
	}
	name := rawText(listed[nameColumn])
	stored, err := w.cfg.Upstream.Document(ctx, w.set.Credential(), op.t.Key, name)
	if err != nil {
		return different, fmt.Errorf("read a %s that may be the written one: %w", op.t.Key, err)
	}
	for column, v := range op.sent.values {
		rows, ok := v.([]any)
		if !ok {
			continue
		}
		of := w.cfg.Registry.ByKey(op.t.ByColumn(column).Target)
		if of == nil {
			return unclear, nil
		}
		like = min(like, rowsLikeness(of, rows, stored[column]))
	}
	return like, nil
}

// probeUpdate tells whether a document has been changed as the caller asked.
func (w *Writer) probeUpdate(ctx context.Context, op *operation, a attempt) (*Result, error) {
	stored, err := w.cfg.Upstream.Document(ctx, w.set.Credential(), op.t.Key, op.name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", op.t.Key, err)
	}
	h := headOf(op.t, stored)
	if h.modified == a.Modified {
		return nil, nil //nolint:nilnil // it was not written
	}
	user, err := w.set.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if h.modifiedBy == user.Name && likenessOf(op.t, op.sent.values, stored, true) == same && w.rowsLike(op, stored) {
		return &Result{Type: op.t, Name: h.name}, nil
	}
	return nil, errUnknown(nil)
}

// probeHead is for writes that show in the head of a document.
func (w *Writer) probeHead(ctx context.Context, t *doctype.Type, name string, made func(*head) bool) (*Result, error) {
	h, err := w.head(ctx, t, name)
	if err != nil {
		return nil, err
	}
	if made(h) {
		return &Result{Type: t, Name: h.name}, nil
	}
	return nil, nil //nolint:nilnil // it was not written
}

// probeDelete takes a document that is gone, or that is another one of the same name by
// now, for deleted.
func (w *Writer) probeDelete(ctx context.Context, t *doctype.Type, name string, a attempt) (*Result, error) {
	done, err := w.probeHead(ctx, t, name, func(h *head) bool { return a.Creation != "" && h.creation != a.Creation })
	if notFound(err) {
		return &Result{Type: t, Name: name}, nil
	}
	return done, err
}

// probeRename takes a document for renamed when the old name is gone, or another one's by
// now, and the new name is the document's own; after a merge that is the other document.
func (w *Writer) probeRename(ctx context.Context, t *doctype.Type, name, to string, merge bool, a attempt) (*Result, error) {
	old, err := w.head(ctx, t, name)
	switch {
	case err != nil && !notFound(err):
		return nil, err
	case err == nil && old.creation == a.Creation && old.name != to: // a new name may differ in case only
		return nil, nil //nolint:nilnil // it was not renamed
	}
	renamed, err := w.head(ctx, t, to)
	switch {
	case err != nil && !notFound(err):
		return nil, err
	case err != nil || !merge && renamed.creation != a.Creation:
		return nil, errUnknown(nil)
	default:
		return &Result{Type: t, Name: renamed.name}, nil
	}
}

func (w *Writer) probeAmend(ctx context.Context, t *doctype.Type, name string, a attempt) (*Result, error) {
	found, err := w.since(ctx, t.Key, a, []string{nameColumn}, frappe.Filter{Field: "amended_from", Op: frappe.OpEq, Value: name})
	if err != nil {
		return nil, err
	}
	return only(t, found, func(document) likeness { return same })
}

// probeWorkflow takes a state that the caller has moved for the action's. Where the site
// did not tell which field holds the state, any change leaves it open.
func (w *Writer) probeWorkflow(ctx context.Context, t *doctype.Type, name string, a attempt) (*Result, error) {
	h, err := w.head(ctx, t, name)
	if err != nil {
		return nil, err
	}
	if h.modified == a.Modified {
		return nil, nil //nolint:nilnil // it was not taken
	}
	user, err := w.set.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if h.modifiedBy == user.Name && stateField(t) != "" && h.state != a.State {
		return &Result{Type: t, Name: h.name}, nil
	}
	return nil, errUnknown(nil)
}

// probeUpload looks for a file with the same content at the same place. ERPNext stores
// some pictures smaller than they came: one of the same name leaves it open.
func (w *Writer) probeUpload(ctx context.Context, t *doctype.Type, up Upload, a attempt) (*Result, error) {
	hash, err := contentHash(up.Content)
	if err != nil {
		return nil, err
	}
	var filters []frappe.Filter
	if up.DocType != "" {
		filters = []frappe.Filter{
			{Field: "attached_to_doctype", Op: frappe.OpEq, Value: up.DocType},
			{Field: "attached_to_name", Op: frappe.OpEq, Value: up.DocName},
		}
	}
	found, err := w.since(ctx, fileType, a, []string{nameColumn, "content_hash", "file_name"}, filters...)
	if err != nil {
		return nil, err
	}
	stem := strings.TrimSuffix(up.Filename, path.Ext(up.Filename))
	return only(t, found, func(d document) likeness {
		switch {
		case rawText(d["content_hash"]) == hash:
			return same
		case strings.HasPrefix(rawText(d["file_name"]), stem):
			return unclear
		default:
			return different
		}
	})
}

// rowsLike tells whether a document's tables hold the rows that were sent.
func (w *Writer) rowsLike(op *operation, stored document) bool {
	for column, sent := range op.sent.rows {
		f := op.t.ByColumn(column)
		of := w.cfg.Registry.ByKey(f.Target)
		have, err := rowsOf(stored[column])
		if err != nil || len(have) != len(sent) {
			return false
		}
		for i, row := range sent {
			if row.name != "" && rawText(have[i][nameColumn]) != row.name {
				return false
			}
			if likenessOf(of, row.values, have[i], true) != same {
				return false
			}
		}
	}
	return true
}
