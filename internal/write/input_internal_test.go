package write

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// inputWriter reads inputs for types of one field.
func inputWriter(tb testing.TB, types ...*doctype.Type) *Writer {
	tb.Helper()
	writers := New(Config{
		Registry: doctype.NewRegistry(types),
		FilePath: func(url string) (string, bool) { return strings.CutPrefix(url, "https://graph.example.com/erp") },
	})
	return writers.For(loaders.NewSet(loaders.Config{}, (&loaders.Set{}).Credential()), "", nil)
}

// zoneOf loads a time zone.
func zoneOf(tb testing.TB, name string) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

func fieldOf(kind doctype.Kind, fieldtype string) *doctype.Field {
	return &doctype.Field{
		Name: "f", Column: "f", Kind: kind, Create: doctype.Optional, Update: doctype.Optional,
		Enum:  []doctype.Pair{{Value: "ON_HOLD", Label: "On Hold"}},
		Facts: &doctype.FieldFacts{Fieldname: "f", Fieldtype: doctype.Text(fieldtype)},
	}
}

func TestCoerce(t *testing.T) {
	t.Parallel()
	berlin := zoneOf(t, "Europe/Berlin")
	n := func(s string) json.Number { return json.Number(s) }
	raw := func(s string) jsontext.Value { return jsontext.Value(s) }
	long := strings.Repeat("9", 13)
	for _, c := range []struct {
		kind     doctype.Kind
		in, want any // a nil want: refused
		local    any
	}{
		{doctype.Int, n("5"), raw("5"), n("5")},
		{doctype.Int, n("5e1"), raw("50"), n("50")},
		{doctype.Int, 7, raw("7"), n("7")},
		{doctype.Int, int64(1) << 31, nil, nil},
		{doctype.Int, n("-2147483648"), nil, nil},
		{doctype.Int, n("5.5"), nil, nil},
		{doctype.Int, "5", nil, nil},
		{doctype.Int, true, nil, nil},
		{doctype.Float, 0.1, raw("0.1"), n("0.1")},
		{doctype.Float, math.NaN(), nil, nil},
		{doctype.Float, math.Inf(1), nil, nil},
		{doctype.Float, "0.1", nil, nil},
		{doctype.Float, n("0.0000000001"), nil, n("0.0000000001")},
		{doctype.Decimal, "12.50", raw("12.5"), n("12.5")},
		{doctype.Decimal, "-0.00", raw("0"), n("0")},
		{doctype.Decimal, n("1e-9"), raw("0.000000001"), n("0.000000001")},
		{doctype.Decimal, "999999999999.999", raw("999999999999.999"), n("999999999999.999")},
		{doctype.Decimal, "123456789012.123456789", nil, n("123456789012.123456789")}, // a float64 has not so many
		{doctype.Decimal, long, nil, n(long)},
		{doctype.Decimal, "1,5", nil, nil},
		{doctype.Decimal, " 1", nil, nil},
		{doctype.Decimal, "0x10", nil, nil},
		{doctype.Decimal, strings.Repeat("1", 65), nil, nil},
		{doctype.Rating, n("0.85"), raw("0.85"), n("0.85")},
		{doctype.Rating, n("1.0"), raw("1"), n("1")},
		{doctype.Rating, n("0.333"), nil, nil},
		{doctype.Rating, n("1.1"), nil, nil},
		{doctype.Rating, n("-0.1"), nil, nil},
		{doctype.Duration, n("93784"), raw("93784"), n("93784")},
		{doctype.Duration, n("0.5"), nil, nil},
		{doctype.Boolean, true, raw("1"), true},
		{doctype.Boolean, n("1"), nil, nil},
		{doctype.Date, "2024-02-29", "2024-02-29", "2024-02-29"},
		{doctype.Date, "2023-02-29", nil, nil},
		{doctype.Date, "0999-01-01", nil, nil},
		{doctype.Date, "2024-2-9", nil, nil},
		{doctype.Time, "9:05", "09:05:00", "09:05:00"},
		{doctype.Time, "23:59:59.999999", "23:59:59.999999", "23:59:59.999999"},
		{doctype.Time, "24:00:00", nil, nil},
		{doctype.Time, "09:05:00.1234567", nil, nil},
		{doctype.DateTime, "2026-07-01T12:00:00Z", "2026-07-01 14:00:00.000000", "2026-07-01T12:00:00.000000Z"},
		{doctype.DateTime, "2026-03-29T01:30:00Z", "2026-03-29 03:30:00.000000", "2026-03-29T01:30:00.000000Z"}, // after the gap
		{doctype.DateTime, time.Date(2026, 1, 1, 0, 0, 0, 123456000, time.UTC), "2026-01-01 01:00:00.123456", "2026-01-01T00:00:00.123456Z"},
		{doctype.DateTime, time.Date(2026, 1, 1, 0, 0, 0, 1, time.UTC), nil, nil},
		{doctype.DateTime, "2026-07-01T12:00:00", nil, nil},
		{doctype.DateTime, "2026-07-01 12:00:00Z", nil, nil},
		{doctype.DateTime, "2026-02-30T12:00:00Z", nil, nil},
		{doctype.DateTime, "2026-07-01T12:00:00.1234567Z", nil, nil},
		{doctype.Enum, "ON_HOLD", "On Hold", "ON_HOLD"},
		{doctype.Enum, "On Hold", nil, nil},
		{doctype.JSON, map[string]any{"b": n("1.50"), "a": []any{nil, "x"}}, `{"a":[null,"x"],"b":1.5}`, raw(`{"a":[null,"x"],"b":1.5}`)},
		{doctype.JSON, map[string]any{"a": "\x00"}, nil, nil},
		{doctype.JSON, map[string]any{"a": struct{}{}}, nil, nil},
		{doctype.URL, "https://graph.example.com/erp/files/a.png", "/files/a.png", "/files/a.png"},
		{doctype.URL, "https://example.com/a", "https://example.com/a", "https://example.com/a"},
		{doctype.URL, "javascript:alert(1)", nil, nil},
		{doctype.URL, "/etc/passwd", nil, nil},
		{doctype.URL, "/files/../private/x", nil, nil},
		{doctype.URL, "//example.com/files/a", nil, nil},
		{doctype.URL, "https:/a", nil, nil},
		{doctype.String, "ünï 東京", "ünï 東京", "ünï 東京"},
		{doctype.String, "a\x00b", nil, nil},
		{doctype.String, "\xff", nil, nil},
		{doctype.String, n("5"), nil, nil},
		{doctype.Table, "x", nil, nil},
	} {
		for local, want := range map[bool]any{false: c.want, true: c.local} {
			got, err := inputWriter(t).coerce(fieldOf(c.kind, "Data"), local, c.in, "input.f", berlin)
			if want == nil {
				if e, ok := apierror.As(err); !ok || e.Code != apierror.BadUserInput || e.Field != "input.f" {
					t.Errorf("kind %d local %t %v: %v, %v", c.kind, local, c.in, got, err)
				}
				continue
			}
			if err != nil || !equalAny(got, want) {
				t.Errorf("kind %d local %t %v: %v (%v), want %v", c.kind, local, c.in, got, err, want)
			}
		}
	}
}

