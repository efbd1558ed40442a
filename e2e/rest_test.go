package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// row is a document as ERPNext's REST API sends it.
type row map[string]any

// text gives a field's text, "" for null and absent.
func (r row) text(field string) string {
	s, _ := r[field].(string)
	return s
}

// rest calls a whitelisted method of the site itself, past erpgraph: what a test holds
// erpgraph's answers against.
func (b *bundle) rest(tb testing.TB, credential, method string, args map[string]any, target any) int {
	tb.Helper()
	body, err := json.Marshal(args)
	if err != nil {
		tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, b.siteURL+"/api/method/"+method, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", credential)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		out := struct{ Message any }{target}
		if err := json.Unmarshal(raw, &out); err != nil {
			tb.Fatalf("%v in %s", err, raw)
		}
	}
	return res.StatusCode
}

// restList lists documents at the site itself; nil where the site refuses.
func (b *bundle) restList(tb testing.TB, credential, doctype string, fields []string, filters any) []row {
	tb.Helper()
	var rows []row
	args := map[string]any{"doctype": doctype, "fields": fields, "limit_page_length": 0, "order_by": "name asc"}
	if filters != nil {
		args["filters"] = filters
	}
	if b.rest(tb, credential, "frappe.client.get_list", args, &rows) != http.StatusOK {
		return nil
	}
	return rows
}

// names are the sorted docnames of rows.
func names(rows []row) []string {
	out := make([]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.text("name"))
	}
	slices.Sort(out)
	return out
}

// list reads a whole connection through the graph, page by page, with the selection
// given on each row. args go before the page's own arguments: `where: {…}`.
func (b *bundle) list(tb testing.TB, credential, field, args, selection string) []row {
	tb.Helper()
	var out []row
	after := "null"
	for {
		var data map[string]struct {
			Nodes    []row
			PageInfo struct {
				HasNextPage bool
				EndCursor   string
			}
		}
		query := `{ list: ` + field + `(` + args + ` first: 500, after: ` + after + `) { nodes { ` + selection + ` } pageInfo { hasNextPage endCursor } } }`
		b.query(tb, credential, query, nil).into(tb, &data)
		out = append(out, data["list"].Nodes...)
		if !data["list"].PageInfo.HasNextPage {
			return out
		}
		quoted, err := json.Marshal(data["list"].PageInfo.EndCursor)
		if err != nil {
			tb.Fatal(err)
		}
		after = string(quoted)
	}
}

// sql runs a statement on the custom app of the custom app by SQL: "insert into service_contract …".
func (b *bundle) sql(tb testing.TB, statement string, args ...any) {
	tb.Helper()
	if _, err := b.db.Pool().Exec(tb.Context(), statement, args...); err != nil {
		tb.Fatalf("%v in %s", err, strings.TrimSpace(statement))
	}
}

// equal compares two values as JSON.
func equal(tb testing.TB, what string, got, want any) {
	tb.Helper()
	if g, w := canonical(tb, got), canonical(tb, want); !bytes.Equal(g, w) {
		tb.Errorf("%s:\n got %s\nwant %s", what, shorten(g), shorten(w))
	}
}

// canonical is a value as JSON with sorted keys; numbers keep their digits.
func canonical(tb testing.TB, v any) []byte {
	tb.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	var plain any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&plain); err != nil {
		tb.Fatal(err)
	}
	if raw, err = json.Marshal(plain); err != nil {
		tb.Fatal(err)
	}
	return raw
}

func shorten(b []byte) string {
	if len(b) > 2000 {
		return string(b[:2000]) + "…"
	}
	return string(b)
}

// find looks for the first of some keys anywhere in a JSON value; nil where there is none.
func find(tb testing.TB, data []byte, keys ...string) any {
	tb.Helper()
	var root any
	if err := json.Unmarshal(data, &root); err != nil {
		tb.Fatal(err)
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for _, key := range keys {
				if found, ok := v[key]; ok {
					return found
				}
			}
			for _, kid := range v {
				if found := walk(kid); found != nil {
					return found
				}
			}
		case []any:
			for _, kid := range v {
				if found := walk(kid); found != nil {
					return found
				}
			}
		}
		return nil
	}
	return walk(root)
}
