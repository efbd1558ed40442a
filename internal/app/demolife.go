package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"erpgraph/internal/frappe"
)

// Bounds of what the demo's life leaves behind: beyond them the oldest goes.
const (
	lifeOrders = 30
	lifeToDos  = 10
)

// runLife makes a demo live: once in every, one small thing happens at the simulated
// ERPNext, over REST as any user's change would: an order is written, submitted or put
// away, a price moves, a customer's details change, a task is noted or done. What happens
// is the same at each run. The caller must be able to read customers and prices; what else
// it may not do is left out, such as the change of a price, which takes a manager of master
// data. It returns nil once ctx has ended, and an error if the site can't be read to begin
// with.
func runLife(ctx context.Context, client *frappe.Client, cred frappe.Credential, every time.Duration, log *slog.Logger) error {
	l := newLife(client, cred)
	if err := l.look(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("look around for the demo's life: %w", err)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := l.step(ctx); err != nil && ctx.Err() == nil {
			log.DebugContext(ctx, "demo life", "error", err)
		}
	}
}

// life is what the demo's life knows of the site and has done there.
type life struct {
	client *frappe.Client
	cred   frappe.Credential
	random *rand.Rand
	steps  int

	customers []string
	prices    []lifePrice
	// What it has made and not put away yet, the oldest first.
	drafts, submitted, todos []string
}

// lifePrice is an Item Price as it was at the start: prices move around that.
type lifePrice struct {
	name, item string
	rate       float64
}

func newLife(client *frappe.Client, cred frappe.Credential) *life {
	return &life{client: client, cred: cred, random: rand.New(rand.NewPCG(2026, 11))} //nolint:gosec // G404: a script, the same at each run
}

// look reads which customers and prices there are.
func (l *life) look(ctx context.Context) error {
	customers, err := l.client.List(ctx, l.cred, frappe.ListQuery{
		DocType: "Customer", Columns: []frappe.Column{{Field: "name"}}, OrderBy: []frappe.Order{{Field: "name"}}, Limit: 40,
		Filters: []frappe.Filter{{Field: "disabled", Op: frappe.OpEq, Value: 0}},
	})
	if err != nil {
		return fmt.Errorf("list customers: %w", err)
	}
	for _, row := range customers.Rows {
		var name string
		if err := json.Unmarshal(row[0], &name); err != nil {
			return fmt.Errorf("list customers: %w", err)
		}
		l.customers = append(l.customers, name)
	}
	prices, err := l.client.List(ctx, l.cred, frappe.ListQuery{
		DocType: "Item Price", Columns: []frappe.Column{{Field: "name"}, {Field: "item_code"}, {Field: "price_list_rate"}},
		OrderBy: []frappe.Order{{Field: "name"}}, Limit: 40,
		Filters: []frappe.Filter{{Field: "selling", Op: frappe.OpEq, Value: 1}, {Field: "price_list_rate", Op: frappe.OpGt, Value: 0}},
	})
	if err != nil {
		return fmt.Errorf("list prices: %w", err)
	}
	for _, row := range prices.Rows {
		var p lifePrice
		for i, into := range []any{&p.name, &p.item, &p.rate} {
			if err := json.Unmarshal(row[i], into); err != nil {
				return fmt.Errorf("list prices: %w", err)
			}
		}
		l.prices = append(l.prices, p)
	}
	if len(l.customers) == 0 || len(l.prices) == 0 {
		return fmt.Errorf("no customers or no prices")
	}
	return nil
}

// step makes the next thing happen. Orders come first, so that a newcomer's subscription
// has something to show.
func (l *life) step(ctx context.Context) error {
	script := [...]func(context.Context) error{l.order, l.reprice, l.details, l.submit, l.order, l.reprice, l.note, l.details, l.tidy}
	next := script[l.steps%len(script)]
	l.steps++
	return next(ctx)
}

// order writes a draft for some customer.
func (l *life) order(ctx context.Context) error {
	var items []map[string]any
	for range 1 + l.random.IntN(3) {
		items = append(items, map[string]any{"item_code": pick(l.random, l.prices).item, "qty": 1 + l.random.IntN(9)})
	}
	w, err := l.client.Insert(ctx, l.cred, "Sales Order", map[string]any{
		"customer":      pick(l.random, l.customers),
		"delivery_date": time.Now().AddDate(0, 0, 7+l.random.IntN(21)).Format(time.DateOnly),
		"items":         items,
	})
	if err != nil {
		return fmt.Errorf("write an order: %w", err)
	}
	l.drafts = append(l.drafts, w.Name)
	return nil
}

// submit submits its oldest draft.
func (l *life) submit(ctx context.Context) error {
	name, ok := takeFirst(&l.drafts)
	if !ok {
		return nil
	}
	if _, err := l.client.Update(ctx, l.cred, "Sales Order", name, map[string]any{"docstatus": 1}); err != nil {
		return fmt.Errorf("submit an order: %w", err)
	}
	l.submitted = append(l.submitted, name)
	return nil
}

// reprice moves a price by up to a tenth of what it was at the start.
func (l *life) reprice(ctx context.Context) error {
	p := pick(l.random, l.prices)
	rate := math.Round(p.rate*(0.9+0.2*l.random.Float64())*100) / 100
	if _, err := l.client.Update(ctx, l.cred, "Item Price", p.name, map[string]any{"price_list_rate": rate}); err != nil {
		return fmt.Errorf("change a price: %w", err)
	}
	return nil
}

// details notes something about a customer.
func (l *life) details(ctx context.Context) error {
	notes := []string{"Asked for a call back", "Pays on time", "Wants deliveries before noon", "Visits the fair in spring", "Prefers e-mail"}
	if _, err := l.client.Update(ctx, l.cred, "Customer", pick(l.random, l.customers), map[string]any{"customer_details": pick(l.random, notes)}); err != nil {
		return fmt.Errorf("change a customer: %w", err)
	}
	return nil
}

// note notes what is to be done about a customer.
func (l *life) note(ctx context.Context) error {
	w, err := l.client.Insert(ctx, l.cred, "ToDo", map[string]any{
		"description":    pick(l.random, []string{"Call about the delivery", "Send the new price list", "Ask for the tax number"}),
		"reference_type": "Customer", "reference_name": pick(l.random, l.customers),
	})
	if err != nil {
		return fmt.Errorf("note a task: %w", err)
	}
	l.todos = append(l.todos, w.Name)
	return nil
}

// tidy puts away what is too much: tasks and drafts are deleted, submitted orders are
// cancelled before that.
func (l *life) tidy(ctx context.Context) error {
	if len(l.todos) > lifeToDos {
		name, _ := takeFirst(&l.todos)
		if _, err := l.client.Delete(ctx, l.cred, "ToDo", name); err != nil {
			return fmt.Errorf("delete a task: %w", err)
		}
	}
	for len(l.drafts)+len(l.submitted) > lifeOrders {
		name, wasSubmitted := takeFirst(&l.submitted)
		if !wasSubmitted {
			name, _ = takeFirst(&l.drafts)
		} else if _, err := l.client.Update(ctx, l.cred, "Sales Order", name, map[string]any{"docstatus": 2}); err != nil {
			return fmt.Errorf("cancel an order: %w", err)
		}
		if _, err := l.client.Delete(ctx, l.cred, "Sales Order", name); err != nil {
			return fmt.Errorf("delete an order: %w", err)
		}
	}
	return nil
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

// takeFirst takes the first off a list; false if there is none.
func takeFirst(list *[]string) (string, bool) {
	if len(*list) == 0 {
		return "", false
	}
	first := (*list)[0]
	*list = (*list)[1:]
	return first, true
}
