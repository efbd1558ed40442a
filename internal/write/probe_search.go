package write

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// maxCandidates bounds the documents that are looked at to find one that was written.
const maxCandidates = 50

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

// search is a look for the new document that an attempt may have made: one of its user's,
// newer than the attempt.
type search struct {
	t       *doctype.Type
	attempt attempt
	columns []string        // to grade a candidate by, besides its name
	filters []frappe.Filter // that every candidate fits
	like    func(ctx context.Context, candidate document) (likeness, error)
}

// find is the one document that was written; nil means that none was, and an error that
// nobody can tell. What is not found counts as not written only where ERPNext's list hides
// nothing. An attempt of another user is told from what the caller sees only if he sees
// all of that user's.
func (w *Writer) find(ctx context.Context, s search) (*Result, error) {
	if s.attempt.Blind {
		return nil, errUnknown(nil)
	}
	owner := s.attempt.by
	if owner == "" {
		user, err := w.set.Caller(ctx)
		if err != nil {
			return nil, err
		}
		owner = user.Name
	}
	s.filters = append(slices.Clone(s.filters), frappe.Filter{Field: "owner", Op: frappe.OpEq, Value: owner})
	if s.attempt.Creation != "" {
		zone, err := w.siteZone(ctx)
		if err != nil {
			return nil, err
		}
		s.filters = append(s.filters, frappe.Filter{Field: "creation", Op: frappe.OpGt, Value: earliestAfter(s.attempt.Creation, zone)})
	}
	listed, err := w.list(ctx, s)
	if err != nil {
		return nil, err
	}
	if s.attempt.by != "" {
		if err := w.seesAll(ctx, s, len(listed)); err != nil {
			return nil, err
		}
	}
	made, err := w.only(ctx, s, owner, listed)
	if err == nil && made == nil && s.attempt.by == "" {
		err = w.seesAll(ctx, s, len(listed))
	}
	return made, err
}

func (w *Writer) list(ctx context.Context, s search) ([]document, error) {
	table, err := w.cfg.Upstream.List(ctx, w.set.Credential(), frappe.ListQuery{
		DocType: s.t.Key, Columns: columnsOf(append([]string{nameColumn, creationColumn, modifiedColumn}, s.columns...)), Filters: s.filters, Limit: maxCandidates + 1,
		OrderBy: []frappe.Order{{Field: "creation"}},
	})
	if err != nil {
		return nil, fmt.Errorf("look for a written %s: %w", s.t.Key, err)
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

// seesAll makes sure that a list had all that there is. ERPNext hides some documents even
// from the user who made them: a ToDo for somebody else, one that a User Permission
// excludes. What comes
// between the two it counts too many, which is safe.
//
// Where the site does not offer the count, the caller's own documents go by the list alone:
// it is the exception that they are hidden, and without the count no retry could end.
func (w *Writer) seesAll(ctx context.Context, s search, listed int) error {
	n, err := w.cfg.Upstream.CountUnchecked(ctx, w.set.Credential(), s.t.Key, s.filters)
	refused := apierror.CodeOf(err) == apierror.Forbidden || errors.Is(err, frappe.ErrNoMethod)
	switch {
	case refused && s.attempt.by == "":
		return nil
	case refused, err == nil && n > int64(listed):
		return errUnknown(nil)
	case err != nil:
		return fmt.Errorf("look for a written %s: %w", s.t.Key, err)
	default:
		return nil
	}
}

// only is the one candidate that was written: none means that nothing was, several that
// nobody can tell.
func (w *Writer) only(ctx context.Context, s search, owner string, found []document) (*Result, error) {
	taken, err := w.taken(ctx, s.t, owner, found)
	if err != nil {
		return nil, err
	}
	var equal, near []string
	created := ""
	for _, d := range found {
		name := rawText(d[nameColumn])
		if slices.Contains(taken, [2]string{name, rawText(d[creationColumn])}) {
			continue
		}
		like, err := s.like(ctx, d)
		switch {
		case err != nil:
			return nil, err
		case like == same:
			equal, created = append(equal, name), rawText(d[creationColumn])
		case like == unclear, rawText(d[modifiedColumn]) != rawText(d[creationColumn]):
			near = append(near, name) // whoever has changed it since may have changed just that
		}
	}
	switch {
	case len(equal) > 1 || len(equal) == 0 && len(near) > 0:
		return nil, errUnknown(append(equal, near...))
	case len(equal) == 1:
		return &Result{Type: s.t, Name: equal[0], created: created}, nil
	default:
		return nil, nil //nolint:nilnil // it was not written
	}
}

// taken are the documents that are known to come from other writes, by name and creation:
// of another key of the same user, as the next row of a bulk, or of an outbox. A name alone
// says little: documents are renamed, and names are used again.
func (w *Writer) taken(ctx context.Context, t *doctype.Type, owner string, found []document) ([][2]string, error) {
	if len(found) == 0 {
		return nil, nil
	}
	names, quoted := make([]string, len(found)), make([]string, len(found))
	for i, d := range found {
		names[i] = rawText(d[nameColumn])
		text, err := jsontext.AppendQuote(nil, names[i]) // as outcomes are written
		if err != nil {
			return nil, fmt.Errorf("the name of a %s: %w", t.Key, err)
		}
		quoted[i] = string(text)
	}
	outcomes, err := w.cfg.Local.OutcomesWith(ctx, owner, quoted)
	if err != nil {
		return nil, err
	}
	taken, err := w.cfg.Local.OutboxDocuments(ctx, t.Key, names)
	if err != nil {
		return nil, err
	}
	for _, stored := range outcomes {
		var o outcome
		if err := json.Unmarshal(stored, &o); err != nil {
			return nil, fmt.Errorf("read the outcome under an idempotency key: %w", err)
		}
		if o.Type == t.Key && o.Created != "" {
			taken = append(taken, [2]string{o.Name, o.Created})
		}
	}
	return taken, nil
}
