package simulator

import "fmt"

// workflow is the active workflow of a DocType, as frappe/model/workflow.py reads it.
type workflow struct {
	d           *document
	field       string // that holds the state
	states      []object
	transitions []object
}

// workflow is that of a DocType, nil for none.
func (s *snapshot) workflow(doctype string) *workflow {
	t := s.tables["Workflow"]
	if t == nil {
		return nil
	}
	of, active := t.meta.column("document_type"), t.meta.column("is_active")
	for _, r := range t.rows {
		if r.vals[of].s != doctype || !r.vals[active].truthy() {
			continue
		}
		d := s.assemble(t, r)
		w := &workflow{d: d, field: d.get("workflow_state_field").s}
		doc := d.object(s, nil, false).plain()
		for _, e := range asList(doc.get("states")) {
			o, _ := e.(object)
			w.states = append(w.states, o)
		}
		for _, e := range asList(doc.get("transitions")) {
			o, _ := e.(object)
			w.transitions = append(w.transitions, o)
		}
		return w
	}
	return nil
}

// state is the row of that state, nil if the workflow has none.
func (w *workflow) state(name string) object {
	for _, s := range w.states {
		if cstr(s.get("state")) == name {
			return s
		}
	}
	return nil
}

// workflowDocs are the workflow and its states, as metadata shows them.
func (s *snapshot) workflowDocs(col *collation, doctype string) []object {
	w := s.workflow(doctype)
	if w == nil {
		return []object{}
	}
	out := []object{w.d.object(s, nil, false)}
	for _, row := range w.states {
		if d := s.document(col, "Workflow State", cstr(row.get("state"))); d != nil {
			out = append(out, d.object(s, nil, false))
		}
	}
	return out
}

// settleWorkflow does what saving a workflow does: the field of the state is there, and
// the documents that have none get the first state of their docstatus.
func (s *snapshot) settleWorkflow(srv *Server, name string) error {
	d := s.document(srv.collation, "Workflow", name)
	if d == nil || !d.get("is_active").truthy() {
		return nil
	}
	meta := s.meta(d.get("document_type").s)
	if meta == nil {
		return fmt.Errorf("simulator: a workflow for %q, which is no DocType", d.get("document_type").s)
	}
	w := s.workflow(meta.Name)
	if meta.field(w.field) == nil {
		next, err := meta.withField(object{
			{"fieldname", w.field},
			{"label", label(w.field)},
			{"fieldtype", "Link"},
			{"options", "Workflow State"},
			{"hidden", int64(1)},
			{"allow_on_submit", int64(1)},
			{"no_copy", int64(1)},
			{"is_custom_field", int64(1)},
			{"idx", int64(len(meta.Fields) + 1)},
		})
		if err != nil {
			return err
		}
		s.replaceMeta(srv.collation, next)
		meta = next
	}
	first := make(map[int64]string)
	for _, row := range w.states {
		if n := cint(row.get("doc_status")); first[n] == "" {
			first[n] = cstr(row.get("state"))
		}
	}
	t := s.tables[meta.Name]
	col, status := meta.column(w.field), meta.column("docstatus")
	var changed []*row
	for _, r := range t.rows {
		if state := first[r.vals[status].n]; r.vals[col].s == "" && state != "" {
			vals := append([]value(nil), r.vals...)
			vals[col] = srv.collation.text(&meta.columns[col], state)
			changed = append(changed, &row{vals: vals})
		}
	}
	if len(changed) > 0 {
		s.tables[meta.Name] = t.with(changed...)
	}
	return nil
}

// withField is the metadata with one more field.
func (d *docType) withField(field object) (*docType, error) {
	raw := append(object(nil), d.raw...)
	raw.set("fields", append(append([]any(nil), asList(raw.get("fields"))...), field))
	next, err := parseDocType(encodeJSON(raw))
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return next, nil
}

func workflowError(typ, text string) *wireError {
	f := raised(typ, "")
	if text != "" {
		f = thrown(typ, text)
	}
	f.class = "frappe.model.workflow." + typ
	return f
}

// possible are the transitions that the caller's roles and the conditions allow.
func (q *call) possible(snap *snapshot, w *workflow, d *document) ([]object, error) {
	a := &access{snap: snap, user: q.user, col: q.s.collation}
	if !a.document(d, "read") {
		return nil, a.denied("", fmt.Sprintf("Insufficient Permission for %s (%s)", d.meta.Name, bold("read")))
	}
	state := d.get(w.field).s
	if state == "" {
		return nil, workflowError("WorkflowStateError", "Workflow State not set")
	}
	out := []object{}
	for _, t := range w.transitions {
		if cstr(t.get("state")) != state || !q.user.hasRole(cstr(t.get("allowed"))) {
			continue
		}
		ok, err := satisfied(cstr(t.get("condition")), d)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, t)
		}
	}
	return out, nil
}

