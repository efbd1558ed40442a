package engine

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
)

func zone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return loc
}

func TestScalars(t *testing.T) {
	t.Parallel()
	e := testEngine()
	kolkata, berlin := zone(t, "Asia/Kolkata"), zone(t, "Europe/Berlin")
	const validation, unavailable = apierror.Validation, apierror.UpstreamUnavailable
	tests := []struct {
		name      string
		kind      doctype.Kind
		local     bool
		loc       *time.Location
		raw, want string
		code      apierror.Code
	}{
		{"absent", doctype.String, false, nil, ``, `null`, ""},
		{"null", doctype.Decimal, false, nil, `null`, `null`, ""},
		{"text", doctype.String, false, nil, `"a\u00e9\n\"<"`, `"a\u00e9\n\"<"`, ""},
		{"empty text stays", doctype.String, false, nil, `""`, `""`, ""},
		{"a number for text", doctype.String, false, nil, `12.50`, `"12.50"`, ""},
		{"an object for text", doctype.String, false, nil, `{"a": "b"}`, `"{\"a\": \"b\"}"`, ""},
		{"check 1", doctype.Boolean, false, nil, `1`, `true`, ""},
		{"check 0", doctype.Boolean, false, nil, `0`, `false`, ""},
		{"check as text", doctype.Boolean, false, nil, `"0"`, `false`, ""},
		{"boolean", doctype.Boolean, true, nil, `true`, `true`, ""},
		{"int", doctype.Int, false, nil, `-7`, `-7`, ""},
		{"int as float", doctype.Int, false, nil, `7.0`, `7`, ""},
		{"int rounded", doctype.Int, false, nil, `6.6`, `7`, ""},
		{"int as text", doctype.Int, false, nil, `"8"`, `8`, ""},
		{"int empty", doctype.Int, false, nil, `""`, `null`, ""},
		{"the largest int", doctype.Int, false, nil, `2147483647`, `2147483647`, ""},
		{"the smallest int", doctype.Int, false, nil, `-2147483648`, `-2147483648`, ""},
		{"too large", doctype.Int, false, nil, `2147483648`, `null`, validation},
		{"too large as float", doctype.Int, false, nil, `3e9`, `null`, validation},
		{"beyond 64 bits", doctype.Int, false, nil, `99999999999999999999`, `null`, validation},
		{"NaN", doctype.Int, false, nil, `"NaN"`, `null`, validation},
		{"infinite", doctype.Int, false, nil, `"-Inf"`, `null`, validation},
		{"no int", doctype.Int, false, nil, `"x"`, `null`, validation},
		{"an object for an int", doctype.Int, false, nil, `{}`, `null`, validation},
		{"duration", doctype.Duration, false, nil, `90.0`, `90`, ""},
		{"float", doctype.Float, false, nil, `1e-9`, `1e-9`, ""},
		{"float as text", doctype.Float, false, nil, `"0.50"`, `0.50`, ""},
		{"float empty", doctype.Float, false, nil, `""`, `null`, ""},
		{"no float", doctype.Float, false, nil, `"1,5"`, `null`, validation},
		{"true for a float", doctype.Float, false, nil, `true`, `null`, validation},
		{"rating", doctype.Rating, false, nil, `0.8`, `0.8`, ""},
		{"decimal keeps its digits", doctype.Decimal, false, nil, `123456789012345678.900000000`, `"123456789012345678.900000000"`, ""},
		{"decimal as text", doctype.Decimal, true, nil, `"0.10"`, `"0.10"`, ""},
		{"an object for a decimal", doctype.Decimal, false, nil, `{"a": "\""}`, `null`, validation},
		{"infinite decimal", doctype.Decimal, true, nil, `"Infinity"`, `null`, validation},
		{"date", doctype.Date, false, nil, `"2026-01-31"`, `"2026-01-31"`, ""},
		{"date empty", doctype.Date, false, nil, `""`, `null`, ""},
		{"time", doctype.Time, false, nil, `"9:05:00"`, `"09:05:00"`, ""},
		{"time with microseconds", doctype.Time, false, nil, `"19:05:00.000001"`, `"19:05:00.000001"`, ""},
		{"time empty", doctype.Time, false, nil, `""`, `null`, ""},
		{"datetime", doctype.DateTime, false, kolkata, `"2026-01-31 09:05:00.000001"`, `"2026-01-31T09:05:00.000001+05:30"`, ""},
		{"datetime without fraction", doctype.DateTime, false, berlin, `"2026-07-31 09:05:00"`, `"2026-07-31T09:05:00.000000+02:00"`, ""},
		{"datetime in winter", doctype.DateTime, false, berlin, `"2026-01-31 09:05:00"`, `"2026-01-31T09:05:00.000000+01:00"`, ""},
		{"datetime in UTC", doctype.DateTime, false, time.UTC, `"2026-01-31 09:05:00.120000"`, `"2026-01-31T09:05:00.120000Z"`, ""},
		{"datetime that is a date", doctype.DateTime, false, time.UTC, `"2026-01-31"`, `"2026-01-31T00:00:00.000000Z"`, ""},
		{"datetime empty", doctype.DateTime, false, time.UTC, `""`, `null`, ""},
		{"no datetime", doctype.DateTime, false, time.UTC, `"0000-00-00 00:00:00"`, `null`, validation},
		{"datetime of an unknown zone", doctype.DateTime, false, nil, `"2026-01-31 09:05:00"`, `null`, unavailable},
		{"local datetime", doctype.DateTime, true, nil, `"2026-01-31T09:05:00.000001Z"`, `"2026-01-31T09:05:00.000001Z"`, ""},
		{"JSON in text", doctype.JSON, false, nil, `"{\"a\": [1.50]}"`, `{"a": [1.50]}`, ""},
		{"JSON itself", doctype.JSON, true, nil, `{"a":1}`, `{"a":1}`, ""},
		{"text that is no JSON", doctype.JSON, false, nil, `"{broken"`, `"{broken"`, ""},
		{"JSON empty", doctype.JSON, false, nil, `""`, `null`, ""},
		{"a private file", doctype.URL, false, nil, `"/private/files/a b.pdf"`, `"https://graph.example.com/private/files/a b.pdf"`, ""},
		{"a URL", doctype.URL, false, nil, `"https://example.com/x"`, `"https://example.com/x"`, ""},
		{"URL empty", doctype.URL, false, nil, `""`, `null`, ""},
		{"enum", doctype.Enum, false, nil, `"To Bill"`, `"TO_BILL"`, ""},
		{"enum empty", doctype.Enum, false, nil, `""`, `null`, ""},
		{"an enum value that the schema lacks", doctype.Enum, false, nil, `"New One"`, `null`, validation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &doctype.Field{Name: "f", Kind: tt.kind, Enum: []doctype.Pair{{Value: "TO_BILL", Label: "To Bill"}}}
			got, err := e.appendScalar([]byte("x"), f, tt.local, jsontext.Value(tt.raw), func() *time.Location { return tt.loc })
			if string(got) != "x"+tt.want || (err == nil) != (tt.code == "") || err != nil && apierror.CodeOf(err) != tt.code {
				t.Errorf("got %s, %v; want %s, %s", got, err, tt.want, tt.code)
			}
		})
	}
}