func equalAny(a, b any) bool {
	if x, ok := a.(jsontext.Value); ok {
		y, ok := b.(jsontext.Value)
		return ok && string(x) == string(y)
	}
	return a == b
}

// TestOverlap refuses the one of two instants that the site's clock can't tell.
func TestOverlap(t *testing.T) {
	t.Parallel()
	zone := zoneOf(t, "Europe/Berlin")
	refused := 0
	for _, text := range []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"} {
		at, err := parseInstant(text)
		if err != nil {
			t.Fatal(err)
		}
		wall, err := toSite(at, zone)
		if err != nil {
			refused++
			continue
		}
		if fromSite(wall, zone) != at.In(zone).Format(rfcLayout) {
			t.Errorf("%s is read back as %s", text, fromSite(wall, zone))
		}
	}
	if refused != 1 {
		t.Errorf("%d of the two are refused", refused)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	row := &doctype.Type{Name: "Row", Key: "Row", Source: doctype.Child, Fields: []*doctype.Field{
		{Name: "name", Column: "name", Standard: true},
		{Name: "item", Column: "item", Create: doctype.Required, Update: doctype.Optional},
	}}
	doc := &doctype.Type{Name: "Doc", Key: "Doc", Source: doctype.Upstream, Writes: doctype.Writes{Name: doctype.Required}, Fields: []*doctype.Field{
		{Name: "name", Column: "name", Standard: true},
		{Name: "title", Column: "title", Create: doctype.Required, Update: doctype.Optional},
		{Name: "code", Column: "code", Create: doctype.Optional, Update: doctype.Optional, Facts: &doctype.FieldFacts{Fieldtype: "Data", Length: 3, Unique: true}},
		{Name: "body", Column: "body", Create: doctype.Optional, Update: doctype.Optional, Facts: &doctype.FieldFacts{Fieldtype: "Small Text"}},
		{Name: "score", Column: "score", Kind: doctype.Int},
		{Name: "rows", Column: "rows", Kind: doctype.Table, Target: "Row", Create: doctype.Optional, Update: doctype.Optional},
	}}
	w := inputWriter(t, doc, row)
	many := make([]any, maxRows+1)
	for name, c := range map[string]struct {
		create bool
		in     Input
		field  string // of the error, "" for none
	}{
		"fine":               {true, Input{"name": "N", "title": "t", "rows": []any{map[string]any{"item": "i"}}}, ""},
		"one row is a list":  {true, Input{"name": "N", "title": "t", "rows": map[string]any{"item": "i"}}, ""},
		"unknown":            {true, Input{"name": "N", "title": "t", "nope": 1}, "input.nope"},
		"absent":             {true, Input{"name": "N", "title": "t", "score": 1}, "input.score"},
		"standard":           {false, Input{"name": "N"}, "input.name"},
		"required is null":   {true, Input{"name": "N", "title": nil}, "input.title"},
		"required is absent": {true, Input{"name": "N"}, "input.title"},
		"no name":            {true, Input{"title": "t"}, "input.name"},
		"an empty name":      {true, Input{"title": "t", "name": ""}, "input.name"},
		"a long name":        {true, Input{"title": "t", "name": strings.Repeat("n", 141)}, "input.name"},
		"a row lacks":        {true, Input{"name": "N", "title": "t", "rows": []any{map[string]any{}}}, "input.rows.0.item"},
		"a row has a name":   {true, Input{"name": "N", "title": "t", "rows": []any{map[string]any{"name": "x", "item": "i"}}}, "input.rows.0.name"},
		"a null row":         {false, Input{"rows": []any{nil}}, "input.rows.0"},
		"rows of text":       {false, Input{"rows": "x"}, "input.rows"},
		"a new row lacks":    {false, Input{"rows": []any{map[string]any{"name": nil}}}, "input.rows.0.item"},
		"a kept row":         {false, Input{"rows": []any{map[string]any{"name": "x"}}}, ""},
		"an empty row name":  {false, Input{"rows": []any{map[string]any{"name": ""}}}, "input.rows.0.name"},
		"many rows":          {false, Input{"rows": many}, "input.rows"},
		"long":               {false, Input{"code": "éééé"}, "input.code"},
		"as long as it may":  {false, Input{"code": "ééé"}, ""},
		"blank and unique":   {false, Input{"code": "  "}, "input.code"},
		"a long text":        {false, Input{"body": strings.Repeat("x", 1<<16)}, "input.body"},
	} {
		_, err := w.read(doc, c.in, "input", c.create, time.UTC)
		e, ok := apierror.As(err)
		if c.field == "" && err != nil || c.field != "" && (!ok || e.Field != c.field || e.Code != apierror.BadUserInput) {
			t.Errorf("%s: %v, want %q", name, err, c.field)
		}
	}
}

