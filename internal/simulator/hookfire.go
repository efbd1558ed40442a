package simulator

import (
	"slices"
	"strings"
)

// hookDocument is a document as webhooks show it: all its fields, whoever reads them.
type hookDocument struct {
	d    *document
	snap *snapshot
	// fresh are the rows that have just been made: they say so.
	fresh map[string]bool
	// read are the times that came from the store and were not just written.
	read []string
}

// value is a field of the document, nil for one that it lacks; the whole of it for "".
func (h *hookDocument) value(field string) any {
	switch {
	case field == "doctype":
		return h.d.meta.Name
	case field == "":
		return h.object()
	case h.d.meta.column(field) < 0:
		return h.object().get(field)
	}
	return h.temporal(field, h.d.get(field).native())
}

// temporal drops the fraction of a time that has none: what was read is a datetime, which
// Python prints without it, what was just written is the text that was made with it.
func (h *hookDocument) temporal(field string, v any) any {
	s, ok := v.(string)
	if !ok || !slices.Contains(h.read, field) {
		return v
	}
	return strings.TrimSuffix(s, ".000000")
}

// object is the whole document (as_dict with dates as text).
func (h *hookDocument) object() object {
	doc := h.d.object(h.snap, nil, true).plain()
	for i, m := range doc {
		doc[i].value = h.temporal(m.key, m.value)
	}
	for _, f := range h.d.meta.tables() {
		for i, e := range asList(doc.get(f.Name)) {
			if row, ok := e.(object); ok && h.fresh[cstr(row.get("name"))] {
				asList(doc.get(f.Name))[i] = append(row, member{"__unsaved", int64(1)})
			}
		}
	}
	return doc
}

// firing is a webhook that is to run once the call's transaction is over.
type firing struct {
	hook   *webhook
	doc    *hookDocument
	action string
}

// key tells firings apart: of the same webhook and document only the last counts.
func (f firing) key() string { return f.hook.name + "\x00" + f.doc.d.row.key() }

// fire queues the webhooks of a document for events, in their order (run_webhooks).
// action is what happens to the document, for the condition.
func (q *call) fire(doc *hookDocument, action string, events ...string) {
	hooks := doc.snap.webhooks[doc.d.meta.Name]
	for _, event := range events {
		for _, w := range hooks {
			if w.event == event && slices.Contains(docEvents, event) && (!w.afterSubmitOnly || action == "update_after_submit") {
				q.firings = append(q.firings, firing{w, doc, action})
			}
		}
	}
}

// saved fires the events of a document that was written, in the order of the original
// (Document.insert, run_post_save_methods). A change is none of a new document.
func (d *draft) saved(written *document) {
	if len(d.snap.webhooks[d.meta.Name]) == 0 {
		return
	}
	var events []string
	if d.old == nil {
		events = append(events, "after_insert")
	}
	switch d.action {
	case "save":
		events = append(events, "on_update")
	case "submit":
		events = append(events, "on_update", "on_submit")
	case "cancel":
		events = append(events, "on_cancel")
	case "update_after_submit":
		events = append(events, "on_update_after_submit")
	}
	if d.old != nil {
		events = append(events, "on_change")
	}
	doc := &hookDocument{d: written, snap: d.snap, fresh: d.fresh}
	if d.old != nil {
		doc.read = []string{"creation"}
	}
	d.q.fire(doc, d.action, events...)
}

// inserted fires the events of a new document that was put into the store as it is.
func (q *call) inserted(snap *snapshot, doctype, name string) {
	if len(snap.webhooks[doctype]) == 0 {
		return
	}
	if d := snap.document(q.s.collation, doctype, name); d != nil {
		q.fire(&hookDocument{d: d, snap: snap}, "save", "after_insert", "on_update")
	}
}

// removed fires the events of a document that is about to go: it has been loaded for that.
func (q *call) removed(snap *snapshot, d *document) {
	if len(snap.webhooks[d.meta.Name]) > 0 {
		q.fire(&hookDocument{d: d, snap: snap, read: []string{"creation", "modified"}}, "", "on_trash", "on_change")
	}
}

// changed fires what Document.db_set fires: on_change alone.
func (q *call) changed(snap *snapshot, doctype, name string) {
	if len(snap.webhooks[doctype]) == 0 {
		return
	}
	if d := snap.document(q.s.collation, doctype, name); d != nil {
		q.fire(&hookDocument{d: d, snap: snap, read: []string{"creation"}}, "", "on_change")
	}
}

// flushWebhooks hands the webhooks of a call that succeeded to delivery: once for each
// webhook and document, with the last state, in the order of the last time
// (flush_webhook_execution_queue).
func (q *call) flushWebhooks() {
	if len(q.firings) == 0 {
		return
	}
	last := make(map[string]int, len(q.firings))
	for i, f := range q.firings {
		last[f.key()] = i
	}
	for i, f := range q.firings {
		if last[f.key()] == i {
			q.s.enqueue(f, q.user.name)
		}
	}
	q.firings = nil
}
