package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// spell writes a where tree as text.
func spell(e *criteria.Expr) string {
	var parts []string
	for _, kid := range e.And {
		parts = append(parts, spell(kid))
	}
	switch {
	case e.Cond != nil:
		return spellCond(e.Cond)
	case e.Not != nil:
		return "not(" + spell(e.Not) + ")"
	case len(e.Or) > 0:
		for _, kid := range e.Or {
			parts = append(parts, spell(kid))
		}
		return "or(" + strings.Join(parts, " ") + ")"
	case e.Rows != nil:
		return e.Rows.Field.Column + "[" + strings.Trim(spell(e.Rows.Where), "()") + "]"
	default:
		return "(" + strings.Join(parts, " ") + ")"
	}
}

func spellCond(c *criteria.Cond) string {
	return fmt.Sprintf("%s:%s:%T:%v", c.Field.Column, c.Op, c.Value, c.Value)
}

// parseInput reads an argument as goValue gives it.
func parseInput(tb testing.TB, text string) any {
	tb.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestWhere(t *testing.T) {
	t.Parallel()
	e := testEngine()
	tests := []struct{ where, want string }{
		{`{}`, `()`},
		{`{"title": null}`, `()`},
		{`{"title": {}}`, `(())`},
		{`{"title": {"eq": "a"}}`, `(title:eq:string:a)`},
		{`{"title": {"eq": null}}`, `(title:eq:<nil>:<nil>)`},
		{`{"title": {"ne": null}}`, `(title:ne:<nil>:<nil>)`},
		{`{"title": {"eq": "like"}}`, `(title:eq:string:like)`},
		{`{"title": {"eq": "[\"like\", \"%\"]"}}`, `(title:eq:string:["like", "%"])`},
		{`{"title": {"in": []}}`, `(title:in:[]interface {}:[])`},
		{`{"title": {"in": ["a", "b"], "isSet": true, "like": "%x_"}}`, `((title:in:[]interface {}:[a b] title:isSet:bool:true title:like:string:%x_))`},
		{`{"title": {"in": "a"}}`, `(title:in:[]interface {}:[a])`},
		{`{"title": {"isSet": null}}`, `(())`},
		{`{"grandTotal": {"gt": 100000000000000000000.25}}`, `(grand_total:gt:json.Number:100000000000000000000.25)`},
		{`{"grandTotal": {"gt": " 1.50 "}}`, `(grand_total:gt:json.Number:1.50)`},
		{`{"grandTotal": {"between": [1, "2"]}}`, `((grand_total:gte:json.Number:1 grand_total:lte:json.Number:2))`},
		{`{"qty": {"lt": -1e3}}`, `(qty:lt:json.Number:-1e3)`},
		{`{"days": {"eq": 0}}`, `(days:eq:json.Number:0)`},
		{`{"paid": {"eq": false}}`, `(paid:eq:bool:false)`},
		{`{"due": {"gte": "2026-02-28", "timespan": "LAST_WEEK"}}`, `((due:gte:string:2026-02-28 due:timespan:string:last week))`},
		{`{"due": {"timespan": null}}`, `(())`},
		{`{"at": {"lt": "2026-01-31T15:04:05.123456+05:30"}}`, `(at:lt:time.Time:2026-01-31 15:04:05.123456 +0530 +0530)`},
		{`{"clock": {"eq": "9:05"}}`, `(clock:eq:string:9:05)`},
		{`{"status": {"in": ["TO_BILL"]}}`, `(status:in:[]interface {}:[To Bill])`},
		{`{"customer": {"eq": "Ada", "descendantsOf": "x"}}`, `((customer:descendantsOf:string:x customer:eq:string:Ada))`},
		{`{"customer": {"eq": "` + encodeID("Customer", "Ada") + `"}}`, `(customer:eq:string:Ada)`},
		{`{"customer": {"eq": "` + encodeID("Item", "Ada") + `"}}`, `(customer:eq:string:` + encodeID("Item", "Ada") + `)`},
		{`{"items": {"itemCode": {"eq": "X"}, "rate": {"gt": 1}}}`, `(items[item_code:eq:string:X rate:gt:json.Number:1])`},
		{`{"items": {"and": [{"itemCode": {"eq": "X"}}]}}`, `(items[item_code:eq:string:X])`},
		{`{"items": null}`, `()`},
		{`{"items": {}}`, `()`},
		{`{"or": [{"title": {"eq": "a"}}, {"days": {"gt": 1}}]}`, `(or((title:eq:string:a) (days:gt:json.Number:1)))`},
		{`{"or": null, "and": [{}], "not": {"title": {"eq": "a"}}}`, `((()) not((title:eq:string:a)))`},
		{`{"not": null}`, `()`},
		{`null`, ``},
	}
	for _, tt := range tests {
		got, err := e.where(e.registry.ByName("SalesOrder"), parseInput(t, tt.where), "where")
		if err != nil {
			t.Errorf("%s: %v", tt.where, err)
			continue
		}
		text := ""
		if got != nil {
			text = spell(got)
		}
		if text != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.where, text, tt.want)
		}
	}
}

