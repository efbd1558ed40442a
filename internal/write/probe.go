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

// probeCreate looks for the document that an earlier attempt may have created: one that
// holds what was sent.
func (w *Writer) probeCreate(ctx context.Context, op *operation, a attempt) (*Result, error) {
	var columns []string
	for column, v := range op.sent.values {
		if _, rows := v.([]any); !rows && column != nameColumn {
			columns = append(columns, column)
		}
	}
	return w.find(ctx, search{
		t: op.t, attempt: a, columns: columns,
		like: func(ctx context.Context, d document) (likeness, error) {
			like, err := w.grade(ctx, op, d)
			// The site may have set other values than were sent, and a rename brings one along:
			// a document of that user from that time, that no other write accounts for, may be it.
			return max(like, unclear), err
		},
	})
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

// probeMove tells whether a document has come from one docstatus to another. One that has
// neither by now was moved on by somebody: from where, it does not tell.
func (w *Writer) probeMove(ctx context.Context, t *doctype.Type, name string, from, to int) (*Result, error) {
	h, err := w.head(ctx, t, name)
	switch {
	case err != nil:
		return nil, err
	case h.docstatus == string(number(to)):
		return &Result{Type: t, Name: h.name}, nil
	case h.docstatus != string(number(from)):
		return nil, errUnknown(nil)
	default:
		return nil, nil //nolint:nilnil // it was not written
	}
}

// probeDelete takes a document that is gone, or that is another one of the same name by
// now, for deleted.
func (w *Writer) probeDelete(ctx context.Context, t *doctype.Type, name string, a attempt) (*Result, error) {
	h, err := w.head(ctx, t, name)
	switch {
	case notFound(err):
		return &Result{Type: t, Name: name}, nil
	case err != nil:
		return nil, err
	case a.Creation != "" && h.creation != a.Creation:
		return &Result{Type: t, Name: h.name}, nil
	default:
		return nil, nil //nolint:nilnil // it was not deleted
	}
}

// probeRename takes a document for renamed when the old name is gone, or another one's by
// now, and the new name is the document's own. After a merge that is the other document,
// which keeps no trace of the one that has gone into it: that somebody else has deleted
// the old one meanwhile is not told apart from that, and counts as merged.
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
	return w.find(ctx, search{
		t: t, attempt: a, filters: []frappe.Filter{{Field: "amended_from", Op: frappe.OpEq, Value: name}},
		like: func(context.Context, document) (likeness, error) { return same, nil },
	})
}

// probeWorkflow takes the state that the action leads to for the action's, where the caller
// was the last to change the document. Any other change leaves it open, and so does a site
// that did not tell which field holds the state.
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
	if h.modifiedBy == user.Name && a.Next != "" && h.state == a.Next && h.state != a.State {
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
	stem := strings.TrimSuffix(up.Filename, path.Ext(up.Filename))
	return w.find(ctx, search{
		t: t, attempt: a, columns: []string{"content_hash", "file_name"}, filters: filters,
		like: func(_ context.Context, d document) (likeness, error) {
			switch {
			case rawText(d["content_hash"]) == hash:
				return same, nil
			case strings.HasPrefix(rawText(d["file_name"]), stem):
				return unclear, nil
			default:
				return different, nil
			}
		},
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
