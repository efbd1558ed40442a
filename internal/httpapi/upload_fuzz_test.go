package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fuzzForm feeds a body under a credential that nobody looks up.
func fuzzForm(t *testing.T, handler http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(body))
	for name, value := range uploadHeader("north") {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// FuzzForm feeds bodies as they could come from anyone with a credential.
func FuzzForm(f *testing.F) {
	whole := formOf(f, stored(f, "content")...)
	for _, seed := range []string{
		whole, whole[:len(whole)/2], "", "--" + boundary + "--", "--" + boundary + "\r\n\r\n", strings.ReplaceAll(whole, "\r\n", "\n"),
		strings.ReplaceAll(whole, `name="0"`, `name*=UTF-8''0`), strings.ReplaceAll(whole, "form-data", "attachment"),
	} {
		f.Add(seed)
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, body string) { wantAnswer(t, fuzzForm(t, handler, body)) })
}

// FuzzMap feeds the variables, the map and a filename, in a form that is whole.
func FuzzMap(f *testing.F) {
	for _, seed := range []struct{ variables, mapping, filename string }{
		{`{"file":null}`, `{"0":["variables.file"]}`, "a.txt"},
		{`{"input":{"file":null,"files":[null,null]}}`, `{"0":["variables.input.files.1","variables.input.file"]}`, `..\\a`},
		{`{"files":[null]}`, `{"0":["variables.files.00"]}`, "a/b"},
		{`{"any":{"a.b":null}}`, `{"0":["variables.any.a.b"]}`, "\u2028"},
		{`{"file":null}`, `{"0":["variables.file","variables.file"]}`, "..."},
		{`null`, `{"0":["variables"]}`, ""},
		{`{"file":{}}`, `{}`, "x"},
	} {
		f.Add(seed.variables, seed.mapping, seed.filename)
	}
	handler := fuzzed(f)
	const query = `mutation($file: Upload, $files: [Upload!], $input: FileInput, $any: JSON) { store(file: $file, files: $files, input: $input, any: $any) }`
	f.Fuzz(func(t *testing.T, variables, mapping, filename string) {
		if strings.ContainsAny(filename, "\r\n\"") || !json.Valid([]byte(variables)) {
			return // that is FuzzForm's
		}
		quoted, err := json.Marshal(query)
		if err != nil {
			t.Fatal(err)
		}
		body := formOf(t, part{name: "operations", content: `{"query":` + string(quoted) + `,"variables":` + variables + `}`},
			mapOf(mapping), part{name: "0", filename: filename, content: "x"})
		wantAnswer(t, fuzzForm(t, handler, body))
	})
}
