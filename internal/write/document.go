package write

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// maxInputs bounds the rows of one bulk: ERPNext takes up to half a second for each.
const maxInputs = 100

// Create creates a document, or a local row.
//
// Errors: BAD_USER_INPUT for a value that would not be stored as it is, FORBIDDEN,
// VALIDATION with the field where ERPNext names it, CONFLICT for a name that is taken.
// Where ERPNext did not answer, extensions.uncertain says that it may have been made.
func (w *Writer) Create(ctx context.Context, t *doctype.Type, input Input, o Options) (*Result, error) {
	if t.Source == doctype.Local {
		return w.createLocal(ctx, t, input, o)
	}
	op, err := w.creation(ctx, t, input, o.path())
	if err != nil {
		return nil, err
	}
	return w.once(ctx, op)
}

// CreateMany creates documents or local rows, one after the other, each with its own
// outcome: one that is refused does not hold up the next. Nothing is written before all
// inputs are read. Rows that were not begun when ctx ended are UPSTREAM_TIMEOUT, and not
// written.
//
// Errors of the whole: COST_LIMIT for more than 100 rows, of which nothing was written.
func (w *Writer) CreateMany(ctx context.Context, t *doctype.Type, inputs []Input, o Options) ([]RowOutcome, error) {
	if len(inputs) > maxInputs {
		e := apierror.New(apierror.CostLimit, "at most %d documents at a time: nothing was written", maxInputs)
		e.Extensions = map[string]any{"limit": maxInputs}
		return nil, e
	}
	if t.Source == doctype.Local {
		return w.createLocalMany(ctx, t, inputs, o), nil
	}
	out := make([]RowOutcome, len(inputs))
	base := o.Path
	if base == "" {
		base = "inputs"
	}
	operations := make([]*operation, len(inputs))
	for i, input := range inputs {
		operations[i], out[i].Err = w.creation(ctx, t, input, base+"."+strconv.Itoa(i))
	}
	key := w.nextKey()
	for i, op := range operations {
		switch {
		case op == nil:
		case ctx.Err() != nil:
			out[i].Err = outOfTime(ctx)
		default:
			out[i].Result, out[i].Err = w.onceUnder(ctx, rowKey(key, i), op)
		}
	}
	return out, nil
}

// outOfTime is the error of a row of a bulk whose turn did not come before ctx ended.
func outOfTime(ctx context.Context) error {
	return apierror.Wrap(apierror.UpstreamTimeout, context.Cause(ctx), "the time was over before this row: it was not written")
}

// creation is the insert of a document. Its input is checked, nothing is written.
func (w *Writer) creation(ctx context.Context, t *doctype.Type, input Input, path string) (*operation, error) {
	if err := writable(t, t.Writes.Create, "created"); err != nil {
		return nil, err
	}
	sent, err := w.checked(ctx, t, input, path, true)
	if err != nil {
		return nil, err
	}
	op := &operation{
		t: t, path: path, sent: sent, oldest: true,
		hashed: []any{"create", t.Key, sent.values},
		before: func(ctx context.Context) (attempt, error) { return w.newest(ctx, t.Key) },
	}
	op.probe = func(ctx context.Context, a attempt) (*Result, error) { return w.probeCreate(ctx, op, a) }
	op.call = func(ctx context.Context, _ attempt) (*Result, error) {
		answer, err := w.cfg.Upstream.Insert(ctx, w.set.Credential(), t.Key, sent.values)
		return op.sentAs(answer, err, "create")
	}
	return op, nil
}