var decimalText = regexp.MustCompile(`^"-?[0-9.eE+-]+"$`)

// Whatever JSON a site sends for a field, what comes out is JSON of the field's type, or
// null.
func FuzzScalar(f *testing.F) {
	for _, seed := range []string{`"NaN"`, `{"a": "b"}`, `"9:05:00"`, `1e309`, `"2026-01-31 09:05:00.000001"`, `"\ud83d\ude00"`} {
		for kind := range doctype.ID {
			f.Add(int(kind), false, seed)
		}
	}
	e := testEngine()
	f.Fuzz(func(t *testing.T, kind int, local bool, text string) {
		raw := jsontext.Value(strings.TrimSpace(text))
		if kind < 0 || kind > int(doctype.ID) || !raw.IsValid() {
			return
		}
		field := &doctype.Field{Name: "f", Kind: doctype.Kind(kind), Enum: []doctype.Pair{{Value: "A", Label: "a"}}}
		got, err := e.appendScalar(nil, field, local, raw, func() *time.Location { return time.UTC })
		var v any
		if jerr := json.Unmarshal(got, &v); jerr != nil && !strings.Contains(jerr.Error(), "cannot unmarshal number") {
			t.Fatalf("%s as %d: %s: %v", raw, kind, got, jerr)
		}
		if err != nil && string(got) != "null" {
			t.Fatalf("%s as %d: %s with %v", raw, kind, got, err)
		}
		if string(got) == "null" {
			return
		}
		ok := true
		switch field.Kind {
		case doctype.Boolean:
			ok = string(got) == "true" || string(got) == "false"
		case doctype.Int, doctype.Duration:
			n, perr := strconv.ParseInt(string(got), 10, 64)
			ok = perr == nil && n >= math.MinInt32 && n <= math.MaxInt32
		case doctype.Float, doctype.Rating:
			ok = jsontext.Value(got).Kind() == '0'
		case doctype.Decimal:
			ok = decimalText.Match(got)
		case doctype.JSON:
		default:
			ok = jsontext.Value(got).Kind() == '"'
		}
		if !ok {
			t.Fatalf("%s as %d: %s", raw, kind, got)
		}
	})
}
