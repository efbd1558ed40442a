package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"erpgraph/internal/engine"
)

// Of writers who know the same state one wins.
func TestSameIfModifiedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	s := story{t, b}
	customer := part(s.do(manager, `mutation { createCustomer(input: { customerName: "Raced", customerGroup: "Retail", territory: "East" }) { customer { name modified } } }`, nil), "customer")
	row := part(s.do(manager, createContract, map[string]any{"input": contract("Semi;Colon")}), "serviceContract")
	for name, tt := range map[string]struct {
		mutation string
		vars     map[string]any
	}{
		"document": {`mutation($at: DateTime, $v: String) { updateCustomer(name: "Raced", ifModified: $at, input: { website: $v }) { name } }`, map[string]any{"at": customer["modified"]}},
		"row":      {`mutation($id: ID!, $at: DateTime, $v: String) { updateServiceContract(id: $id, ifModified: $at, input: { notes: $v }) { id } }`, map[string]any{"id": row["id"], "at": row["updatedAt"]}},
	} {
		var wg sync.WaitGroup
		var won atomic.Int32
		for i := range 8 {
			wg.Go(func() {
				vars := map[string]any{"v": "https://example.com/" + strings.Repeat("x", i)}
				maps.Copy(vars, tt.vars)
				if got := b.query(t, manager, tt.mutation, vars); len(got.Errors) == 0 {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d of 8 won", name, won.Load())
		}
	}
}

// The rows of other documents, and of other tables, are out of reach.
func TestRowsOfOthers(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	items := func(created map[string]any) (string, []any) {
		rows, _ := part(created, "salesOrder")["items"].([]any)
		return text(created, "name"), rows
	}
	mine, rows := items(s.do(manager, createOrder, map[string]any{"input": order("Semi;Colon")}))
	_, others := items(s.do(manager, createOrder, map[string]any{"input": order("Semi;Colon")}))
	name := func(rows []any, i int) string {
		row, _ := rows[i].(map[string]any)
		return text(row, "name")
	}
	update := `mutation($name: String!, $input: SalesOrderUpdate!) { updateSalesOrder(name: $name, input: $input) { salesOrder { items { name } } } }`
	for what, input := range map[string]map[string]any{
		"another order's": {"items": []any{map[string]any{"name": name(others, 0), "qty": 1}}},
		"twice":           {"items": []any{map[string]any{"name": name(rows, 0)}, map[string]any{"name": name(rows, 0)}}},
		"other case":      {"items": []any{map[string]any{"name": strings.ToUpper(name(rows, 0)) + "X"}}},
		"another table":   {"taxes": []any{map[string]any{"name": name(rows, 0)}}},
		"a new name":      {"items": []any{map[string]any{"name": "mine", "itemCode": "ITEM-00010", "qty": 1}}},
		"empty":           {"items": []any{map[string]any{"name": "", "itemCode": "ITEM-00010", "qty": 1}}},
	} {
		if got := s.b.query(t, manager, update, map[string]any{"name": mine, "input": input}); len(got.Errors) != 1 {
			t.Errorf("%s: %s", what, got.raw)
		}
	}
}

// Values that no column holds are the client's fault, told by field, and never an INTERNAL.
func TestHostileLocalValues(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	good := s.contracted("Semi;Colon")
	create := func(field string, v any) map[string]any {
		in := contract("Semi;Colon")
		in[field] = v
		return map[string]any{"input": in}
	}
	for name, v := range map[string]map[string]any{
		"huge fee":      create("monthlyFee", "1e999"),
		"long fee":      create("monthlyFee", strings.Repeat("9", 60)),
		"tiny fee":      create("monthlyFee", "1e-999"),
		"NaN fee":       create("monthlyFee", "NaN"),
		"nul notes":     create("notes", "a\x00b"),
		"nul customer":  create("customer", "a\x00b"),
		"empty cust":    create("customer", ""),
		"long customer": create("customer", strings.Repeat("x", 5000)),
		"like customer": create("customer", "%"),
		"year 0":        create("startDate", "0000-01-01"),
		"year 9999":     create("startDate", "9999-12-31"),
		"id":            create("id", "x"),
		"createdAt":     create("createdAt", "2026-01-01T00:00:00Z"),
		"updatedAt":     create("updatedAt", "2026-01-01T00:00:00Z"),
		"visits":        create("visits", []any{}),
	} {
		got := s.b.query(t, manager, createContract, v)
		for _, code := range got.codes() {
			if code == "INTERNAL" {
				t.Errorf("%s: %s", name, got.raw)
			}
		}
	}
	for _, id := range []string{"", " ", "\x00", "%", good + " ", strings.ToUpper(good), "{" + good + "}", strings.Repeat("a", 100_000), "../x", "12", "2147483648"} {
		got := s.b.query(t, manager, `mutation($id: ID!) { updateServiceContract(id: $id, input: {notes: "x"}) { id } }`, map[string]any{"id": id})
		for _, code := range got.codes() {
			if code == "INTERNAL" {
				t.Errorf("id %.40q: %s", id, got.raw)
			}
		}
	}
	visit := s.visited(good)
	for name, mutation := range map[string]string{
		"parts":    `mutation($v: ID!) { createServiceVisitPart(input: {visit: $v, item: "ITEM-00010", qty: 1e300}) { id } }`,
		"minutes":  `mutation($v: ID!) { updateServiceVisit(id: $v, input: {durationMinutes: 2147483647}) { id } }`,
		"invoice":  `mutation($v: ID!) { updateServiceVisit(id: $v, input: {invoice: "X"}) { id } }`,
		"state":    `mutation($v: ID!) { updateServiceVisit(id: $v, input: {invoiceState: DONE}) { id } }`,
		"modified": `mutation($v: ID!) { updateServiceVisit(id: $v, ifModified: "9999-12-31T23:59:59.999999Z", input: {summary: "x"}) { id } }`,
		"zone":     `mutation($v: ID!) { updateServiceVisit(id: $v, ifModified: "2026-01-01T00:00:00+99:99", input: {summary: "x"}) { id } }`,
	} {
		got := s.b.query(t, manager, mutation, map[string]any{"v": visit})
		for _, code := range got.codes() {
			if code == "INTERNAL" {
				t.Errorf("%s: %s", name, got.raw)
			}
		}
	}
}

// Names that mean something to an address, and keys that mean something to Frappe.
func TestHostileNamesAndKeys(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	for _, name := range []string{"", ".", "..", "../Customer/Semi;Colon", "/", "a//b", "%2e%2e", "\x00", "\r\nX: y", "?run_method=x", "Semi;Colon?x", strings.Repeat("ä", 10_000)} {
		for _, mutation := range []string{
			`mutation($name: String!) { updateCustomer(name: $name, input: {website: "https://attack.example.com"}) { name } }`,
			`mutation($name: String!) { deleteCustomer(name: $name) { name } }`,
			`mutation($name: String!) { renameCustomer(name: $name, to: "Attacked") { name } }`,
			`mutation($name: String!) { renameCustomer(name: "Semi;Colon", to: $name, merge: true) { name } }`,
			`mutation($name: String!) { submitSalesOrder(name: $name) { name } }`,
		} {
			got := s.b.query(t, manager, mutation, map[string]any{"name": name})
			if len(got.Errors) == 0 || got.codes()[0] == "INTERNAL" || got.codes()[0] == "UPSTREAM_UNAVAILABLE" {
				t.Errorf("%.30q in %.60s: %.300s", name, mutation, got.raw)
			}
		}
	}
	for _, key := range []string{"doctype", "parent", "parenttype", "parentfield", "docstatus", "owner", "creation", "modified", "name", "__islocal", "flags", "cmd", "data", "amendedFrom", "idx", "id"} {
		for where, input := range map[string]map[string]any{
			"document": {"customer": "Semi;Colon", "deliveryDate": "2026-12-30", "items": []any{map[string]any{"itemCode": "ITEM-00010", "qty": 1}}, key: "x"},
			"row":      {"customer": "Semi;Colon", "deliveryDate": "2026-12-30", "items": []any{map[string]any{"itemCode": "ITEM-00010", "qty": 1, key: "x"}}},
		} {
			got := s.b.query(t, manager, createOrder, map[string]any{"input": input})
			if len(got.Errors) == 0 {
				t.Errorf("%s in a %s was taken: %s", key, where, got.raw)
			}
		}
	}
}

// Half a surrogate pair is no text: what comes of it must be refused, and not another text
// be stored without a word.
func TestHalfACharacter(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for name, body := range map[string]string{
		"variable": `{"query":"mutation($n: String!) { createCustomer(input: { customerName: $n, customerGroup: \"Retail\", territory: \"East\" }) { name } }","variables":{"n":"half \ud800 here"}}`,
		"literal":  `{"query":"mutation { createCustomer(input: { customerName: \"half \\ud800 here\", customerGroup: \"Retail\", territory: \"East\" }) { name } }"}`,
		"document": `{"query":"mutation { createCustomer(input: { customerName: \"half \ud800 here\", customerGroup: \"Retail\", territory: \"East\" }) { name } }"}`,
		"local":    `{"query":"mutation($n: String!) { createServiceContract(input: { customer: \"Semi;Colon\", item: \"ITEM-00010\", startDate: \"2026-01-01\", notes: $n }) { serviceContract { notes } } }","variables":{"n":"half \udfff here"}}`,
	} {
		if got := b.raw(t, manager, body); len(got.Errors) == 0 {
			t.Errorf("%s: %.300s", name, got.raw)
		}
	}
}

// raw sends a body as it is.
func (b *bundle) raw(t *testing.T, credential, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", credential)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := answer{raw: raw, status: res.StatusCode}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return out
}

// No line of the log repeats what was written, whatever comes of it.
func TestLogHoldsNoValues(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	b := setup(t, options{})
	vars := map[string]any{"v": canary}
	for i, mutation := range []string{
		`mutation($v: String!) { createCustomer(input: { customerName: $v, customerGroup: "Retail", territory: "East" }) { name } }`,
		`mutation($v: String!) { createCustomer(input: { customerName: $v, customerGroup: $v, territory: $v }) { name } }`,
		`mutation($v: String!) { updateCustomer(name: $v, input: { website: $v }) { name } }`,
		`mutation($v: String!) { renameCustomer(name: "Semi;Colon", to: $v) { name } }`,
		`mutation($v: String!) { createCustomers(inputs: [{ customerName: $v, customerGroup: $v, territory: $v }]) { results { index } } }`,
		`mutation($v: String!) { createServiceContract(input: { customer: $v, item: $v, startDate: "2026-01-01", notes: $v }) { id } }`,
		`mutation($v: String!) { addComment(doctype: $v, name: $v, content: $v) { comment { name } } }`,
	} {
		b.send(t, admin, mutation, vars, map[string]string{keyHeader: fmt.Sprint(canary, "-", i)})
	}
	for line := range strings.Lines(b.log.String()) {
		if strings.Contains(line, canary) {
			t.Errorf("%.600s", line)
		}
	}
}

// A hidden row and one that is none are refused in the same words.
func TestHiddenAndMissingAreTheSame(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	contract := s.contracted("Bright Traders Ltd")
	hidden, missing := s.visited(contract), "00000000-0000-4000-8000-000000000000"
	for _, mutation := range []string{
		`mutation($id: ID!) { createServiceVisit(input: { contract: $id, technician: "sales@example.com", visitedAt: "2026-11-25T08:00:00Z" }) { id } }`,
		`mutation($id: ID!) { createServiceVisits(inputs: [{ contract: $id, technician: "sales@example.com", visitedAt: "2026-11-25T08:00:00Z" }]) { results { error { code message field name } } } }`,
		`mutation($id: ID!) { createServiceVisitPart(input: { visit: $id, item: "ITEM-00010", qty: 1 }) { id } }`,
		`mutation($id: ID!) { updateServiceVisit(id: $id, input: { summary: "x" }) { id } }`,
		`mutation($id: ID!) { updateServiceVisit(id: $id, input: { summary: "x" }, ifModified: "2026-01-01T00:00:00Z") { id } }`,
		`mutation($id: ID!) { deleteServiceVisit(id: $id) { id } }`,
		`mutation($id: ID!) { completeServiceVisit(id: $id, report: "x", invoice: true) { id } }`,
		`mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { id } }`,
	} {
		var told []string
		for _, id := range []string{hidden, contract, missing} {
			own := engine.RowID("ServiceVisit", engine.RowID("ServiceContract", id))
			got := s.b.query(t, north, mutation, map[string]any{"id": own})
			var text strings.Builder
			for _, e := range got.Errors {
				delete(e.Extensions, "requestId")
				fmt.Fprint(&text, e.Message, e.Path, e.Extensions)
			}
			told = append(told, strings.ReplaceAll(text.String()+string(got.Data), own, "ID"))
		}
		if told[0] != told[2] || told[1] != told[2] {
			t.Errorf("%.60s: %s", mutation, strings.Join(told, "\n"))
		}
	}
}

// Who has signed out writes no more, over a socket that is still open.
func TestSocketWritesNoMoreAfterSigningOut(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	s := story{t, b}
	contract := s.contracted("Semi;Colon")
	v := b.signIn(t, "manager@example.com")
	socket := b.open(t, map[string]string{"Cookie": strings.TrimPrefix(v.credential(t), withCookie), "Origin": b.url}, `{}`)
	socket.send(t, `{"id":"1","type":"subscribe","payload":{"query":"{ me { user roles } serviceContracts { totalCount } }"}}`)
	for range 2 {
		socket.next(t)
	}
	v.send(t, http.MethodPost, b.url+"/auth/logout", map[string]string{"Content-Type": "application/json"}, "{}")
	for i, mutation := range []string{
		`mutation { updateServiceContract(id: \"` + contract + `\", input: { notes: \"signed out\" }) { id } }`,
		`mutation { deleteServiceContract(id: \"` + contract + `\") { id } }`,
	} {
		socket.send(t, fmt.Sprintf(`{"id":"w%d","type":"subscribe","payload":{"query":"%s"}}`, i, mutation))
		got, code := socket.next(t)
		if code != 0 {
			break // closed: so much the better
		}
		if text, _ := json.Marshal(got); !strings.Contains(string(text), "UNAUTHENTICATED") {
			t.Errorf("after signing out: %s", text)
		}
		if got["type"] == "next" {
			socket.next(t) // complete
		}
	}
	var data struct{ ServiceContract struct{ Notes *string } }
	b.query(t, manager, `query($id: ID!) { serviceContract(id: $id) { notes } }`, map[string]any{"id": contract}).into(t, &data)
	if data.ServiceContract.Notes != nil {
		t.Errorf("written after signing out: %s", *data.ServiceContract.Notes)
	}
}