// storage is what Frappe and MariaDB make of a value: a model of the columns by Frappe's
// fieldtypes (database/mariadb/database.py) and of what Python does before
// (model/base_document.py get_valid_dict). It gives the value as it is read.
func storage(fieldtype string, wire any) string {
	number, _ := wire.(jsontext.Value)
	switch fieldtype {
	case "Check", "Int":
		n, err := strconv.ParseInt(string(number), 10, 32)
		if err != nil {
			return "out of range"
		}
		return strconv.FormatInt(n, 10)
	case "Currency", "Float", "Percent", "Duration", "Rating":
		x, err := strconv.ParseFloat(string(number), 64) // Python's float
		if err != nil {
			return "no number"
		}
		digits := 9
		if fieldtype == "Rating" {
			digits = 2
		}
		column := strconv.FormatFloat(x, 'f', digits, 64) // decimal(21,9), decimal(3,2)
		if whole, _, _ := strings.Cut(strings.TrimPrefix(column, "-"), "."); len(whole) > 12 {
			return "out of range"
		}
		back, err := strconv.ParseFloat(column, 64) // and Python's float again
		if err != nil {
			return "no number"
		}
		return strconv.FormatFloat(back, 'f', -1, 64)
	default:
		text, _ := wire.(string)
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 140 && fieldtype == "Data" {
			return "cut"
		}
		return text
	}
}

