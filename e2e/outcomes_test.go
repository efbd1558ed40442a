package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/simulator"
)

// outcomes tells what became of each field.
func (a answer) outcomes() map[string]string {
	out := map[string]string{}
	for _, o := range a.Extensions.Outcomes {
		out[o.Field] = o.Outcome
	}
	return out
}

// afterwards carries requests out and then cuts the connection, while armed.
func afterwards(armed *atomic.Bool, paths ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			write := slices.ContainsFunc(paths, func(p string) bool { return strings.Contains(r.URL.Path, p) })
			if !armed.Load() || r.Method == http.MethodGet || !write {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}
}

// A write whose answer never came may have been made: the error says so, and so does the
// field's outcome. A retry under its key finds it, and writes nothing twice; what can't be
// found out about stays unknown.
func TestAnswersThatNeverCame(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	b := setup(t, options{between: afterwards(&armed, "/api/resource/", "frappe.client.delete", "rename_doc", "add_comment")})
	mutation := `mutation {
		create: createCustomer(input: { customerName: "Cut One" }) @idempotent(key: "k1") { name }
		noKey: createCustomer(input: { customerName: "Cut Two" }) { name }
		comment: addComment(doctype: "Customer", name: "Semi;Colon", content: "x") @idempotent(key: "k2") { messages }
		update: updateCustomer(name: "Semi;Colon", input: { website: "https://cut.example.com" }) @idempotent(key: "k3") { customer { website } }
		delete: deleteBrand(name: "Cut Brand") @idempotent(key: "k4") { name }
		local: createServiceContract(input: { customer: "Semi;Colon", item: "ITEM-00010", startDate: "2026-01-01" }) @idempotent(key: "k5") { id }
		bulk: createCustomers(inputs: [{ customerName: "Cut Three" }, { customerName: "Cut Four" }]) @idempotent(key: "k6") { results { name error { code uncertain } } }
		rename: renameCustomer(name: "C# Services", to: "C Services") @idempotent(key: "k7") { name }
	}`
	if err := b.site.Insert("Brand", doc{"name": "Cut Brand", "brand": "Cut Brand"}); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	got := b.query(t, admin, mutation, nil)
	outcomes := got.outcomes()
	delete(outcomes, "bulk") // its rows have outcomes of their own
	want := map[string]string{
		"create": "UNKNOWN", "noKey": "UNKNOWN", "comment": "UNKNOWN", "update": "UNKNOWN", "delete": "UNKNOWN", "local": "DONE", "rename": "UNKNOWN",
	}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Errorf("outcomes: %s\n%s", diff, got.raw)
	}
	for _, e := range got.Errors {
		if e.Extensions["code"] != "UPSTREAM_UNAVAILABLE" || e.Extensions["uncertain"] != true {
			t.Errorf("%v: %v", e.Path, e.Extensions)
		}
	}
	armed.Store(false)
	for range 2 {
		b.site.ResetCalls()
		got = b.query(t, admin, mutation, nil)
		var data struct {
			Create, Update, Delete, Local, Rename doc
			Bulk                                  struct{ Results []doc }
		}
		if err := json.Unmarshal(got.Data, &data); err != nil {
			t.Fatal(err)
		}
		if data.Create["name"] != "Cut One" || data.Delete["name"] != "Cut Brand" || data.Rename["name"] != "C Services" ||
			part(data.Update, "customer")["website"] != "https://cut.example.com" || data.Local["id"] == nil {
			t.Errorf("found: %s", got.raw)
		}
		for i, name := range []string{"Cut Three", "Cut Four"} {
			if r := data.Bulk.Results[i]; r["name"] != name || r["error"] != nil {
				t.Errorf("row %d: %v", i, r)
			}
		}
		if got.Errors[0].Path[0] != "comment" || got.codes()[0] != "CONFLICT" || got.Errors[0].Extensions["uncertain"] != true || len(got.Errors) != 1 {
			t.Errorf("errors: %s", got.raw)
		}
	}
	// The one without a key is a new one each time.
	if n := b.customersNamed(t, "Cut "); n != 6 {
		t.Errorf("%d customers, want 6", n)
	}
}

// writes are the calls of the site that change it.
func writes(site *simulator.Server) (out []string) {
	for _, call := range site.Calls() {
		if call.Method != http.MethodGet && !slices.ContainsFunc([]string{"get_list", "has_permission", "get_transitions"}, func(read string) bool { return strings.Contains(call.Path, read) }) {
			out = append(out, call.Method+" "+call.Path)
		}
	}
	return out
}

// Each kind of mutation is made once under a key, and answers a retry alike.
func TestKeyOfEachKind(t *testing.T) {
	t.Parallel()
	s := contractBundle(t)
	name := func() any { return s.do(sales, pending, nil)["name"] }
	submitted := func() any {
		n := name()
		s.do(manager, `mutation($name: String!) { submitSalesOrder(name: $name) { name } }`, doc{"name": n})
		return n
	}
	cancelled := func() any {
		n := submitted()
		s.do(manager, `mutation($name: String!) { cancelSalesOrder(name: $name) { name } }`, doc{"name": n})
		return n
	}
	for kind, tt := range map[string]struct {
		on     func() any
		writes int
		field  string
	}{
		"create":   {nil, 1, `createCustomer(input: { customerName: "Keyed" }) { name messages customer { name creation } }`},
		"bulk":     {nil, 2, `createCustomers(inputs: [{ customerName: "Keyed" }, { customerName: "No", territory: "Nowhere" }]) { results { index name customer { creation } error { code message field } } }`},
		"update":   {name, 1, `updateSalesOrder(name: $name, input: { poNo: "K" }) { salesOrder { poNo modified } }`},
		"submit":   {name, 1, `submitSalesOrder(name: $name) { salesOrder { docstatus modified } }`},
		"cancel":   {submitted, 1, `cancelSalesOrder(name: $name) { salesOrder { docstatus modified } }`},
		"amend":    {cancelled, 1, `amendSalesOrder(name: $name, input: { poNo: "A" }) { name salesOrder { poNo creation } }`},
		"delete":   {name, 1, `deleteSalesOrder(name: $name) { id doctype name messages }`},
		"workflow": {name, 1, `applySalesOrderWorkflow(name: $name, action: "Approve") { salesOrder { docstatus modified } }`},
		"method":   {nil, 1, `addComment(doctype: "Customer", name: "Semi;Colon", content: "once") { comment { name creation } }`},
	} {
		variables := doc{}
		query := "mutation { " + tt.field + " }"
		if tt.on != nil {
			variables["name"] = tt.on()
			query = "mutation($name: String!) { " + tt.field + " }"
		}
		first := ""
		for try, want := range []int{tt.writes, 0} {
			s.b.site.ResetCalls()
			got := s.b.send(t, admin, query, variables, map[string]string{keyHeader: kind})
			got.into(t, new(any))
			if try == 0 {
				first = string(got.Data)
			} else if string(got.Data) != first {
				t.Errorf("%s: first %s, then %s", kind, first, got.Data)
			}
			if made := writes(s.b.site); len(made) != want {
				t.Errorf("%s, try %d: wrote %v, want %d", kind, try+1, made, want)
			}
		}
		if got := s.b.send(t, admin, strings.Replace(query, "mutation", "mutation Other", 1), variables, map[string]string{keyHeader: kind}); len(got.Errors) > 0 {
			t.Errorf("%s: another text of the same request: %s", kind, got.raw)
		}
	}
}
