package write

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// The values of docstatus.
const (
	draft     = 0
	submitted = 1
	cancelled = 2
)

// Submit submits a draft. The draft is read first, and submitted under ERPNext's lock: what
// is submitted is what was read, with or without Options.IfModified.
//
// Errors are those of Update; VALIDATION for what is no draft.
func (w *Writer) Submit(ctx context.Context, t *doctype.Type, name string, o Options) (*Result, error) {
	return w.move(ctx, t, name, o, draft, submitted)
}

// Cancel cancels a submitted document, as Submit submits one.
func (w *Writer) Cancel(ctx context.Context, t *doctype.Type, name string, o Options) (*Result, error) {
	return w.move(ctx, t, name, o, submitted, cancelled)
}

// stateNames are what the states of a document are called in errors.
var stateNames = map[string]string{"0": "a draft", "1": "submitted", "2": "cancelled"}

func (w *Writer) move(ctx context.Context, t *doctype.Type, name string, o Options, from, to int) (*Result, error) {
	verb := map[int]string{submitted: "submit", cancelled: "cancel"}[to]
	moved := stateNames[string(number(to))]
	if err := writable(t, t.Writes.Submit, moved); err != nil {
		return nil, err
	}
	lock, err := w.lock(ctx, o)
	if err != nil {
		return nil, err
	}
	before := func(ctx context.Context) (attempt, error) {
		h, err := w.head(ctx, t, name)
		switch {
		case err != nil:
			return attempt{}, err
		case h.docstatus != string(number(from)):
			return attempt{}, apierror.New(apierror.Validation, "the document can't be %s: it is %s", moved, stateNames[h.docstatus]).
				About(t.Key, name, "")
		case lock != "" && lock != h.modified:
			return attempt{}, errStale
		}
		return attempt{Modified: h.modified}, nil
	}
	return w.once(ctx, &operation{
		t: t, name: name, look: true, locked: lock != "",
		hashed: []any{verb, t.Key, name, lock},
		before: before,
		probe:  func(ctx context.Context, _ attempt) (*Result, error) { return w.probeMove(ctx, t, name, from, to) },
		call: func(ctx context.Context, a attempt) (*Result, error) {
			values := map[string]any{"docstatus": number(to), "modified": a.Modified}
			answer, err := w.cfg.Upstream.Update(ctx, w.set.Credential(), t.Key, name, values)
			return written(t, name, answer, err, verb)
		},
	})
}

// Amend makes a new draft of a cancelled document, with the input over it, as ERPNext's
// own form does (public/js/frappe/model/create_new.js copy_doc).
//
// Errors are those of Create; FORBIDDEN without the right to amend; VALIDATION for what is
// not cancelled, or is amended already.
func (w *Writer) Amend(ctx context.Context, t *doctype.Type, name string, input Input, o Options) (*Result, error) {
	if err := writable(t, t.Writes.Submit, "amended"); err != nil {
		return nil, err
	}
	sent, err := w.checked(ctx, t, input, o.path(), false)
	if err != nil {
		return nil, err
	}
	op := &operation{
		t: t, name: name, path: o.path(), sent: sent, oldest: true,
		hashed: []any{"amend", t.Key, name, sent.hashed()},
		before: func(ctx context.Context) (attempt, error) { return w.newest(ctx, t.Key) },
		probe:  func(ctx context.Context, a attempt) (*Result, error) { return w.probeAmend(ctx, t, name, a) },
	}
	op.call = func(ctx context.Context, _ attempt) (*Result, error) {
		values, err := w.amendment(ctx, op)
		if err != nil {
			return nil, err
		}
		answer, err := w.cfg.Upstream.Insert(ctx, w.set.Credential(), t.Key, values)
		return written(t, "", answer, err, "amend")
	}
	return w.once(ctx, op)
}

