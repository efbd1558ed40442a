package setup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/frappe"
)

// webhookPlan is what differs between the Webhooks on a site and the wanted ones.
type webhookPlan struct {
	// changes are those to be created and changed; right is how many are as they should be.
	changes []change
	right   int
	// removals are the names of erpgraph's that nothing needs any more.
	removals []string
	// left are the names of those that have a name of erpgraph's, and may be somebody's.
	left []string
	// old tells that some sign by another secret than the newest.
	old bool
}

// empty tells whether there is nothing to write.
func (p webhookPlan) empty() bool { return len(p.changes) == 0 && len(p.removals) == 0 }

// webhookPlan compares the site's Webhooks with the wanted ones, in two calls however many
// there are.
func (s site) webhookPlan(ctx context.Context, w webhooks, doctypes []WatchedDocType) (webhookPlan, error) {
	wanted, err := w.wanted(doctypes)
	if err != nil {
		return webhookPlan{}, err
	}
	there, err := s.webhooks(ctx)
	if err != nil {
		return webhookPlan{}, err
	}
	var plan webhookPlan
	needed := make(map[string]bool)
	for _, d := range wanted {
		name := d.find["name"]
		needed[name] = true
		c := change{document: d, current: there[name]}
		if c.current != nil {
			c.name = name
		}
		if c.fields, err = d.compare(c.current); err != nil {
			return webhookPlan{}, err
		}
		if c.current != nil {
			c = w.key.secretWritten(c)
			plan.old = plan.old || keyID(c.current[fieldHeaders]) != w.key.id()
		}
		if c.empty() {
			plan.right++
			continue
		}
		plan.changes = append(plan.changes, c)
	}
	plan.removals, plan.left = w.others(there, needed)
	return plan, nil
}

// removeWebhooks is the plan that takes all of erpgraph's Webhooks back.
func (s site) removeWebhooks(ctx context.Context, w webhooks) (webhookPlan, error) {
	there, err := s.webhooks(ctx)
	if err != nil {
		return webhookPlan{}, err
	}
	var plan webhookPlan
	plan.removals, plan.left = w.others(there, nil)
	return plan, nil
}

// others sorts the Webhooks that have a name of erpgraph's and are not needed: those to be
// removed, and those that may be somebody else's, because they send to another address.
// Where no address is known, the mark of erpgraph's setup tells.
func (w webhooks) others(there map[string]map[string]jsontext.Value, needed map[string]bool) (ours, left []string) {
	for name, hook := range there {
		if needed[name] || !w.named(name, text(hook["webhook_doctype"]), text(hook["webhook_docevent"])) {
			continue
		}
		if text(hook["request_url"]) == w.url || w.url == "" && keyID(hook[fieldHeaders]) != "" {
			ours = append(ours, name)
		} else {
			left = append(left, name)
		}
	}
	slices.Sort(ours)
	slices.Sort(left)
	return ours, left
}

// webhooks reads all Webhooks of the site, by name, with the fields that setup keeps.
func (s site) webhooks(ctx context.Context) (map[string]map[string]jsontext.Value, error) {
	q := frappe.ListQuery{DocType: doctypeWebhook, Columns: []frappe.Column{{Field: "name"}, {Field: "modified"}}}
	for _, field := range (webhooks{}).document("", webhookEvent{}).fields {
		if field.name != fieldHeaders {
			q.Columns = append(q.Columns, frappe.Column{Field: field.name})
		}
	}
	table, err := s.upstream.List(ctx, s.credential, q)
	if err != nil {
		return nil, fmt.Errorf("list the Webhooks: %w", err)
	}
	headers, err := s.webhookHeaders(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]map[string]jsontext.Value, len(table.Rows))
	for _, row := range table.Rows {
		hook := make(map[string]jsontext.Value, len(row)+1)
		for i, column := range q.Columns {
			hook[column.Field] = row[i]
		}
		name := text(hook["name"])
		if hook[fieldHeaders], err = json.Marshal(headers[name]); err != nil {
			return nil, fmt.Errorf("the headers of the Webhook %q: %w", name, err)
		}
		all[name] = hook
	}
	return all, nil
}

// webhookHeaders reads the rows of all tables of headers at once, by the Webhook's name.
func (s site) webhookHeaders(ctx context.Context) (map[string][]header, error) {
	table, err := s.upstream.List(ctx, s.credential, frappe.ListQuery{
		DocType: "Webhook Header", Parent: doctypeWebhook,
		Columns: []frappe.Column{{Field: "parent"}, {Field: "idx"}, {Field: "key"}, {Field: "value"}},
		Filters: []frappe.Filter{{Field: "parenttype", Op: frappe.OpEq, Value: doctypeWebhook}},
	})
	if err != nil {
		return nil, fmt.Errorf("list the headers of the Webhooks: %w", err)
	}
	type place struct {
		idx int
		header
	}
	rows := make(map[string][]place)
	for _, row := range table.Rows {
		p := place{header: header{Key: text(row[2]), Value: text(row[3])}}
		_ = json.Unmarshal(row[1], &p.idx) // without a number they stay as they came
		rows[text(row[0])] = append(rows[text(row[0])], p)
	}
	all := make(map[string][]header, len(rows))
	for name, places := range rows {
		slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.idx, b.idx) })
		for _, p := range places {
			all[name] = append(all[name], p.header)
		}
	}
	return all, nil
}
