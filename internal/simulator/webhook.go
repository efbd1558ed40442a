package simulator

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// webhook is a Webhook document that is enabled, ready to fire.
type webhook struct {
	name, event string
	// afterSubmitOnly is the one condition that is known: the save of a submitted document.
	afterSubmitOnly bool

	method, url string
	timeout     time.Duration
	secret      string // empty: the request is not signed
	headers     []hookField
	data        []hookField // members of the body by field; wins over the template
	body        *hookTemplate
	bodyError   error // of a template that was stored without a check
}

// hookField is a row of a webhook: a header and its value, or a member and its field.
type hookField struct{ key, value string }

// docEvents are the events that fire webhooks. The original offers on_update_after_submit
// as well and never fires it (frappe/integrations/doctype/webhook/__init__.py).
var docEvents = []string{"after_insert", "on_update", "on_submit", "on_cancel", "on_trash", "on_change"}

// afterSubmit is the condition of an on_change that is about submitted documents alone.
var afterSubmit = regexp.MustCompile(`^\s*doc\.get\((?:"_action"|'_action')\)\s*==\s*(?:"update_after_submit"|'update_after_submit')\s*$`)

// checkWebhook is the validate of a Webhook (webhook.py), without what needs an
// interpreter: other conditions than the one above, templates that do more than print
// fields, and URLs that are templates are refused.
func (d *draft) checkWebhook() error {
	event := d.text("webhook_docevent")
	of := d.snap.meta(d.text("webhook_doctype"))
	if of != nil && !bool(of.Submittable) && slices.Contains([]string{"on_submit", "on_cancel", "on_update_after_submit"}, event) {
		return thrown("ValidationError", "DocType must be Submittable for the selected Doc Event")
	}
	if c := d.text("condition"); c != "" && !afterSubmit.MatchString(c) {
		return thrown("ValidationError", "Invalid Condition: the simulator does not know the condition "+c)
	}
	if u, err := url.Parse(strings.TrimSpace(d.text("request_url"))); err != nil || u.Host == "" {
		return thrown("ValidationError", "Check Request URL")
	}
	if cint(d.doc.get("is_dynamic_url")) != 0 {
		return thrown("ValidationError", "The simulator does not know dynamic URLs")
	}
	switch d.text("request_structure") {
	case "Form URL-Encoded":
		d.doc.set("webhook_json", nil)
	case "JSON":
		if _, err := parseHookTemplate(d.text("webhook_json")); err != nil {
			return thrown("ValidationError", err.Error())
		}
		d.doc.set("webhook_data", []any{})
	}
	seen := make(map[string]bool)
	for _, row := range d.children("webhook_data") {
		field := cstr(row.get("fieldname"))
		if seen[field] {
			return thrown("ValidationError", "Same Field is entered more than once")
		}
		seen[field] = true
	}
	return d.keepSecret()
}

// keepSecret puts a new secret where passwords are kept, and asterisks in its place. Only
// asterisks leave the old one as it is; nothing at all takes it away.
func (d *draft) keepSecret() error {
	name, secret := d.text("name"), d.text("webhook_secret")
	if secret == "" {
		d.snap.setPassword(webhookType, name, "")
	} else {
		d.snap.keepPassword(d.q.s, &d.doc)
	}
	if cint(d.doc.get("enable_security")) != 0 && d.snap.password(webhookType, name) == "" {
		return thrown("ValidationError", "Invalid Webhook Secret")
	}
	return nil
}

// keepPassword puts the secret that a webhook came with where passwords are kept.
func (s *snapshot) keepPassword(srv *Server, doc *object) {
	secret := cstr(doc.get("webhook_secret"))
	if isDummy(secret) {
		return
	}
	s.setPassword(webhookType, cstr(doc.get("name")), secret)
	srv.secrets.add(secret)
	doc.set("webhook_secret", strings.Repeat("*", utf8.RuneCountInString(secret)))
}

// isDummy tells the asterisks that stand for a password.
func isDummy(password string) bool { return strings.Trim(password, "*") == "" }

// password is the secret of a document, empty for none.
func (s *snapshot) password(doctype, name string) string { return s.passwords[doctype+"\x00"+name] }

// setPassword keeps the secret of a document, or forgets it if it is empty.
func (s *snapshot) setPassword(doctype, name, secret string) {
	key := doctype + "\x00" + name
	if secret == "" {
		delete(s.passwords, key)
		return
	}
	s.passwords[key] = secret
}

// refreshWebhooks derives the webhooks from their documents, those changed last first.
func (s *snapshot) refreshWebhooks(col *collation) {
	t := s.tables[webhookType]
	s.webhooks = make(map[string][]*webhook)
	rows := slices.Clone(t.rows)
	modified := t.meta.column("modified")
	slices.SortStableFunc(rows, func(a, b *row) int { return compareValues(b.vals[modified], a.vals[modified]) })
	for key := range s.passwords {
		if _, name, _ := strings.Cut(key, "\x00"); t.find(col.key(name)) == nil {
			delete(s.passwords, key)
		}
	}
	for _, r := range rows {
		d := s.assemble(t, r)
		if of := d.get("webhook_doctype").s; d.get("enabled").truthy() {
			s.webhooks[of] = append(s.webhooks[of], s.newWebhook(d))
		}
	}
}

func (s *snapshot) newWebhook(d *document) *webhook {
	w := &webhook{
		name: d.row.name(), event: d.get("webhook_docevent").s, afterSubmitOnly: d.get("condition").s != "",
		method: cmp.Or(d.get("request_method").s, "POST"), url: d.get("request_url").s,
		timeout: time.Duration(cmp.Or(d.get("timeout").n, 5)) * time.Second,
	}
	if d.get("enable_security").truthy() {
		w.secret = s.password(webhookType, w.name)
	}
	pairs := func(table, key, value string) (out []hookField) {
		child := s.meta(d.meta.field(table).Options)
		for _, r := range d.children[table] {
			row := &document{meta: child, row: r}
			out = append(out, hookField{row.get(key).s, row.get(value).s})
		}
		return out
	}
	for _, h := range pairs("webhook_headers", "key", "value") {
		if h.key != "" && h.value != "" {
			w.headers = append(w.headers, h)
		}
	}
	w.data = pairs("webhook_data", "key", "fieldname")
	if text := d.get("webhook_json").s; text != "" {
		w.body, w.bodyError = parseHookTemplate(text)
	}
	return w
}

// findWebhook is the one of that name, nil if it is gone or disabled.
func (s *snapshot) findWebhook(name string) *webhook {
	for _, list := range s.webhooks {
		for _, w := range list {
			if w.name == name {
				return w
			}
		}
	}
	return nil
}

// render is the body of a request about a document (get_webhook_data): the fields of the
// rows, or else the template read as JSON, or else an empty object.
func (w *webhook) render(d *hookDocument) ([]byte, error) {
	if len(w.data) > 0 {
		var out object
		doc := d.object()
		for _, f := range w.data {
			out.set(f.key, doc.get(f.value))
		}
		return appendPython(nil, out), nil
	}
	if w.bodyError != nil {
		return nil, w.bodyError
	}
	if w.body == nil {
		return []byte("{}"), nil
	}
	v, err := decodeJSON(w.body.render(d))
	if err != nil {
		return nil, fmt.Errorf("simulator: the body of webhook %s is no JSON: %w", w.name, err)
	}
	return appendPython(nil, v), nil
}
