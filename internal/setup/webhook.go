package setup

import "fmt"

// doctypeWebhook is the DocType of what ERPNext calls when a document changes
// (integrations/doctype/webhook).
const doctypeWebhook = "Webhook"

// WatchedDocType is a DocType whose changes erpgraph is told of.
type WatchedDocType struct {
	Name string
	// Submittable documents can be submitted and cancelled. A Single is one document, which
	// is neither inserted nor deleted.
	Submittable, Single bool
}

// updateAfterSubmit is true for the save of a submitted document and for nothing else.
// Frappe 15 offers on_update_after_submit and never fires it; on_change fires for every
// save, the others of which have an event of their own. The document holds what is being
// done to it beside its fields (model/document.py), and safe_eval lets it be asked.
const updateAfterSubmit = `doc.get("_action") == "update_after_submit"`

// webhookEvent is a moment that a Webhook fires at, and the condition that it needs.
type webhookEvent struct{ name, condition string }

// events are those of a DocType, in the order of a document's life.
func (w WatchedDocType) events() []webhookEvent {
	switch {
	case w.Single:
		return []webhookEvent{{name: "on_update"}}
	case w.Submittable:
		return []webhookEvent{
			{name: "after_insert"},
			{name: "on_update"},
			{name: "on_submit"},
			{name: "on_change", condition: updateAfterSubmit},
			{name: "on_cancel"},
			{name: "on_trash"},
		}
	}
	return []webhookEvent{{name: "after_insert"}, {name: "on_update"}, {name: "on_trash"}}
}

// webhookBody is the template of what is sent at an event: identity only. The filters json
// and int are Frappe's own (utils/jinja.py), and doc is a dictionary there whose times are
// text. It is one line, so that nothing on the way breaks it otherwise.
func webhookBody(event string) string {
	return `{"event": "` + event + `", "doctype": {{ doc.doctype | json }}, "name": {{ doc.name | json }}, ` +
		`"modified": {{ doc.modified | json }}, "creation": {{ doc.creation | json }}, "docstatus": {{ doc.docstatus | int }}}`
}

// webhookTimeout is how long ERPNext waits for an answer, in seconds; erpgraph gives one
// within 4.
const webhookTimeout = 5

// webhooks are the Webhooks of a site: what all of them have in common.
type webhooks struct {
	app string // the beginning of their names
	url string // where they send to; "" where it is not known, to remove them
	key webhookKey
}

// name is the document's name: Webhooks are named by whoever makes them.
func (w webhooks) name(doctype, event string) string { return w.app + " " + doctype + " " + event }

// document is the Webhook of a DocType and event. What is not among its fields is left to
// the administrator, such as the queue of its jobs and further headers.
func (w webhooks) document(doctype string, event webhookEvent) document {
	return document{
		docType: doctypeWebhook,
		find:    map[string]string{"name": w.name(doctype, event.name)},
		fields: []field{
			{name: "webhook_doctype", rule: textIs(doctype)},
			{name: "webhook_docevent", rule: textIs(event.name)},
			{name: "enabled", rule: checkIs(true)},
			{name: "condition", rule: textIs(event.condition)},
			{name: "request_url", rule: textIs(w.url)},
			{name: "is_dynamic_url", rule: checkIs(false)},
			{name: "request_method", rule: textIs("POST")},
			{name: "request_structure", rule: textIs("JSON")},
			{name: "timeout", rule: numberIs(webhookTimeout)},
			{name: "webhook_json", rule: textIs(webhookBody(event.name))},
			{name: "enable_security", rule: checkIs(true)},
			{name: fieldHeaders, rule: w.key.headers()},
			{name: fieldSecret, rule: w.key},
		},
	}
}

// wanted are the documents for DocTypes. Names that Frappe would cut off are refused.
func (w webhooks) wanted(doctypes []WatchedDocType) ([]document, error) {
	var all []document
	for _, doctype := range doctypes {
		for _, event := range doctype.events() {
			if name := w.name(doctype.Name, event.name); len([]rune(name)) > maxNameLength {
				return nil, &OptionError{"--app-name", fmt.Sprintf("is too long for the name of the Webhook %q", name)}
			}
			all = append(all, w.document(doctype.Name, event))
		}
	}
	return all, nil
}

// named tells whether a Webhook has the name that erpgraph gives to those of its DocType
// and event.
func (w webhooks) named(name, doctype, event string) bool {
	return name == w.name(doctype, event)
}
