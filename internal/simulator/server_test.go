package simulator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/simulator"
)

// demoServer is the demo behind a real listener, with a client.
func demoServer(t *testing.T) (*simulator.Server, *client) {
	t.Helper()
	o, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(web.Close)
	return s, &client{base: web.URL, http: web.Client()}
}

type client struct {
	base string
	http *http.Client
}

// do sends a request as the user of a key; a body is sent as JSON.
func (c *client) do(t *testing.T, method, key, path string, body any) (int, map[string]any) {
	t.Helper()
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = strings.NewReader(string(raw))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+key+":demo")
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatalf("%s %s: %d: %v", method, path, res.StatusCode, err)
	}
	return res.StatusCode, out
}

// list answers the names of a list.
func (c *client) list(t *testing.T, key string, args map[string]any) []string {
	t.Helper()
	status, out := c.do(t, http.MethodPost, key, "/api/method/frappe.client.get_list", args)
	if status != http.StatusOK {
		t.Fatalf("status %d: %v", status, out)
	}
	rows, _ := out["message"].([]any)
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i], _ = r.(map[string]any)["name"].(string)
	}
	return names
}

func TestDemo(t *testing.T) {
	t.Parallel()
	_, c := demoServer(t)

	t.Run("users", func(t *testing.T) {
		for key, want := range map[string]string{
			"admin": "Administrator", "sales": "sales@example.com", "north": "sales-north@example.com", "manager": "manager@example.com",
			"stock": "stock@example.com", "nobody": "nobody@example.com", "service": "svc-full@example.com",
		} {
			if _, out := c.do(t, http.MethodGet, key, "/api/method/frappe.auth.get_logged_user", nil); out["message"] != want {
				t.Errorf("%s: %v, want %s", key, out, want)
			}
		}
	})
	t.Run("documents", func(t *testing.T) {
		for doctype, least := range map[string]int{
			"Customer": 100, "Item": 150, "Sales Order": 200, "Sales Invoice": 60, "Quotation": 10, "Delivery Note": 10, "Purchase Order": 30,
			"Supplier": 50, "Address": 30, "Contact": 30, "Territory": 13, "Lead": 8, "Opportunity": 8, "Project": 3, "Task": 10, "Issue": 10, "Brand": 3,
			"Item Price": 100, "Bin": 50, "Warehouse": 8, "Company": 1, "Currency": 100, "UOM": 100, "User": 10, "File": 5, "Comment": 50, "ToDo": 10,
		} {
			names := c.list(t, "admin", map[string]any{"doctype": doctype, "limit_page_length": 0})
			if len(names) < least {
				t.Errorf("%d of %s, want %d", len(names), doctype, least)
			}
		}
	})
	t.Run("territories", func(t *testing.T) {
		all := c.list(t, "sales", map[string]any{"doctype": "Customer", "limit_page_length": 0})
		north := c.list(t, "north", map[string]any{"doctype": "Customer", "limit_page_length": 0})
		if len(north) == 0 || len(north) >= len(all) {
			t.Errorf("north sees %d of %d customers", len(north), len(all))
		}
	})
}

// TestDemoLinks checks that no link of the demo leads nowhere.
func TestDemoLinks(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	names := func(doctype string) []string { return s.Names(doctype) }
	for _, doctype := range []string{"Sales Order", "Sales Invoice", "Quotation", "Delivery Note", "Purchase Order", "Customer", "Address", "Item"} {
		_, meta := c.do(t, http.MethodGet, "admin", "/api/method/frappe.desk.form.load.getdoctype?doctype="+url.QueryEscape(doctype), nil)
		docs, _ := meta["docs"].([]any)
		links := make(map[string]map[string]string)
		for _, d := range docs {
			m, _ := d.(map[string]any)
			fields, _ := m["fields"].([]any)
			kind, _ := m["name"].(string)
			links[kind] = make(map[string]string)
			for _, f := range fields {
				field, _ := f.(map[string]any)
				target, _ := field["options"].(string)
				if name, _ := field["fieldname"].(string); field["fieldtype"] == "Link" && len(names(target)) > 0 {
					links[kind][name] = target
				}
			}
		}
		var check func(doc map[string]any)
		check = func(doc map[string]any) {
			kind, _ := doc["doctype"].(string)
			for field, target := range links[kind] {
				if v, _ := doc[field].(string); v != "" && !slices.Contains(names(target), v) {
					t.Errorf("%s %v: %s leads to %s %q, which is not there", kind, doc["name"], field, target, v)
				}
			}
			for _, v := range doc {
				rows, _ := v.([]any)
				for _, r := range rows {
					if row, ok := r.(map[string]any); ok {
						check(row)
					}
				}
			}
		}
		for _, name := range names(doctype) {
			_, out := c.do(t, http.MethodGet, "admin", "/api/resource/"+url.PathEscape(doctype)+"/"+url.PathEscape(name), nil)
			doc, _ := out["data"].(map[string]any)
			check(doc)
		}
	}
}