// checked reads an input, and asks whether the caller may write its fields.
func (w *Writer) checked(ctx context.Context, t *doctype.Type, input Input, path string, create bool) (*request, error) {
	zone, err := w.siteZone(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := w.read(t, input, path, create, zone)
	if err != nil {
		if e, ok := apierror.As(err); ok {
			return nil, e.About(t.Key, "", e.Field)
		}
		return nil, err
	}
	return sent, w.checkLevels(ctx, t, sent.touched)
}

// writable refuses what the graph does not offer for a type; clients can't ask for it, but
// hand-written code can.
func writable(t *doctype.Type, allowed bool, what string) error {
	if t.Source == doctype.Child || !allowed {
		return apierror.New(apierror.Forbidden, "%s: documents of it can't be %s through this graph", t.Key, what).About(t.Key, "", "")
	}
	return nil
}

// Update changes the named fields of a document or local row. Of a single DocType, name
// is passed over.
//
// Rows of a child table that are named are kept, others are new, and those that are left
// out are removed. Where there are such rows the document is read and written back under
// ERPNext's own lock; somebody else's change in between makes it begin again, and is a
// CONFLICT at the third time. With Options.IfModified any change since then is.
//
// Errors are those of Create, NOT_FOUND, and CONFLICT with extensions.modified.
func (w *Writer) Update(ctx context.Context, t *doctype.Type, name string, input Input, o Options) (*Result, error) {
	if t.Source == doctype.Local {
		return w.updateLocal(ctx, t, name, input, o)
	}
	op, err := w.updating(ctx, t, name, input, o)
	if err != nil {
		return nil, err
	}
	return w.once(ctx, op)
}

func (w *Writer) updating(ctx context.Context, t *doctype.Type, name string, input Input, o Options) (*operation, error) {
	if err := writable(t, t.Writes.Update, "changed"); err != nil {
		return nil, err
	}
	if t.Source == doctype.Single {
		name = t.Key
	}
	sent, err := w.checked(ctx, t, input, o.path(), false)
	if err != nil {
		return nil, err
	}
	lock, err := w.lock(ctx, o)
	if err != nil {
		return nil, err
	}
	op := &operation{
		t: t, name: name, path: o.path(), sent: sent, locked: lock != "",
		hashed: []any{"update", t.Key, name, sent.hashed(), lock},
		before: func(ctx context.Context) (attempt, error) { return w.present(ctx, t, name, lock) },
	}
	op.probe = func(ctx context.Context, a attempt) (*Result, error) { return w.probeUpdate(ctx, op, a) }
	op.call = func(ctx context.Context, a attempt) (*Result, error) {
		if a.Modified == "" {
			a.Modified = lock
		}
		return w.update(ctx, op, a.Modified)
	}
	return op, nil
}

// update writes the changed fields; with a lock, only if the document still has that
// modified.
func (w *Writer) update(ctx context.Context, op *operation, lock string) (*Result, error) {
	values := op.sent.values
	if len(op.sent.rows) > 0 {
		stored, err := w.cfg.Upstream.Document(ctx, w.set.Credential(), op.t.Key, op.name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", op.t.Key, err)
		}
		modified := rawText(stored["modified"])
		if lock != "" && lock != modified {
			return nil, errStale
		}
		lock = modified
		if values, err = merge(stored, op.sent); err != nil {
			return nil, err
		}
	}
	if lock != "" {
		values = with(values, "modified", lock)
	}
	answer, err := w.cfg.Upstream.Update(ctx, w.set.Credential(), op.t.Key, op.name, values)
	return op.sentAs(answer, err, "update")
}

// lock is the client's ifModified as the site itself has written it, "" for none.
func (w *Writer) lock(ctx context.Context, o Options) (string, error) {
	if o.IfModified == "" {
		return "", nil
	}
	zone, err := w.siteZone(ctx)
	if err != nil {
		return "", err
	}
	lock, err := lockText(o.IfModified, zone)
	if err != nil {
		return "", bad("ifModified", "%s", err)
	}
	return lock, nil
}

// present is the state of a document that is to be changed. A lock that it does not have
// is refused at once.
func (w *Writer) present(ctx context.Context, t *doctype.Type, name, lock string) (attempt, error) {
	h, err := w.head(ctx, t, name)
	if err != nil {
		return attempt{}, err
	}
	if lock != "" && lock != h.modified {
		return attempt{}, errStale
	}
	return attempt{Modified: h.modified, Creation: h.creation, State: h.state}, nil
}

// Delete deletes a document or local row.
//
// Errors: FORBIDDEN, NOT_FOUND, VALIDATION where others link to it or it is submitted.
func (w *Writer) Delete(ctx context.Context, t *doctype.Type, name string) (*Result, error) {
	if t.Source == doctype.Local {
		return w.deleteLocal(ctx, t, name)
	}
	if err := writable(t, t.Writes.Delete && t.Source != doctype.Single, "deleted"); err != nil {
		return nil, err
	}
	own := name // as the document has it: ERPNext takes names as equal that differ in case
	return w.once(ctx, &operation{
		t: t, name: name, look: true,
		hashed: []any{"delete", t.Key, name},
		before: func(ctx context.Context) (attempt, error) {
			h, err := w.head(ctx, t, name)
			if err != nil {
				return attempt{}, err
			}
			own = h.name
			return attempt{Modified: h.modified, Creation: h.creation}, nil
		},
		probe: func(ctx context.Context, a attempt) (*Result, error) { return w.probeDelete(ctx, t, name, a) },
		call: func(ctx context.Context, _ attempt) (*Result, error) {
			messages, err := w.cfg.Upstream.Delete(ctx, w.set.Credential(), t.Key, own)
			return written(t, own, &frappe.Written{Messages: messages}, err, "delete")
		},
	})
}

// head is what a document is known by, without its content.
type head struct {
	name, owner, creation, modified, modifiedBy, docstatus, state string
}

var headColumns = []string{nameColumn, "owner", "creation", "modified", "modified_by", "docstatus"}

// head reads the head of a document as the caller. NOT_FOUND and FORBIDDEN are told apart
// as far as ERPNext does: a list leaves out both, a read says.
func (w *Writer) head(ctx context.Context, t *doctype.Type, name string) (*head, error) {
	columns := slices.Clone(headColumns)
	if state := stateField(t); state != "" {
		columns = append(columns, state)
	}
	if t.Source != doctype.Single {
		table, err := w.cfg.Upstream.List(ctx, w.set.Credential(), frappe.ListQuery{
			DocType: t.Key, Columns: columnsOf(columns), Limit: 1,
			Filters: []frappe.Filter{{Field: nameColumn, Op: frappe.OpEq, Value: name}},
		})
		if err == nil && len(table.Rows) == 1 {
			return headOf(t, rowOf(table, 0)), nil
		}
		if err != nil && apierror.CodeOf(err) != apierror.Forbidden {
			return nil, fmt.Errorf("read %s: %w", t.Key, err)
		}
	}
	stored, err := w.cfg.Upstream.Document(ctx, w.set.Credential(), t.Key, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.Key, err)
	}
	return headOf(t, stored), nil
}

