package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// cursorOf is the cursor of the first row of a list.
func cursorOf(tb testing.TB, b *bundle, list string) string {
	tb.Helper()
	var data struct {
		List struct{ PageInfo struct{ EndCursor string } }
	}
	b.query(tb, admin, `{ list: `+list+` { pageInfo { endCursor } } }`, nil).into(tb, &data)
	return data.List.PageInfo.EndCursor
}

// A cursor goes with the list it came from.
func TestPagingCursorOfAnotherList(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.contracts(t, 5)
	plain := cursorOf(t, b, `customers(first: 1)`)
	tests := []struct {
		name, query, cursor string
		codes               []string
	}{
		{"its own", `customers(first: 2, after: $c)`, plain, nil},
		{"another size", `customers(first: 7, after: $c)`, plain, nil},
		{"the other way", `customers(last: 7, before: $c)`, plain, nil},
		{"spelt out", `customers(first: 2, after: $c, where: null, orderBy: [])`, plain, nil},
		{"another order", `customers(first: 2, after: $c, orderBy: [{field: NAME}])`, plain, []string{"BAD_USER_INPUT"}},
		{"another filter", `customers(first: 2, after: $c, where: {disabled: {eq: false}})`, plain, []string{"BAD_USER_INPUT"}},
		{"another type", `items(first: 2, after: $c)`, plain, []string{"BAD_USER_INPUT"}},
		{"a local type", `serviceContracts(first: 2, after: $c)`, plain, []string{"BAD_USER_INPUT"}},
		{"no cursor", `customers(first: 2, after: $c)`, "no cursor", []string{"BAD_USER_INPUT"}},
		{"a global id", `customers(first: 2, after: $c)`, globalID("Customer", "x"), []string{"BAD_USER_INPUT"}},
		{"too long", `customers(first: 2, after: $c)`, strings.Repeat("A", 100_000), []string{"BAD_USER_INPUT"}},
		{"both ways", `customers(first: 2, last: 2, after: $c)`, plain, []string{"BAD_USER_INPUT"}},
		{"after with last", `customers(last: 2, after: $c)`, plain, []string{"BAD_USER_INPUT"}},
		{"before with first", `customers(first: 2, before: $c)`, plain, []string{"BAD_USER_INPUT"}},
		{"too many", `customers(first: 501, after: $c)`, plain, []string{"BAD_USER_INPUT"}},
		{"less than none", `customers(first: -1, after: $c)`, plain, []string{"BAD_USER_INPUT"}},
		{
			"the same filter in other words", `customers(first: 1, where: {customerName: {isSet: true, ne: "x"}}, after: $c)`,
			cursorOf(t, b, `customers(first: 1, where: {customerName: {ne: "x", isSet: true}})`), nil,
		},
		{
			"one key for a list of one", `customers(first: 1, orderBy: {field: NAME, direction: DESC}, after: $c)`,
			cursorOf(t, b, `customers(first: 1, orderBy: [{field: NAME, direction: DESC}])`), nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, admin, `query($c: String) { list: `+tt.query+` { nodes { id } } }`, map[string]any{"c": tt.cursor})
			if !slices.Equal(got.codes(), tt.codes) {
				t.Errorf("codes %v, want %v: %.600s", got.codes(), tt.codes, got.raw)
			}
		})
	}
}

// A cursor that someone has changed is a filter at most: never a failure of the service,
// and never rows twice.
func TestPagingTamperedCursors(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.contracts(t, 5)
	lists := []string{
		`salesOrders(first: 1, orderBy: [{field: GRAND_TOTAL}, {field: DELIVERY_DATE, direction: DESC}, {field: STATUS}, {field: CREATION}])`,
		`serviceContracts(first: 1, orderBy: [{field: MONTHLY_FEE}, {field: END_DATE, direction: DESC}, {field: STATUS}, {field: CREATED_AT}])`,
	}
	values := []string{
		`null`, `""`, `"' or 1=1 --"`, `1e999`, `-0`, `true`, `"9999-99-99"`, `"\u0000"`, `"\ud800"`, `{}`, `[]`, `[[]]`, `"%"`, `123456789012345678901234567890`,
		`"` + strings.Repeat("x", 4000) + `"`, `"0001-01-01"`, `"DROP"`,
	}
	r := rand.New(rand.NewPCG(5, 5))
	for _, list := range lists {
		good := cursorOf(t, b, list)
		raw, err := base64.RawURLEncoding.DecodeString(good)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatal(err)
		}
		var keys []json.RawMessage
		if err := json.Unmarshal(fields["v"], &keys); err != nil || len(keys) != 4 {
			t.Fatalf("%v in %s", err, raw)
		}
		var cursors []string
		for i := range keys {
			for _, v := range values {
				parts := make([]string, len(keys))
				for j := range keys {
					if parts[j] = string(keys[j]); i == j {
						parts[j] = v
					}
				}
				for _, tail := range []string{`"k":"x","n":4,"p":4`, `"k":` + string(fields["k"]) + `,"n":-7,"p":99999`} {
					cursors = append(cursors, `{"l":`+string(fields["l"])+`,"v":[`+strings.Join(parts, ",")+`],`+tail+`}`)
				}
			}
		}
		for range 100 { // and at random
			flipped := slices.Clone(raw)
			flipped[r.IntN(len(flipped))] = byte(r.IntN(256))
			cursors = append(cursors, string(flipped))
		}
		for _, c := range cursors {
			got := b.query(t, admin, `query($c: String) { list: `+strings.Replace(list, "first: 1", "first: 3, after: $c", 1)+` { nodes { id } } }`,
				map[string]any{"c": base64.RawURLEncoding.EncodeToString([]byte(c))})
			for _, code := range got.codes() {
				if code != "BAD_USER_INPUT" && code != "VALIDATION" {
					t.Errorf("%.300s: %s: %.400s", c, code, got.raw)
				}
			}
		}
	}
}

// A level that reads both upstream and local rows asks who a new credential belongs to by
// calls of their own, always: the number of calls does not hang on which read comes first.
// Nor does it hang on whether there are local rows: here are none, and each list of them
// costs the one call that asks which of them may be seen.
func TestPagingCallsOfMixedLevel(t *testing.T) {
	t.Parallel()
	for range 20 {
		b := reading(t, options{})
		const query = `{ customers(first: 1) { totalCount nodes { name } } serviceContracts { totalCount nodes { id } } serviceVisits { totalCount } }`
		if n := b.query(t, sales, query, nil).Extensions.Upstream.Calls; n != 7 {
			t.Fatalf("first: %d calls, want 7", n)
		}
		if n := b.query(t, sales, query, nil).Extensions.Upstream.Calls; n != 4 {
			t.Fatalf("again: %d calls, want 4", n)
		}
	}
	b := reading(t, options{})
	got := b.query(t, "token no:body", `{ serviceContracts { totalCount nodes { id } } serviceVisits { totalCount } }`, nil)
	if n := got.Extensions.Upstream.Calls; n != 1 || !slices.Equal(got.codes(), []string{"UNAUTHENTICATED", "UNAUTHENTICATED"}) {
		t.Errorf("refused: %d calls, %v: %s", n, got.codes(), got.raw)
	}
}