// amendment is the new draft.
func (w *Writer) amendment(ctx context.Context, op *operation) (map[string]any, error) {
	t, cred := op.t, w.set.Credential()
	may, err := w.cfg.Upstream.MayDo(ctx, cred, t.Key, op.name, "amend")
	if err != nil {
		return nil, fmt.Errorf("ask for the right to amend %s: %w", t.Key, err)
	}
	if !may {
		return nil, apierror.New(apierror.Forbidden, "ERPNext does not permit this").About(t.Key, op.name, "")
	}
	stored, err := w.cfg.Upstream.Document(ctx, cred, t.Key, op.name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.Key, err)
	}
	if state := rawText(stored["docstatus"]); state != string(number(cancelled)) {
		return nil, apierror.New(apierror.Validation, "only a cancelled document can be amended: it is %s", stateNames[state]).
			About(t.Key, op.name, "")
	}
	others, err := w.cfg.Upstream.List(ctx, cred, frappe.ListQuery{
		DocType: t.Key, Columns: columnsOf([]string{nameColumn}), Limit: 1,
		Filters: []frappe.Filter{
			{Field: "amended_from", Op: frappe.OpEq, Value: op.name},
			{Field: "docstatus", Op: frappe.OpNe, Value: cancelled},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("look for amendments of %s: %w", t.Key, err)
	}
	if len(others.Rows) > 0 {
		return nil, apierror.New(apierror.Validation, "the document is amended already: %s", rawText(others.Rows[0][0])).About(t.Key, op.name, "")
	}
	merged, err := merge(stored, op.sent)
	if err != nil {
		return nil, err
	}
	values, err := copyOf(stored, stateField(t))
	if err != nil {
		return nil, err
	}
	for column, v := range merged {
		values[column] = withoutNames(v)
	}
	values["amended_from"] = op.name
	return values, nil
}

// notCopied are the columns that a copy does not have: those of every document, and those
// that ERPNext's form leaves out of an amendment.
var notCopied = []string{
	nameColumn, "owner", "creation", "modified", "modified_by", "docstatus", "idx", "doctype", "lft", "rgt",
	"parent", "parentfield", "parenttype", "amended_from", "amendment_date", "cancel_reason",
}

// copyOf is a document as a new one. The state of a workflow begins anew.
func copyOf(stored document, state string) (map[string]any, error) {
	out := make(map[string]any, len(stored))
	for column, v := range stored {
		switch {
		case strings.HasPrefix(column, "_") || slices.Contains(notCopied, column) || column == state:
		case v.Kind() == '[':
			var rows []document
			if err := json.Unmarshal(v, &rows); err != nil {
				return nil, fmt.Errorf("read the rows of a document: %w", err)
			}
			list := make([]any, len(rows))
			for i, row := range rows {
				list[i] = copyRow(row)
			}
			out[column] = list
		default:
			out[column] = v
		}
	}
	return out, nil
}

func copyRow(row document) map[string]any {
	out := make(map[string]any, len(row))
	for column, v := range row {
		if !strings.HasPrefix(column, "_") && !slices.Contains(notCopied, column) {
			out[column] = v
		}
	}
	return out
}

// withoutNames makes merged rows new ones: those of the cancelled document stay its own.
func withoutNames(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	for i, row := range list {
		object, _ := row.(map[string]any)
		out := make(map[string]any, len(object))
		for column, v := range object {
			if !slices.Contains(notCopied, column) {
				out[column] = v
			}
		}
		list[i] = out
	}
	return list
}

// ApplyWorkflow takes an action of the DocType's workflow. Options.IfModified is compared
// with the document just before: ERPNext's workflow has no lock of its own, so that a
// change in the moment between is not noticed.
//
// Errors are those of Update; VALIDATION for an action that the document does not have now.
func (w *Writer) ApplyWorkflow(ctx context.Context, t *doctype.Type, name, action string, o Options) (*Result, error) {
	if err := writable(t, t.Writes.Workflow, "moved in a workflow"); err != nil {
		return nil, err
	}
	if _, err := textOf(action); err != nil || action == "" || len(action) > 4*nameLength {
		return nil, bad("action", "is no action of a workflow")
	}
	lock, err := w.lock(ctx, o)
	if err != nil {
		return nil, err
	}
	return w.once(ctx, &operation{
		t: t, name: name, look: lock != "", locked: lock != "",
		hashed: []any{"workflow", t.Key, name, action, lock},
		before: func(ctx context.Context) (attempt, error) {
			a, err := w.present(ctx, t, name, lock)
			if err == nil && w.key != "" {
				a.Next, err = w.nextState(ctx, t, name, action)
			}
			return a, err
		},
		probe: func(ctx context.Context, a attempt) (*Result, error) { return w.probeWorkflow(ctx, t, name, a) },
		call: func(ctx context.Context, _ attempt) (*Result, error) {
			answer, err := w.cfg.Upstream.ApplyWorkflow(ctx, w.set.Credential(), t.Key, name, action)
			return written(t, name, answer, err, "apply a workflow to")
		},
	})
}

// nextState is the state that an action leads to, "" where the document does not have the
// action now.
func (w *Writer) nextState(ctx context.Context, t *doctype.Type, name, action string) (string, error) {
	actions, err := w.cfg.Upstream.WorkflowActions(ctx, w.set.Credential(), t.Key, name)
	if err != nil {
		return "", fmt.Errorf("workflow actions of %s: %w", t.Key, err)
	}
	for _, a := range actions {
		if a.Action == action {
			return a.NextState, nil
		}
	}
	return "", nil
}

// hashed is what stands for the input of an update in a request's hash: rows by what they
// change, before they are merged.
func (r *request) hashed() any {
	type row struct {
		Name   string         `json:"name"`
		Values map[string]any `json:"values"`
	}
	rows := make(map[string][]row, len(r.rows))
	for column, list := range r.rows {
		for _, one := range list {
			rows[column] = append(rows[column], row{Name: one.name, Values: one.values})
		}
	}
	return []any{r.values, rows}
}
