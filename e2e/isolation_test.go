package e2e_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"erpgraph/internal/simulator"
)

// 50 callers, each of whom may see customers of his own only, ask 1,000 times at once.
// Every row of every answer must be one that its caller may see: through lists, counts,
// links, child rows, reverse links, aggregates, by name, and by node.
func TestCallersNeverMix(t *testing.T) {
	t.Parallel()
	const (
		users    = 50
		requests = 1000
		each     = 3 // customers for each user
	)
	b := setup(t, options{signIn: true})
	all := b.restList(t, admin, "Customer", []string{"name"}, nil)
	orders := b.restList(t, admin, "Sales Order", []string{"name", "customer"}, nil)
	type caller struct {
		credential        string
		customers, orders []string
	}
	var people []caller
	for u := range users {
		p := caller{credential: fmt.Sprintf("token key%02d:secret%02d", u, u)}
		user := fmt.Sprintf("user%02d@example.com", u)
		if err := b.site.AddUser(simulator.User{
			Name: user, Roles: []string{"Sales User"}, APIKey: fmt.Sprintf("key%02d", u), APISecret: fmt.Sprintf("secret%02d", u), Password: password,
		}); err != nil {
			t.Fatal(err)
		}
		for _, c := range all[u*each : (u+1)*each] {
			p.customers = append(p.customers, c.text("name"))
			if err := b.site.AddUserPermission(simulator.UserPermission{User: user, Allow: "Customer", ForValue: c.text("name")}); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range orders {
			if slices.Contains(p.customers, o.text("customer")) {
				p.orders = append(p.orders, o.text("name"))
			}
		}
		if u%5 == 0 { // some have signed in
			p.credential = b.signIn(t, user).credential(t)
		}
		people = append(people, p)
	}

	const query = `query($other: String!, $own: String!, $otherID: ID!) {
		me { user }
		customers(first: 10, orderBy: [{field: NAME}]) { totalCount nodes { name customerName salesOrders(first: 20) { totalCount nodes { name customer { customerName } } } } }
		salesOrders(first: 50) { totalCount nodes { name customer { customerName territory { territoryName } } items { itemName } } }
		salesOrdersAggregate { count }
		other: customer(name: $other) { customerName }
		own: customer(name: $own) { customerName }
		node(id: $otherID) { ... on Customer { customerName } }
	}`
	b.site.ResetCalls()
	var done atomic.Int64
	t.Cleanup(func() {
		if n := len(b.site.Calls()); done.Load() != requests || n < requests {
			t.Errorf("%d requests made %d calls", done.Load(), n)
		}
	})
	const workers = 16
	for w := range workers {
		t.Run(fmt.Sprintf("worker %d", w), func(t *testing.T) {
			t.Parallel()
			for i := w; i < requests; i += workers {
				p, other := people[i%users], people[(i+1+i/users%(users-1))%users]
				got := b.query(t, p.credential, query, map[string]any{
					"other": other.customers[0], "own": p.customers[1], "otherID": globalID("Customer", other.customers[2]),
				})
				if err := checkOwn(t, got, fmt.Sprintf("user%02d@example.com", i%users), p.customers, p.orders); err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				done.Add(1)
			}
		})
	}
}

// checkOwn holds an answer against what its caller may see.
func checkOwn(tb testing.TB, got answer, user string, customers, orders []string) error {
	tb.Helper()
	type order struct {
		Name     string
		Customer struct{ CustomerName string }
		Items    []row
	}
	var data struct {
		Me        struct{ User string }
		Customers struct {
			TotalCount int
			Nodes      []struct {
				Name        string
				SalesOrders struct {
					TotalCount int
					Nodes      []order
				}
			}
		}
		SalesOrders struct {
			TotalCount int
			Nodes      []order
		}
		SalesOrdersAggregate []struct{ Count int }
		Other, Own, Node     *struct{ CustomerName string }
	}
	codes := got.codes()
	got.Errors = nil
	got.into(tb, &data)
	var seen, listed []string
	for _, c := range data.Customers.Nodes {
		seen = append(seen, c.Name)
		for _, o := range c.SalesOrders.Nodes {
			if !slices.Contains(orders, o.Name) || o.Customer.CustomerName != c.Name {
				return fmt.Errorf("order %s of %s below %s", o.Name, o.Customer.CustomerName, c.Name)
			}
		}
		if c.SalesOrders.TotalCount != len(c.SalesOrders.Nodes) {
			return fmt.Errorf("%d orders of %s, counted %d", len(c.SalesOrders.Nodes), c.Name, c.SalesOrders.TotalCount)
		}
	}
	for _, o := range data.SalesOrders.Nodes {
		listed = append(listed, o.Name)
		if !slices.Contains(customers, o.Customer.CustomerName) || len(o.Items) == 0 {
			return fmt.Errorf("order %s: customer %q, %d rows", o.Name, o.Customer.CustomerName, len(o.Items))
		}
	}
	slices.Sort(seen)
	slices.Sort(listed)
	want := slices.Sorted(slices.Values(customers))
	switch {
	case data.Me.User != user:
		return fmt.Errorf("me is %q, want %q", data.Me.User, user)
	case !slices.Equal(seen, want) || data.Customers.TotalCount != len(want):
		return fmt.Errorf("%s sees customers %v (%d), may see %v", user, seen, data.Customers.TotalCount, want)
	case !slices.Equal(listed, orders) || data.SalesOrders.TotalCount != len(orders):
		return fmt.Errorf("%s sees orders %v (%d), may see %v", user, listed, data.SalesOrders.TotalCount, orders)
	case len(data.SalesOrdersAggregate) != 1 || data.SalesOrdersAggregate[0].Count != len(orders):
		return fmt.Errorf("%s counts %v orders, may see %d", user, data.SalesOrdersAggregate, len(orders))
	case data.Other != nil || data.Node != nil:
		return fmt.Errorf("%s reads another's customer: %v, %v", user, data.Other, data.Node)
	case data.Own == nil:
		return fmt.Errorf("%s can't read a customer of his own", user)
	case !slices.Equal(codes, []string{"FORBIDDEN", "FORBIDDEN"}):
		return fmt.Errorf("codes %v, want FORBIDDEN for another's customer, twice", codes)
	}
	return nil
}
