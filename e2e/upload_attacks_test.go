package e2e_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// A file is private unless the client says otherwise in so many words.
func TestUploadIsPrivateByDefault(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for name, tt := range map[string]struct {
		query string
		vars  map[string]any
	}{
		"left out":         {`mutation($file: Upload!) { uploadFile(file: $file) { url private } }`, nil},
		"a variable left":  {`mutation($file: Upload!, $private: Boolean) { uploadFile(file: $file, private: $private) { url private } }`, nil},
		"a variable null":  {`mutation($file: Upload!, $private: Boolean) { uploadFile(file: $file, private: $private) { url private } }`, map[string]any{"private": nil}},
		"the default null": {`mutation($file: Upload!, $private: Boolean = null) { uploadFile(file: $file, private: $private) { url private } }`, nil},
	} {
		got := b.sendForm(t, manager, tt.query, tt.vars)
		if strings.Contains(string(got.raw), `"private":false`) {
			t.Errorf("%s: the file is public: %s", name, got.raw)
		}
	}
}

// One file may go to two fields: each stores all of it.
func TestOneFileTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	got := b.sendForm(t, manager, `mutation($file: Upload!) { a: uploadFile(file: $file) { size url } b: uploadFile(file: $file) { size url } }`, nil)
	var data map[string]struct{ Size int }
	got.into(t, &data)
	if data["a"].Size != len("secret") || data["b"].Size != len("secret") {
		t.Errorf("stored %v: %s", data, got.raw)
	}
}

// sendForm sends one small file as $file.
func (b *bundle) sendForm(t *testing.T, credential, query string, vars map[string]any) answer {
	t.Helper()
	all := map[string]any{"file": nil}
	maps.Copy(all, vars)
	operations, err := json.Marshal(map[string]any{"query": query, "variables": all})
	if err != nil {
		t.Fatal(err)
	}
	const boundary = "write-attacks"
	body := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n" + string(operations) +
		"\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{\"0\":[\"variables.file\"]}" +
		"\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"0\"; filename=\"s.txt\"\r\n\r\nsecret" +
		"\r\n--" + boundary + "--\r\n"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
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

// Names of files that mean something to a header, a path or a shell.
func TestHostileFilenames(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for _, name := range []string{`a"b.txt`, `a\"; name=\"docname.txt`, "ü€東.txt", ".hidden", "a;b.txt", "%2e%2e%2fx.txt", "..\\x.txt", "/etc/x.txt", "a\tb.txt", "\u202etxt.exe", strings.Repeat("x", 300) + ".txt", strings.Repeat("ü", 120) + ".txt", "..", "a.txt\x00.exe"} {
		got, err := upload(t, b.url, manager, name, strings.NewReader("x"), nil, nil)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		for _, code := range got.codes() {
			if code == "INTERNAL" || code == "UPSTREAM_UNAVAILABLE" {
				t.Errorf("%.40q: %s", name, got.raw)
			}
		}
	}
}

// A file goes where the caller may write, and nowhere else.
func TestAttachTo(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for name, to := range map[string]map[string]any{
		"no doctype":      {"doctype": "", "name": "Semi;Colon"},
		"no name":         {"doctype": "Customer", "name": ""},
		"only a field":    {"doctype": "", "name": "", "field": "image"},
		"not there":       {"doctype": "Customer", "name": "None such"},
		"no DocType":      {"doctype": "None Such", "name": "x"},
		"an address":      {"doctype": "Customer", "name": "../User/Administrator"},
		"a path as field": {"doctype": "Customer", "name": "Semi;Colon", "field": "../x"},
		"a header":        {"doctype": "Customer", "name": "Semi;Colon", "field": "image\r\nX: y"},
		"NUL":             {"doctype": "Customer", "name": "Semi;Colon\x00"},
		"somebody else's": {"doctype": "User", "name": "Administrator", "field": "user_image"},
	} {
		got, err := upload(t, b.url, sales, "x.txt", strings.NewReader("x"), map[string]any{"to": to}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Errors) == 0 || got.codes()[0] == "INTERNAL" || got.codes()[0] == "UPSTREAM_UNAVAILABLE" {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
}

// A form of another page can't upload with the browser's session.
func TestUploadByAForm(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	v := b.signIn(t, "sales@example.com")
	const boundary = "write-attacks"
	form := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n" +
		`{"query":"mutation($file: Upload!) { uploadFile(file: $file) { name } }","variables":{"file":null}}` +
		"\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{\"0\":[\"variables.file\"]}" +
		"\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"0\"; filename=\"s.txt\"\r\n\r\nsecret" +
		"\r\n--" + boundary + "--\r\n"
	const multipart = "multipart/form-data; boundary=" + boundary
	for name, c := range map[string]struct {
		header map[string]string
		served bool
	}{
		"our script":              {map[string]string{"Content-Type": multipart, "Origin": b.url, "GraphQL-Preflight": "1"}, true},
		"a form of ours":          {map[string]string{"Content-Type": multipart, "Origin": b.url}, false},
		"a form of no origin":     {map[string]string{"Content-Type": multipart}, false},
		"another site's form":     {map[string]string{"Content-Type": multipart, "Origin": "https://evil.example"}, false},
		"another site's script":   {map[string]string{"Content-Type": multipart, "Origin": "https://evil.example", "GraphQL-Preflight": "1"}, false},
		"hidden in another type":  {map[string]string{"Content-Type": multipart + "; application/json", "Origin": b.url}, false},
		"two types in the header": {map[string]string{"Content-Type": "application/json, " + multipart, "Origin": b.url}, false},
	} {
		got := v.post(t, b.url, c.header, []byte(form))
		if served := got.status == http.StatusOK && len(got.Errors) == 0; served != c.served {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
}