// What does not fit a field is refused, and the error says where it stands.
func TestWhereRefuses(t *testing.T) {
	t.Parallel()
	e := testEngine()
	tests := []struct{ where, field string }{
		{`{"nope": {"eq": 1}}`, "where.nope"},
		{`{"title": {"regexp": "a"}}`, "where.title.regexp"},
		{`{"title": {"eq": true}}`, "where.title.eq"},
		{`{"title": {"eq": ["a"]}}`, "where.title.eq"},
		{`{"title": {"eq": {"like": "%"}}}`, "where.title.eq"},
		{`{"title": {"eq": "a\u0000"}}`, "where.title.eq"},
		{`{"title": {"like": "a\u0000"}}`, "where.title.like"},
		{`{"title": {"like": 1}}`, "where.title.like"},
		{`{"title": {"like": null}}`, "where.title.like"},
		{`{"title": {"gt": null}}`, "where.title.gt"},
		{`{"title": {"in": null}}`, "where.title.in"},
		{`{"title": {"in": ["a", null]}}`, "where.title.in.1"},
		{`{"title": {"in": [["a"]]}}`, "where.title.in.0"},
		{`{"title": {"isSet": "yes"}}`, "where.title.isSet"},
		{`{"grandTotal": {"eq": "1,5"}}`, "where.grandTotal.eq"},
		{`{"grandTotal": {"eq": "NaN"}}`, "where.grandTotal.eq"},
		{`{"grandTotal": {"eq": "0x10"}}`, "where.grandTotal.eq"},
		{`{"grandTotal": {"eq": ""}}`, "where.grandTotal.eq"},
		{`{"grandTotal": {"eq": "1e9999"}}`, "where.grandTotal.eq"},
		{`{"grandTotal": {"eq": "` + strings.Repeat("9", 65) + `"}}`, "where.grandTotal.eq"},
		{`{"grandTotal": {"between": [1]}}`, "where.grandTotal.between"},
		{`{"grandTotal": {"between": [1, 2, 3]}}`, "where.grandTotal.between"},
		{`{"grandTotal": {"between": [1, null]}}`, "where.grandTotal.between.1"},
		{`{"days": {"eq": "1"}}`, "where.days.eq"},
		{`{"paid": {"eq": 1}}`, "where.paid.eq"},
		{`{"due": {"eq": "2026-02-30"}}`, "where.due.eq"},
		{`{"due": {"eq": "2026-02-28 or 1=1"}}`, "where.due.eq"},
		{`{"due": {"eq": 20260228}}`, "where.due.eq"},
		{`{"at": {"eq": "2026-01-31 15:04:05"}}`, "where.at.eq"},
		{`{"at": {"eq": "2026-01-31T15:04:05"}}`, "where.at.eq"},
		{`{"clock": {"eq": "24:00"}}`, "where.clock.eq"},
		{`{"clock": {"eq": 9}}`, "where.clock.eq"},
		{`{"status": {"eq": "To Bill"}}`, "where.status.eq"},
		{`{"status": {"in": ["CLOSED", "GONE"]}}`, "where.status.in.1"},
		{`{"or": []}`, "where.or"},
		{`{"or": [null]}`, "where.or"},
		{`{"and": [{"title": {"eq": 1}}, {"days": {"eq": "x"}}]}`, "where.and.1.days.eq"},
		{`{"items": {"rate": {"eq": "x"}}}`, "where.items.rate.eq"},
	}
	for _, tt := range tests {
		_, err := e.where(e.registry.ByName("SalesOrder"), parseInput(t, tt.where), "where")
		coded, ok := apierror.As(err)
		if !ok || coded.Code != apierror.BadUserInput || coded.Field != tt.field {
			t.Errorf("%s: %+v, want BAD_USER_INPUT about %s", tt.where, err, tt.field)
		}
	}
}