func TestChangesBetweenPages(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	args := map[string]any{"doctype": "Brand", "order_by": "name asc", "limit_page_length": 2}
	if diff := cmp.Diff([]string{"Halden", "Orrin"}, c.list(t, "admin", args)); diff != "" {
		t.Fatal(diff)
	}
	if err := s.Insert("Brand", map[string]any{"name": "Almo", "brand": "Almo"}); err != nil {
		t.Fatal(err)
	}
	args["limit_start"] = 2
	if diff := cmp.Diff([]string{"Orrin", "Vesta"}, c.list(t, "admin", args)); diff != "" {
		t.Errorf("second page after an insert: %s", diff)
	}
	if err := s.Delete("Brand", "almo"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Vesta"}, c.list(t, "admin", args)); diff != "" {
		t.Errorf("second page after the deletion: %s", diff)
	}
	if err := s.Update("Brand", map[string]any{"name": "Vesta", "description": "changed"}); err != nil {
		t.Fatal(err)
	}
	_, out := c.do(t, http.MethodGet, "admin", "/api/resource/Brand/Vesta", nil)
	if doc, _ := out["data"].(map[string]any); doc["description"] != "changed" {
		t.Errorf("after the update: %v", out)
	}
	for name, err := range map[string]error{
		"update": s.Update("Brand", map[string]any{"name": "Nobody"}),
		"delete": s.Delete("Brand", "Nobody"),
		"insert": s.Insert("No Such DocType", map[string]any{"name": "x"}),
	} {
		if err == nil {
			t.Errorf("%s of what is not there: no error", name)
		}
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	if err := s.AddUser(simulator.User{Name: "ann@example.com", Roles: []string{"Sales User"}, APIKey: "ann", APISecret: "demo"}); err != nil {
		t.Fatal(err)
	}
	customers := func(key string) int {
		return len(c.list(t, key, map[string]any{"doctype": "Customer", "limit_page_length": 0}))
	}
	all := customers("ann")
	if all != customers("admin") {
		t.Fatalf("a sales user sees %d customers, the administrator %d", all, customers("admin"))
	}
	if err := s.AddUserPermission(simulator.UserPermission{User: "ann@example.com", Allow: "Customer", ForValue: "Semi;Colon"}); err != nil {
		t.Fatal(err)
	}
	if n := customers("ann"); n != 1 {
		t.Errorf("restricted to one customer, but sees %d", n)
	}
	status, _ := c.do(t, http.MethodGet, "ann", "/api/resource/Customer/C%23%20Services", nil)
	if status != http.StatusForbidden {
		t.Errorf("another customer: status %d", status)
	}
	if err := s.Share("Customer", "C# Services", "ann@example.com", false); err != nil {
		t.Fatal(err)
	}
	if n := customers("ann"); n != 2 {
		t.Errorf("with one more shared, sees %d", n)
	}
	if status, _ = c.do(t, http.MethodGet, "ann", "/api/resource/Customer/C%23%20Services", nil); status != http.StatusOK {
		t.Errorf("a shared customer: status %d", status)
	}
	if status, _ = c.do(t, http.MethodPut, "ann", "/api/resource/Customer/C%23%20Services", map[string]any{"website": "x"}); status != http.StatusForbidden {
		t.Errorf("writing what is shared for reading: status %d", status)
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	if err := s.RemoveField("Customer", "website"); err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"doctype": "Customer", "fields": []string{"name", "website"}}
	status, out := c.do(t, http.MethodPost, "sales", "/api/method/frappe.client.get_list", args)
	if status != http.StatusExpectationFailed || out["exc_type"] != "DataError" {
		t.Errorf("status %d: %v", status, out)
	}
	meta := `{"name": "Visit", "fields": [{"fieldname": "place", "fieldtype": "Data", "label": "Place"}],
		"permissions": [{"role": "Sales User", "read": 1}]}`
	if err := s.AddDocType([]byte(meta)); err != nil {
		t.Fatal(err)
	}
	if err := s.Insert("Visit", map[string]any{"name": "V-1", "place": "here"}); err != nil {
		t.Fatal(err)
	}
	if names := c.list(t, "sales", map[string]any{"doctype": "Visit"}); !slices.Equal(names, []string{"V-1"}) {
		t.Errorf("a new DocType: %v", names)
	}
	if err := s.AddDocType([]byte(`{"fields": []}`)); err == nil {
		t.Error("metadata without name: no error")
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	c.list(t, "sales", map[string]any{"doctype": "Customer", "filters": []any{[]any{"name", "in", []string{"Semi;Colon", "C# Services", "none"}}}})
	want := []simulator.Call{{
		Method: "POST", Path: "/api/method/frappe.client.get_list", DocType: "Customer",
		User: "sales@example.com", Status: 200, Rows: 2, Names: 3,
	}}
	if diff := cmp.Diff(want, s.Calls()); diff != "" {
		t.Error(diff)
	}
	s.ResetCalls()
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d calls after the reset", n)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	get := func(t *testing.T, c *client) (*http.Response, []byte, error) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/api/resource/Customer", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer sales-demo-token")
		res, err := c.http.Do(req)
		if err != nil {
			return nil, nil, fmt.Errorf("get: %w", err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res, body, err
	}
	for _, tt := range []struct {
		name  string
		fault simulator.Fault
		check func(t *testing.T, res *http.Response, body []byte, err error)
	}{
		{"RateLimit", simulator.Fault{Status: 429, RetryAfter: "3"}, func(t *testing.T, res *http.Response, _ []byte, err error) {
			if err != nil || res.StatusCode != 429 || res.Header.Get("Retry-After") != "3" {
				t.Errorf("%v, %v", res, err)
			}
		}},
		{"HTML", simulator.Fault{Status: 502, ContentType: "text/html", Body: "<h1>Bad Gateway</h1>"}, func(t *testing.T, res *http.Response, body []byte, err error) {
			if err != nil || res.StatusCode != 502 || !strings.HasPrefix(string(body), "<h1>") {
				t.Errorf("%v, %s, %v", res, body, err)
			}
		}},
		{"HalfABody", simulator.Fault{Status: 200, Body: `{"data": [1, 2]}`, Cut: true}, func(t *testing.T, _ *http.Response, body []byte, err error) {
			if !errors.Is(err, io.ErrUnexpectedEOF) || string(body) != `{"data":` {
				t.Errorf("%q, %v", body, err)
			}
		}},
		{"Drop", simulator.Fault{Drop: true}, func(t *testing.T, _ *http.Response, _ []byte, err error) {
			if err == nil {
				t.Error("no error")
			}
		}},
		{"Latency", simulator.Fault{Latency: time.Millisecond}, func(t *testing.T, res *http.Response, _ []byte, err error) {
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("%v, %v", res, err)
			}
		}},
		{"OtherDocType", simulator.Fault{DocType: "Item", Status: 500}, func(t *testing.T, res *http.Response, _ []byte, err error) {
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("%v, %v", res, err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c := demoServer(t)
			tt.fault.Count = 1
			s.SetFault(tt.fault)
			res, body, err := get(t, c)
			tt.check(t, res, body, err)
			s.ClearFaults()
			if res, _, err := get(t, c); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("after the fault: %v, %v", res, err)
			}
		})
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 10 {
				c.list(t, "sales", map[string]any{"doctype": "Sales Order", "order_by": "customer asc", "limit_page_length": 5})
				if err := s.Insert("Brand", map[string]any{"name": fmt.Sprintf("Brand %d-%d", i, j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(s.Names("Brand")); n != 43 {
		t.Errorf("%d brands, want 43", n)
	}
}

// TestSelect is about roles that may only look documents up.
func TestSelect(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	if err := s.AddUser(simulator.User{Name: "desk@example.com", APIKey: "desk", APISecret: "demo"}); err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"doctype": "Item", "fields": []string{"name", "item_name", "owner", "stock_uom"}, "limit_page_length": 1}
	status, out := c.do(t, http.MethodPost, "desk", "/api/method/frappe.client.get_list", args)
	rows, _ := out["message"].([]any)
	if status != http.StatusOK || len(rows) != 1 {
		t.Fatalf("%d: %v", status, out)
	}
	if row, _ := rows[0].(map[string]any); len(row) != 2 || row["item_name"] == nil {
		t.Errorf("a row for links: %v", row)
	}
	if status, _ := c.do(t, http.MethodGet, "desk", "/api/resource/Item/"+url.PathEscape(s.Names("Item")[0]), nil); status != http.StatusForbidden {
		t.Errorf("the document itself: %d", status)
	}
}
