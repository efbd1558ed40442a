package frappe

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzMessages checks that no message of a site brings markup's tags in bold, control
// characters or an endless text to a client or a log.
func FuzzMessages(f *testing.F) {
	for _, raw := range []string{
		`["{\"message\":\"a <strong>b</strong><br>c\",\"raise_exception\":1}"]`, `["{\"message\":\"<b><b>x</b>\"}","x",5]`,
		`[]`, `{}`, `null`, `["{\"message\":[1]}"]`, `["{\"message\":\"\\u0000\\u202e<b>\\n</b>\"}"]`,
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		told := serverMessages(raw)
		if len(told.texts) > maxMessages || len(told.marked) > maxMarked {
			t.Fatalf("%d messages, %d marks", len(told.texts), len(told.marked))
		}
		for _, text := range append(told.texts, told.marked...) {
			if text == "" || len(text) > maxMessage+len("…") || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Fatalf("%q", text)
			}
		}
	})
}

// FuzzFields checks that what is called a fieldname is one, whatever values an exception
// quotes.
func FuzzFields(f *testing.F) {
	f.Add("MandatoryError", "frappe.exceptions.MandatoryError: [A, b]: c, d", true)
	f.Add("UniqueValidationError", `frappe.exceptions.UniqueValidationError: ('A', 'b', IntegrityError(1062, "Duplicate entry 'x' for key 'c'"))`, true)
	f.Add("OperationalError", "pymysql.err.OperationalError: (1292, \"Incorrect date value: 'x' for column `a`.`b`.`c` at row 1\")", true)
	f.Add("OperationalError", "pymysql.err.OperationalError: (4025, 'CONSTRAINT `tabA.c` failed for `a`.`b`')", true)
	f.Add("OperationalError", `pymysql.err.OperationalError: (1054, "Unknown column 'a.b' in 'SET'")`, false)
	f.Add("DataError", "frappe.exceptions.DataError: Field not permitted in query: a", false)
	f.Fuzz(func(t *testing.T, excType, exception string, write bool) {
		r := refusal{status: http.StatusInternalServerError, excType: excType, exception: exception, write: write}
		fields := r.fields()
		if len(fields) > maxFields || r.code() == "" {
			t.Fatalf("%d fields, code %q", len(fields), r.code())
		}
		for _, field := range fields {
			if !fieldPattern.MatchString(field) {
				t.Fatalf("%q is no fieldname", field)
			}
		}
	})
}

// FuzzLevels checks that a definition that can be read has the DocType, and opens no
// level to nobody.
func FuzzLevels(f *testing.F) {
	f.Add([]byte(`[{"doctype":"DocType","name":"A","fields":[{"fieldname":"x","permlevel":1}],"permissions":[{"role":"R","permlevel":1,"write":1}]}]`))
	f.Add([]byte(`[{"doctype":"DocType","name":"A","fields":null,"permissions":[{"permlevel":-1,"write":1}]}]`))
	f.Add([]byte(`[{"doctype":"DocType","name":"A","fields":[{"permlevel":1e99}]}]`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, docs []byte) {
		levels, err := parseLevels(jsontext.Value(docs), "A")
		if err != nil {
			return
		}
		if _, known := levels.fields["A"]; !known {
			t.Fatal("the DocType is missing")
		}
		for level := -2; level < 10; level++ {
			if level != 0 && levels.Writable(nil, level) {
				t.Fatalf("nobody may write at %d", level)
			}
		}
	})
}

// FuzzUploadForm checks that neither a name nor a type can break out of its place in the
// form, and that the form is as long as was announced.
func FuzzUploadForm(f *testing.F) {
	f.Add("a.txt", "text/plain", "Müller & Söhne", []byte("content"))
	f.Add(`a"; name="cmd`, `text/plain; x="a\"b"`, "--boundary\r\n", []byte("\r\n--"))
	f.Add("é%0d%0a.txt", "text/plain\r\nX: y", "a\r\nb", []byte{0})
	f.Fuzz(func(t *testing.T, filename, kind, name string, content []byte) {
		u := Upload{
			Filename: filename, ContentType: kind, Size: int64(len(content)), Content: bytes.NewReader(content),
			DocType: "Customer", DocName: name,
		}
		if u.check() != nil {
			return
		}
		body, err := newUploadBody(u)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := body.open()
		if err != nil {
			t.Fatal(err)
		}
		form, err := io.ReadAll(reader)
		if err != nil || int64(len(form)) != body.length {
			t.Fatalf("%d bytes of %d: %v", len(form), body.length, err)
		}
		checkForm(t, body.contentType, form, [][3]string{
			{"is_private", "", "0"}, {"doctype", "", "Customer"}, {"docname", "", name}, {"file", filename, string(content)},
		})
	})
}

// checkForm compares the parts of a form: name, filename, content.
func checkForm(t *testing.T, contentType string, form []byte, want [][3]string) {
	t.Helper()
	_, boundary, _ := strings.Cut(contentType, "boundary=")
	reader := multipart.NewReader(bytes.NewReader(form), boundary)
	for _, part := range want {
		got, err := reader.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(got)
		if err != nil || got.FormName() != part[0] || string(content) != part[2] || (part[1] == "") != (got.FileName() == "") {
			t.Fatalf("got %q %q %q, %v; want %q", got.FormName(), got.FileName(), content, err, part)
		}
		if len(got.Header) > 2 {
			t.Fatalf("headers %v", got.Header)
		}
	}
	if _, err := reader.NextRawPart(); !errors.Is(err, io.EOF) {
		t.Fatalf("one more part: %v", err)
	}
}