var knownOps = []criteria.Op{
	criteria.Eq, criteria.Ne, criteria.Gt, criteria.Gte, criteria.Lt, criteria.Lte, criteria.In, criteria.NotIn, criteria.Like, criteria.NotLike,
	criteria.IsSet, criteria.DescendantsOf, criteria.NotDescendantsOf, criteria.AncestorsOf, criteria.NotAncestorsOf, criteria.Timespan,
}

// Whatever a client sends as where, what comes out are known comparisons of the type's
// own fields with plain values.
func FuzzWhere(f *testing.F) {
	f.Add(`{"title": {"eq": "a"}, "or": [{"days": {"in": [1, 2]}}]}`)
	f.Add(`{"items": {"and": [{"rate": {"between": [1, "2"]}}]}, "not": {"at": {"gt": "2026-01-31T15:04:05Z"}}}`)
	e := testEngine()
	f.Fuzz(func(t *testing.T, text string) {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) != nil {
			return
		}
		root := e.registry.ByName("SalesOrder")
		got, err := e.where(root, v, "where")
		if err != nil {
			if apierror.CodeOf(err) != apierror.BadUserInput {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		got.Fields(root, func(of *doctype.Type, field *doctype.Field) {
			if of.Field(field.Name) != field {
				t.Fatalf("%q: a foreign field %s", text, field.Name)
			}
		})
		checkTree(t, got)
		if _, err := digest("x", v); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func checkTree(t *testing.T, e *criteria.Expr) {
	t.Helper()
	if e == nil {
		return
	}
	for _, kid := range slices.Concat(e.And, e.Or, []*criteria.Expr{e.Not}) {
		checkTree(t, kid)
	}
	conds := []*criteria.Cond{}
	if e.Cond != nil {
		conds = append(conds, e.Cond)
	}
	if e.Rows != nil {
		checkTree(t, e.Rows.Where)
	}
	for _, c := range conds {
		if !slices.Contains(knownOps, c.Op) {
			t.Fatalf("unknown comparison %q", c.Op)
		}
		values, isList := c.Value.([]any)
		if isList != (c.Op == criteria.In || c.Op == criteria.NotIn) {
			t.Fatalf("%s with %T", c.Op, c.Value)
		}
		if !isList {
			values = []any{c.Value}
		}
		for _, v := range values {
			switch v := v.(type) {
			case bool, time.Time:
			case json.Number:
				if !isDecimalText(v.String()) {
					t.Fatalf("a number %q", v)
				}
			case string:
				if strings.ContainsRune(v, 0) {
					t.Fatal("a NUL")
				}
			case nil:
				if c.Op != criteria.Eq && c.Op != criteria.Ne {
					t.Fatalf("%s null", c.Op)
				}
			default:
				t.Fatalf("a value of type %T", v)
			}
		}
	}
}