// workflowCall is the document that a workflow function is about, with its workflow.
func (q *call) workflowCall(snap *snapshot) (*document, *workflow, error) {
	sent, err := q.docArg()
	if err != nil {
		return nil, nil, err
	}
	d, err := q.document(cstr(sent.get("doctype")), cstr(sent.get("name")))
	if err != nil {
		return nil, nil, err
	}
	w := snap.workflow(d.meta.Name)
	if w == nil {
		return nil, nil, notFound("Workflow", "None")
	}
	return d, w, nil
}

// getTransitions is frappe.model.workflow.get_transitions.
func (q *call) getTransitions() (any, error) {
	d, w, err := q.workflowCall(q.snap)
	if err != nil {
		return nil, err
	}
	list, err := q.possible(q.snap, w, d)
	if err != nil {
		return nil, err
	}
	q.log.Rows = len(list)
	return list, nil
}

// applyWorkflow is frappe.model.workflow.apply_workflow: the document is saved, submitted
// or cancelled in its next state.
func (q *call) applyWorkflow() (any, error) {
	var d *document
	err := q.transact(func(snap *snapshot) error {
		old, w, err := q.workflowCall(snap)
		if err != nil {
			return err
		}
		changes, next, err := q.workflowChanges(snap, w, old)
		if err != nil {
			return err
		}
		if d, err = q.save(snap, old, changes); err != nil {
			return err
		}
		return q.comment(snap, d, "Workflow", next)
	})
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, false), nil
}

// workflowChanges are the fields that an action sets, and the state that it leads to.
func (q *call) workflowChanges(snap *snapshot, w *workflow, old *document) (object, string, error) {
	list, err := q.possible(snap, w, old)
	if err != nil {
		return nil, "", err
	}
	var taken object
	for _, t := range list {
		if cstr(t.get("action")) == q.arg("action") {
			taken = t
		}
	}
	switch {
	case taken == nil:
		return nil, "", workflowError("WorkflowTransitionError", "Not a valid Workflow Action")
	case !q.user.isAdmin() && !truthy(taken.get("allow_self_approval")) && q.user.name == old.get("owner").s:
		return nil, "", thrown("ValidationError", "Self approval is not allowed")
	}
	next := cstr(taken.get("next_state"))
	row := w.state(next)
	if row == nil {
		return nil, "", python("StopIteration", "")
	}
	changes := object{{w.field, next}}
	if f := cstr(row.get("update_field")); f != "" {
		changes.set(f, row.get("update_value"))
	}
	from, to := old.get("docstatus").n, cint(row.get("doc_status"))
	if to != from && to != from+1 || from == 2 {
		return nil, "", thrown("ValidationError", "Illegal Document Status for "+next)
	}
	changes.set("docstatus", to)
	return changes, next, nil
}

// checkWorkflow lets a document change its state only by a transition that is open to the
// caller, and puts the first state into one without (validate_workflow).
func (d *draft) checkWorkflow() error {
	w := d.snap.workflow(d.meta.Name)
	if w == nil || len(w.states) == 0 {
		return nil
	}
	first := cstr(w.states[0].get("state"))
	next, current := cstr(d.doc.get(w.field)), ""
	if d.old != nil {
		current = d.old.get(w.field).s
	}
	if next == "" {
		next = first
		d.doc.set(w.field, next)
	}
	if current == "" {
		current = first
	}
	if w.state(current) == nil {
		return thrown("ValidationError", bold(current)+" is not a valid Workflow State. Please update your Workflow and try again.")
	}
	if current != next {
		if err := d.mayMove(w, current, next); err != nil {
			return err
		}
	}
	d.moveWithStatus(w)
	return nil
}

func (d *draft) mayMove(w *workflow, current, next string) error {
	refused := workflowError("WorkflowPermissionError", fmt.Sprintf("Workflow State transition not allowed from %s to %s", bold(current), bold(next)))
	if d.old == nil {
		return refused
	}
	list, err := d.q.possible(d.snap, w, d.old)
	if err != nil {
		return err
	}
	for _, t := range list {
		if cstr(t.get("next_state")) == next {
			return nil
		}
	}
	return refused
}

// moveWithStatus puts in the first state of the docstatus that a submission leads to,
// unless the state has that docstatus already (set_workflow_state_on_action).
func (d *draft) moveWithStatus(w *workflow) {
	docstatus := cint(d.doc.get("docstatus"))
	now := w.state(cstr(d.doc.get(w.field)))
	if d.action == "save" || now != nil && cint(now.get("doc_status")) == docstatus {
		return
	}
	for _, s := range w.states {
		if cint(s.get("doc_status")) == docstatus {
			d.doc.set(w.field, s.get("state"))
			return
		}
	}
}