// FuzzInput holds that nothing panics, and that whatever is accepted is stored as it was
// given.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{
		"1", "-0.0", "1e9", "123456789012.123456789", "0.1", "2147483648", `"x"`, "true", "null", `{"a":[1]}`, "[]",
		`"2026-10-25T01:30:00Z"`, `"2026-01-31"`, `"9:05"`, `"12.50"`, `"\u0000"`, "1e-9", "0.30000000000000004", "9007199254740993",
	} {
		f.Add(seed)
	}
	kinds := map[string]doctype.Kind{
		"Check": doctype.Boolean, "Int": doctype.Int, "Currency": doctype.Decimal, "Float": doctype.Float, "Duration": doctype.Duration,
		"Rating": doctype.Rating, "Data": doctype.String, "Datetime": doctype.DateTime, "Date": doctype.Date, "Time": doctype.Time,
		"JSON": doctype.JSON, "Attach": doctype.URL, "Select": doctype.Enum, "Link": doctype.Link, "Table": doctype.Table,
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if dec.Decode(&v) != nil {
			v = text
		}
		for fieldtype, kind := range kinds {
			field := fieldOf(kind, fieldtype)
			doc := &doctype.Type{Name: "Doc", Key: "Doc", Source: doctype.Upstream, Fields: []*doctype.Field{field}}
			r, err := inputWriter(t, doc).read(doc, Input{"f": v}, "input", true, zone)
			if err != nil {
				if apierror.CodeOf(err) != apierror.BadUserInput {
					t.Fatalf("%s: %v", fieldtype, err)
				}
				continue
			}
			if wire, ok := r.values["f"]; ok && v != nil {
				stays(t, fieldtype, v, wire, zone)
			}
			_, _ = inputWriter(t).coerce(field, true, v, "input.f", nil)
		}
	})
}

// stays tells whether a value is stored as it was given.
func stays(t *testing.T, fieldtype string, given, wire any, zone *time.Location) {
	t.Helper()
	stored := storage(fieldtype, wire)
	text, isText := given.(string)
	var ok bool
	switch fieldtype {
	case "Check":
		ok = (stored == "1") == (given == true)
	case "Int", "Currency", "Float", "Duration", "Rating":
		if n, isNumber := given.(json.Number); isNumber {
			text = n.String()
		}
		ok = sameNumber(text, stored)
	case "Datetime":
		at, err := time.Parse(time.RFC3339Nano, text)
		back, berr := time.ParseInLocation(siteLayout, stored, zone)
		ok = err == nil && berr == nil && at.Equal(back)
	case "Time":
		ok = isText && strings.HasPrefix(clockOf(stored), strings.TrimSuffix(clockOf(text), "."))
	case "Select":
		ok = given == "ON_HOLD" && stored == "On Hold"
	case "JSON":
		ok = jsontext.Value(stored).IsValid()
	case "Attach":
		ok = isText && strings.HasSuffix(text, stored)
	default:
		ok = given == stored
	}
	if !ok {
		t.Errorf("%s: %#v is stored as %q", fieldtype, given, stored)
	}
}
