package frappe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDecodeRows(t *testing.T) {
	t.Parallel()
	columns := []string{"name", "idx", "x"}
	cases := map[string]struct{ body, want string }{
		"in order":        {`{"message":[{"name":"a","idx":1,"x":null}]}`, `["a" 1 null]`},
		"other order":     {`{"message":[{"x":{"y":[1]},"name":"a","idx":-1.5e3}]}`, `["a" -1.5e3 {"y":[1]}]`},
		"absent":          {`{"message":[{"idx":1},{"x":2},{}]}`, `[- 1 -] [- - 2] [- - -]`},
		"unknown":         {`{"message":[{"foo":{"name":"b"},"name":"a","idx":1,"bar":[],"x":3}]}`, `["a" 1 3]`},
		"twice":           {`{"message":[{"name":"a","name":"b"}]}`, `["b" - -]`},
		"escaped key":     {`{"message":[{"n\u0061me":"a","idx":1}]}`, `[- 1 -]`},
		"escapes stay":    {`{"message":[{"name":"\u00fc\"\\"}]}`, `["\u00fc\"\\" - -]`},
		"blanks":          {" {\n\"message\" : [ { \"name\" : \"a\" , \"idx\" : 1 } ] , \"more\" : { } } \n", `["a" 1 -]`},
		"empty":           {`{"message":[]}`, ``},
		"warnings beside": {`{"_server_messages":"[]","message":[{"name":"a"}]}`, `["a" - -]`},
		"message twice":   {`{"message":[{"name":"a"}],"message":[{"name":"b"}]}`, `["b" - -]`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := decodeRows([]byte(c.body), columns)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(table); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for _, bad := range []string{
		``, ` `, `{`, `[]`, `null`, `{}`, `{"message":null}`, `{"message":{}}`, `{"message":[[]]}`, `{"message":[1]}`,
		`{"message":[{"name":"a"}`, `{"message":[{"name":"a"}]`, `{"message":[{"name":}]}`, `{"message":[{"name" "a"}]}`,
		`{"message":[{"name":"a"},]}`, `{"message":[]} x`, `{"message":[]}{}`, `{"message":[{"name":NaN}]}`,
		"{\"message\":[{\"name\":\"\xff\"}]}", `{"data":[]}`,
	} {
		if table, err := decodeRows([]byte(bad), columns); err == nil {
			t.Errorf("%s: %s", bad, show(table))
		}
	}
}

func show(table *Table) string {
	var rows []string
	for _, row := range table.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = string(cell)
			if cell == nil {
				cells[i] = "-"
			}
		}
		rows = append(rows, "["+strings.Join(cells, " ")+"]")
	}
	return strings.Join(rows, " ")
}

// Cells must not reach into one another, even by append.
func TestCellsAreApart(t *testing.T) {
	t.Parallel()
	body := []byte(`{"message":[{"name":"a","idx":1},{"name":"b","idx":2}]}`)
	table, err := decodeRows(body, []string{"name", "idx"})
	if err != nil {
		t.Fatal(err)
	}
	_ = append(table.Rows[0][0], "XXXX"...)
	_ = append(table.Rows[0], nil)
	if got := show(table); got != `["a" 1] ["b" 2]` {
		t.Errorf("got %s", got)
	}
}

func FuzzRows(f *testing.F) {
	for _, body := range []string{
		`{"message":[{"name":"a","idx":1,"x":null},{"x":[{}],"name":"b"}],"more":1}`,
		`{"message":[{"n\u0061me":"a"}]}`, `{"message":[`, `{}`, `<html>`, `{"message":[{"name":"a"}]} `,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		table, err := decodeRows(body, []string{"name", "idx", "x"})
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatalf("read what is no JSON: %q", body)
		}
		for _, row := range table.Rows {
			if len(row) != 3 {
				t.Fatalf("%d cells", len(row))
			}
			for _, cell := range row {
				if cell != nil && !json.Valid(cell) {
					t.Fatalf("cell %q", cell)
				}
			}
		}
	})
}