func headOf(t *doctype.Type, d document) *head {
	h := &head{
		name: rawText(d[nameColumn]), owner: rawText(d["owner"]), creation: rawText(d["creation"]),
		modified: rawText(d["modified"]), modifiedBy: rawText(d["modified_by"]), docstatus: rawText(d["docstatus"]),
	}
	if state := stateField(t); state != "" {
		h.state = rawText(d[state])
	}
	return h
}

// stateField holds a document's state in the workflow of its DocType, "" where the site
// did not tell.
func stateField(t *doctype.Type) string {
	if t.Facts == nil {
		return ""
	}
	return string(t.Facts.Workflow)
}

func columnsOf(names []string) []frappe.Column {
	out := make([]frappe.Column, len(names))
	for i, name := range names {
		out[i] = frappe.Column{Field: name}
	}
	return out
}

func rowOf(table *frappe.Table, i int) document {
	out := make(document, len(table.Columns))
	for j, column := range table.Columns {
		if cell := table.Rows[i][j]; cell != nil {
			out[column] = cell
		}
	}
	return out
}

// number is a small number as it is written.
func number(n int) jsontext.Value { return jsontext.Value(strconv.Itoa(n)) }

// notFound tells whether ERPNext said that a document does not exist.
func notFound(err error) bool {
	e, ok := errors.AsType[*frappe.Error](err)
	return ok && e.Code == apierror.NotFound || !ok && apierror.CodeOf(err) == apierror.NotFound
}
