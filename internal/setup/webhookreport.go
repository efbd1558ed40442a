package setup

import (
	"fmt"
	"strings"
)

// noWebhooks tells why none are made.
func (r report) noWebhooks(public string) {
	r.linef("Webhooks: left out, for the site can't reach %s, which is this machine's own; --webhook-url says where it finds erpgraph", public)
}

// webhooks tells of a plan. There are hundreds of Webhooks, so what is alike is told once.
func (r report) webhooks(h *hooks) {
	title := "Webhooks"
	if h.url != "" {
		title += " to " + quoted(h.url)
	}
	if h.plan.empty() {
		r.linef("%s: nothing to change", title)
	} else {
		created, changed := h.plan.split()
		r.linef("%s: %d to be created, %d to be changed, %d to be removed, %d as they should be",
			title, len(created), len(changed), len(h.plan.removals), h.plan.right)
		r.created(created)
		r.changed(changed)
		if names := h.plan.removals; len(names) > 0 {
			r.linef("  remove %s", fewOf(names))
		}
		if h.made && !h.rotated && len(changed) > 0 {
			r.linef("  nobody told which secret they have, so they get a new one; give %s to keep it", settingHooks)
		}
	}
	for _, name := range h.plan.left {
		r.linef("  left alone, though it has a name of erpgraph's, for it sends elsewhere or was not made by setup: %s", quoted(name))
	}
}

// fewOf lists names, not all where there are many: dozens are as many as a person reads.
func fewOf(names []string) string {
	const few = 24
	if n := len(names) - few; n > 0 {
		return fmt.Sprintf("%s and %d more", quotedList(names[:few]), n)
	}
	return quotedList(names)
}

// split tells the documents that are new from those that are there.
func (p webhookPlan) split() (created, changed []change) {
	for _, c := range p.changes {
		if c.name == "" {
			created = append(created, c)
		} else {
			changed = append(changed, c)
		}
	}
	return created, changed
}

// created lists events by DocType.
func (r report) created(changes []change) {
	var doctypes []string
	events := make(map[string][]string)
	for _, c := range changes {
		doctype, event := c.wants("webhook_doctype"), c.wants("webhook_docevent")
		if events[doctype] == nil {
			doctypes = append(doctypes, doctype)
		}
		events[doctype] = append(events[doctype], event)
	}
	for _, doctype := range doctypes {
		r.linef("  create for %s: %s", doctype, strings.Join(events[doctype], ", "))
	}
}

// wants is the text that a field is to get.
func (c change) wants(name string) string {
	for _, f := range c.fields {
		if s, ok := f.value.(string); ok && f.name == name {
			return s
		}
	}
	return ""
}

// changed lists fields, each old → new, with the Webhook or how many have the same.
func (r report) changed(changes []change) {
	var lines []string
	names := make(map[string][]string)
	for _, c := range changes {
		for _, f := range c.fields {
			line := fmt.Sprintf("%s: %s → %s", f.name, f.old, f.new)
			if names[line] == nil {
				lines = append(lines, line)
			}
			names[line] = append(names[line], quoted(c.name))
		}
	}
	for _, line := range lines {
		who := names[line][0]
		if n := len(names[line]); n > 1 {
			who = fmt.Sprintf("%d of them", n)
		}
		r.linef("  change %s (%s)", line, who)
	}
}

func (r report) progress(done, of int) { r.linef("  %d of %d Webhooks", done, of) }

func (r report) webhooksWritten(h *hooks) {
	r.linef("Webhooks: %d written, %d removed", len(h.plan.changes), len(h.plan.removals))
	if h.made {
		r.linef("  start serve anew with the new %s: till then it refuses what ERPNext sends", settingHooks)
	}
}

// oldSecrets tells when the list of secrets can be cut.
func (r report) oldSecrets(h *hooks) {
	if n := len(h.secrets) - 1; n > 0 {
		r.linef("%s: only the first is in use; drop the rest (%d) once each serve has had this list for a day, for ERPNext may send again what it signed before; if one became known, drop it at once",
			settingHooks, n)
	}
}