func FuzzErrorBody(f *testing.F) {
	f.Add(417, "application/json", []byte(`{"exc_type":"MandatoryError","exception":"frappe.exceptions.MandatoryError: [A, b]: c","exc":"[\"x\"]","_server_messages":"[\"{\\\"message\\\":\\\"<b>x</b>\\\"}\"]"}`))
	f.Add(500, "application/json", []byte(`{"exc_type":"OperationalError","exception":"pymysql.err.OperationalError: (1054, \"Unknown column 'a.b' in 'ORDER BY'\")"}`))
	f.Add(503, "text/html", []byte(`<html>`))
	f.Add(429, "", []byte(`{"exc":1,"_server_messages":"[1]"}`))
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		header := http.Header{"Content-Type": {kind}, "Retry-After": {kind}}
		e := statusError(request{name: "a.b", write: status%2 == 0, declared: status%3 == 0}, status, header, body, time.Unix(0, 0))
		if e.Code == "" || e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter {
			t.Fatalf("%+v", e)
		}
		if len(e.Message) > maxMessage+8 || len(e.Trace) > maxTrace+8 || !utf8.ValidString(e.Message) {
			t.Fatalf("message of %d, trace of %d", len(e.Message), len(e.Trace))
		}
		if strings.ContainsAny(strings.ReplaceAll(e.Message, "\n", ""), "\r\x00\x1b") {
			t.Fatalf("control characters in %q", e.Message)
		}
		if len(e.Messages) > maxMessages || len(e.Marked) > maxMarked || len(e.Fields) > maxFields || (e.Field == "") != (len(e.Fields) == 0) {
			t.Fatalf("%d messages, %d marks, fields %q", len(e.Messages), len(e.Marked), e.Fields)
		}
		if e.Public().Message == "" || e.Error() == "" {
			t.Fatal("no text")
		}
	})
}

func TestPlainText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                              "plain",
		"a < b &amp; c > d":                  "a < b & c > d",
		"User <strong>x</strong> may<br>not": "User x may not",
		`<a href="/x>y" title='z'>link</a>!`: "link!",
		"<details><summary>No.</summary>Fn <b>f</b></details>": "No. Fn f",
		"it's <i class=\"it's\">fine</i>":                      "it's fine",
		"open <b":                                              "open",
		"<!-- x > y -->z<!-- open":                             "z",
		"&lt;script&gt;":                                       "<script>",
		"a\r\n\tb\x00\x1b[31mc\u00a0d":                         "a b[31mc d",
		"<":                                                    "<",
		"<ul><li>one</li><li>two</li></ul>":                    "one two",
		"\xff":                                                 "",
	} {
		if got := plainText(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := truncate("aé", 2); got != "a…" {
		t.Errorf("truncate: %q", got)
	}
}

// wideRows is an answer of 500 rows of 40 fields, as of a list of sales orders.
func wideRows(b *testing.B) ([]byte, []string) {
	b.Helper()
	columns := make([]string, 40)
	var body bytes.Buffer
	body.WriteString(`{"message": [`)
	for r := range 500 {
		if r > 0 {
			body.WriteString(", ")
		}
		body.WriteByte('{')
		for i := range columns {
			columns[i] = fmt.Sprintf("custom_field_%02d", i)
			if i > 0 {
				body.WriteString(", ")
			}
			fmt.Fprintf(&body, "%q: ", columns[i])
			switch i % 4 {
			case 0:
				fmt.Fprintf(&body, `"SAL-ORD-2026-%05d"`, r)
			case 1:
				fmt.Fprintf(&body, "%d.75", r*i)
			case 2:
				body.WriteString("null")
			case 3:
				body.WriteString(`"2026-11-24 22:18:24.830729"`)
			}
		}
		body.WriteByte('}')
	}
	body.WriteString("]}")
	return body.Bytes(), columns
}

func BenchmarkDecodeRows(b *testing.B) {
	body, columns := wideRows(b)
	b.Run("Table", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeRows(body, columns); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json-maps", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var answer struct{ Message []map[string]any }
			if err := json.Unmarshal(body, &answer); err != nil {
				b.Fatal(err)
			}
		}
	})
}
