package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

func unknownCaller() error {
	return apierror.New(apierror.Unauthenticated, "ERPNext does not know this credential")
}

// TestUploads: the examples of the specification, and what it allows beyond them.
func TestUploads(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, nil)
	type want struct{ path, filename, content string }
	const query = `mutation($file: Upload, $files: [Upload!], $input: FileInput) { store(file: $file, files: $files, input: $input) }`
	for name, c := range map[string]struct {
		variables map[string]any
		mapping   string
		files     []part
		want      []want
	}{
		"single file": {
			map[string]any{"file": nil},
			`{ "0": ["variables.file"] }`,
			[]part{file("0", "Alpha file content.")},
			[]want{{"file", "0.txt", "Alpha file content."}},
		},
		"file list": {
			map[string]any{"files": []any{nil, nil}},
			`{ "0": ["variables.files.0"], "1": ["variables.files.1"] }`,
			[]part{file("0", "Bravo"), file("1", "Charlie")},
			[]want{{"files.0", "0.txt", "Bravo"}, {"files.1", "1.txt", "Charlie"}},
		},
		"input, out of order": {
			map[string]any{"input": map[string]any{"file": nil, "files": []any{nil}}},
			`{"a":["variables.input.file"],"b":["variables.input.files.0"]}`,
			[]part{file("b", "second"), file("a", "first")},
			[]want{{"input.file", "a.txt", "first"}, {"input.files.0", "b.txt", "second"}},
		},
		"one part, several places": {
			map[string]any{"file": nil, "files": []any{nil}},
			`{"0":["variables.file","variables.files.0"]}`,
			[]part{file("0", "twice")},
			[]want{{"file", "0.txt", "twice"}, {"files.0", "0.txt", "twice"}},
		},
		"empty":   {map[string]any{"file": nil}, `{"0":["variables.file"]}`, []part{file("0", "")}, []want{{"file", "0.txt", ""}}},
		"no file": {map[string]any{"file": nil}, `{}`, nil, nil},
		"a path in the filename": {
			map[string]any{"file": nil},
			`{"0":["variables.file"]}`,
			[]part{{name: "0", filename: `../../etc/passwd`, content: "x"}},
			[]want{{"file", "passwd", "x"}},
		},
		"a path of Windows": {
			map[string]any{"file": nil},
			`{"0":["variables.file"]}`,
			[]part{{name: "0", filename: `C:\\Users\\me\\Rechnung März.pdf`, content: "x"}},
			[]want{{"file", "Rechnung März.pdf", "x"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			parts := append([]part{operations(t, query, c.variables), mapOf(c.mapping)}, c.files...)
			got := b.upload(t, parts...)
			if got.status != 200 || got.errors != nil {
				t.Fatalf("%d %s", got.status, got.body)
			}
			for _, w := range c.want {
				r := await(t, shelf.got)
				sum := sha256.Sum256([]byte(w.content))
				if (want{r.path, r.filename, r.content}) != w || r.size != int64(len(w.content)) || !bytes.Equal(r.sum, sum[:]) {
					t.Errorf("got %+v, want %+v", r, w)
				}
				if _, err := r.file.Seek(0, io.SeekStart); err != nil {
					t.Errorf("Seek: %v", err)
				}
				if _, err := r.file.Read(make([]byte, 1)); w.content != "" && !errors.Is(err, os.ErrClosed) {
					t.Errorf("after the response the file can be read: %v", err)
				}
			}
			if len(shelf.got) > 0 {
				t.Errorf("one too many: %+v", <-shelf.got)
			}
			shelf.wantEmpty(t)
		})
	}
	if log := b.log.String(); !strings.Contains(log, `"uploadBytes":19,`) || !strings.Contains(log, `"outcomes":{"done":1,"failed":0,"unknown":0}`) {
		t.Errorf("log: %s", log)
	}
}

// TestContentTypeOfUploads: it is what the client says where that can be a type at all.
func TestContentTypeOfUploads(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, nil)
	for given, want := range map[string]string{
		"application/pdf": "application/pdf", "Text/CSV; charset=utf-8": "text/csv; charset=utf-8",
		"": "application/octet-stream", "nonsense": "application/octet-stream", "a/b/c; =": "application/octet-stream",
	} {
		p := part{name: "0", filename: "a", content: "x", header: map[string]string{"Content-Type": given}}
		if got := b.upload(t, append(stored(t, "")[:2], p)...); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if r := await(t, shelf.got); r.contentType != want {
			t.Errorf("%q: %q, want %q", given, r.contentType, want)
		}
	}
}

// TestUploadsRefused: each case with the code, and a part of the text.
func TestUploadsRefused(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, func(o *httpapi.Options) {
		o.Limits.BodyBytes, o.Limits.UploadBytes, o.Limits.UploadFiles, o.Limits.Uploads = 1000, 10_000, 2, 1000
	})
	ok := stored(t, "content")
	with := func(mapping string, files ...part) []part {
		variables := map[string]any{"file": nil, "files": []any{nil, nil, nil}, "name": "x", "input": map[string]any{"name": nil}}
		document := `mutation($file: Upload, $files: [Upload!], $name: String, $input: FileInput) { store(file: $file, files: $files, input: $input) change(name: $name) }`
		return append([]part{operations(t, document, variables), mapOf(mapping)}, files...)
	}
	named := func(filename string) []part {
		return append(ok[:2:2], part{name: "0", filename: filename, content: "x"})
	}
	for name, c := range map[string]struct {
		parts  []part
		status int
		code   string
		text   string
	}{
		"map first":              {[]part{ok[1], ok[0], ok[2]}, 400, "BAD_USER_INPUT", "operations comes first, then map"},
		"file first":             {[]part{ok[2], ok[0], ok[1]}, 400, "BAD_USER_INPUT", "operations comes first"},
		"no map":                 {[]part{ok[0], ok[2]}, 400, "BAD_USER_INPUT", "the form's part map is not in its place"},
		"nothing but one":        {ok[:1], 400, "BAD_USER_INPUT", "part map"},
		"nothing":                {nil, 400, "BAD_USER_INPUT", ""},
		"operations twice":       {[]part{ok[0], ok[0], ok[1], ok[2]}, 400, "BAD_USER_INPUT", "part map"},
		"map twice":              {[]part{ok[0], ok[1], ok[1], ok[2]}, 400, "BAD_USER_INPUT", `"map" is not in the map`},
		"a batch":                {[]part{{name: "operations", content: `[{"query":"{a}"}]`}, ok[1], ok[2]}, 400, "BAD_USER_INPUT", "batches"},
		"no JSON":                {[]part{{name: "operations", content: `{"query"`}, ok[1], ok[2]}, 400, "BAD_USER_INPUT", "the part operations is not valid JSON"},
		"operations empty":       {[]part{{name: "operations"}, ok[1], ok[2]}, 400, "BAD_USER_INPUT", "the part operations is empty"},
		"operations too large":   {[]part{{name: "operations", content: long(1001)}, ok[1], ok[2]}, 413, "COST_LIMIT", "the part operations is larger"},
		"map too large":          {[]part{ok[0], mapOf(long(1001)), ok[2]}, 413, "COST_LIMIT", "the part map is larger"},
		"map no object":          {[]part{ok[0], mapOf(`["variables.file"]`), ok[2]}, 400, "BAD_USER_INPUT", "the part map is not a JSON object"},
		"map of text":            {with(`{"0":"variables.file"}`, ok[2]), 400, "BAD_USER_INPUT", "lists of paths"},
		"map of nothing":         {with(`{"0":[]}`, ok[2]), 400, "BAD_USER_INPUT", "no path"},
		"map of null":            {with(`{"0":null}`, ok[2]), 400, "BAD_USER_INPUT", "no path"},
		"map of a null path":     {with(`{"0":[null]}`, ok[2]), 400, "BAD_USER_INPUT", "the path"},
		"map names a part twice": {with(`{"0":["variables.file"],"0":["variables.files.0"]}`, ok[2]), 400, "BAD_USER_INPUT", "same member twice"},
		"map names itself":       {with(`{"map":["variables.file"]}`, ok[2]), 400, "BAD_USER_INPUT", "can't be a file"},
		"map names no name":      {with(`{"":["variables.file"]}`, ok[2]), 400, "BAD_USER_INPUT", "can't be a file"},
		"outside of variables":   {with(`{"0":["query"]}`, ok[2]), 400, "BAD_USER_INPUT", "begin with"},
		"extensions":             {with(`{"0":["extensions.file"]}`, ok[2]), 400, "BAD_USER_INPUT", "begin with"},
		"all variables":          {with(`{"0":["variables"]}`, ok[2]), 400, "BAD_USER_INPUT", "begin with"},
		"an unknown variable":    {with(`{"0":["variables.fil"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"an empty step":          {with(`{"0":["variables..file"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"beyond a list":          {with(`{"0":["variables.files.3"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"before a list":          {with(`{"0":["variables.files.-1"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"an odd index":           {with(`{"0":["variables.files.+0"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"below a scalar":         {with(`{"0":["variables.name.x"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"below null":             {with(`{"0":["variables.file.x"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"no null":                {with(`{"0":["variables.name"]}`, ok[2]), 400, "BAD_USER_INPUT", "has a value already"},
		"a list":                 {with(`{"0":["variables.files"]}`, ok[2]), 400, "BAD_USER_INPUT", "has a value already"},
		"a path twice":           {with(`{"0":["variables.file","variables.file"]}`, ok[2]), 400, "BAD_USER_INPUT", "has a value already"},
		"a path of two parts":    {with(`{"0":["variables.file"],"1":["variables.file"]}`, ok[2], file("1", "x")), 400, "BAD_USER_INPUT", "has a value already"},
		"below a file":           {with(`{"0":["variables.file","variables.file.Filename"]}`, ok[2]), 400, "BAD_USER_INPUT", "not in the variables"},
		"a place of text":        {with(`{"0":["variables.input.name"]}`, ok[2]), 400, "BAD_USER_INPUT", "$input.name takes no file"},
		"too many files":         {with(`{"0":["variables.files.0"],"1":["variables.files.1"],"2":["variables.files.2"]}`), 400, "COST_LIMIT", "more than 2 paths"},
		"too many places":        {with(`{"0":["variables.files.0","variables.files.1","variables.files.2"]}`), 400, "COST_LIMIT", "more than 2 paths"},
		"a missing file":         {with(`{"0":["variables.file"],"1":["variables.files.0"]}`, ok[2]), 400, "BAD_USER_INPUT", `no such part`},
		"an unknown file":        {append(ok[:3:3], file("1", "x")), 400, "BAD_USER_INPUT", `"1" is not in the map`},
		"a file twice":           {append(ok[:3:3], ok[2]), 400, "BAD_USER_INPUT", `comes twice`},
		"too large":              {stored(t, long(10_000)), 413, "COST_LIMIT", "larger than 10000 bytes"},
		"no filename":            {append(ok[:2:2], part{name: "0", content: "x"}), 400, "BAD_USER_INPUT", "no filename"},
		"dots":                   {named(".."), 400, "BAD_USER_INPUT", "no filename"},
		"a folder":               {named(`a\\`), 400, "BAD_USER_INPUT", "no filename"},
		"control characters":     {named("a\tb"), 400, "BAD_USER_INPUT", ""},
		"a line separator":       {named("a\u2028b"), 400, "BAD_USER_INPUT", "control characters"},
		"a long filename":        {named(long(256)), 400, "BAD_USER_INPUT", "longer than 255"},
		"no UTF-8":               {named("a\xff"), 400, "BAD_USER_INPUT", ""},
		"an encoding":            {append(ok[:2:2], part{name: "0", filename: "a", content: "eA==", header: map[string]string{"Content-Transfer-Encoding": "base64"}}), 400, "BAD_USER_INPUT", "Content-Transfer-Encoding"},
		"another document":       {append([]part{{name: "operations", content: `{"query":"{ nope }","variables":{"file":null}}`}}, ok[1:]...), 400, "BAD_USER_INPUT", "nope"},
		"a subscription":         {append([]part{{name: "operations", content: `{"query":"subscription($file: Upload) { changed }","variables":{"file":null}}`}}, ok[1:]...), 400, "BAD_USER_INPUT", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.do(t, call{body: formOf(t, c.parts...), header: uploadHeader("south")})
			got.wantError(t, c.code, c.text)
			if got.status != c.status || got.has["data"] != nil {
				t.Errorf("status %d, want %d: %s", got.status, c.status, got.body)
			}
		})
	}
	t.Cleanup(func() {
		shelf.wantEmpty(t)
		if len(shelf.got) > 0 {
			t.Errorf("a resolver ran: %+v", <-shelf.got)
		}
	})
}

// TestBodiesThatAreNoForms: cut short, without a boundary, compressed, or of a header
// that has no end.
func TestBodiesThatAreNoForms(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, nil)
	whole := formOf(t, stored(t, long(1000))...)
	inFile := strings.Index(whole, "xxxx")
	for name, c := range map[string]struct {
		body   string
		header map[string]string
		status int
		text   string
	}{
		"cut in a file":      {whole[:inFile+100], nil, 400, "no complete multipart/form-data"},
		"cut at the end":     {whole[:len(whole)-5], nil, 400, "no complete"},
		"nothing":            {"", nil, 400, "no complete"},
		"JSON":               {`{"query":"{ a }"}`, nil, 400, "no complete"},
		"no boundary":        {whole, map[string]string{"Content-Type": "multipart/form-data"}, 400, "no boundary"},
		"another boundary":   {whole, map[string]string{"Content-Type": "multipart/form-data; boundary=other"}, 400, "no complete"},
		"a long boundary":    {whole, map[string]string{"Content-Type": "multipart/form-data; boundary=" + long(71)}, 400, "no boundary"},
		"mixed":              {whole, map[string]string{"Content-Type": "multipart/mixed; boundary=" + boundary}, 415, "application/json"},
		"compressed":         {whole, map[string]string{"Content-Encoding": "gzip"}, 415, "compressed"},
		"an endless header":  {"--" + boundary + "\r\nX: " + long(1<<20), nil, 400, "header of a part"},
		"an endless preface": {strings.Repeat("x\r\n", 1<<16), nil, 400, "header of a part"},
	} {
		t.Run(name, func(t *testing.T) {
			header := uploadHeader("north")
			maps.Copy(header, c.header)
			got := b.do(t, call{body: c.body, header: header})
			got.wantError(t, "BAD_USER_INPUT", c.text)
			if got.status != c.status {
				t.Errorf("status %d, want %d: %s", got.status, c.status, got.body)
			}
			shelf.wantEmpty(t)
		})
	}
}

// TestUploadWithoutALength: one whose size is not announced is bounded as it comes.
func TestUploadWithoutALength(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, func(o *httpapi.Options) { o.Limits.UploadBytes = 10_000 })
	for size, status := range map[int]int{1000: 200, 10_000: 413} {
		body := io.NopCloser(strings.NewReader(formOf(t, stored(t, long(size))...)))
		got := b.serveBody(t, map[string]string{"Authorization": "Bearer north"}, body, -1)
		if got.Code != status || (got.Header().Get("Connection") == "close") != (status == 413) {
			t.Errorf("%d bytes: %d %v %s", size, got.Code, got.Header(), got.Body)
		}
		if status == 200 {
			await(t, shelf.got)
		}
	}
	if len(shelf.got) > 0 {
		t.Error("a resolver ran")
	}
	shelf.wantEmpty(t)
}

// neverRead is a body that must not be asked for.
type neverRead struct{ t *testing.T }

func (n neverRead) Read([]byte) (int, error) {
	n.t.Error("the body is read")
	return 0, io.EOF
}

func (neverRead) Close() error { return nil }

// TestUploadsRefusedUnread: who may not send files, or says that he will send too many,
// is refused before a byte of them is read.
func TestUploadsRefusedUnread(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Limits.UploadBytes = 1 << 20
		o.Admit = func(_ context.Context, id auth.Identity) error {
			if id.Key() == auth.Of(credentialOf(t, "disabled")).Key() {
				return apierror.New(apierror.Forbidden, "the user is disabled")
			}
			return nil
		}
	})
	for name, c := range map[string]struct {
		header map[string]string
		length int64
		status int
		text   string
	}{
		"nobody":              {nil, 100, 401, "only with a credential"},
		"unknown":             {map[string]string{"Authorization": "Bearer made-up"}, 100, 401, "does not know"},
		"nonsense":            {map[string]string{"Authorization": "nonsense"}, 100, 401, ""},
		"disabled":            {map[string]string{"Authorization": "Bearer disabled"}, 100, 403, "disabled"},
		"too large":           {map[string]string{"Authorization": "Bearer north"}, 1<<20 + 1, 413, "larger than"},
		"a bad key":           {map[string]string{"Authorization": "Bearer north", "Idempotency-Key": "a b"}, 100, 400, "Idempotency-Key"},
		"a form":              {map[string]string{"Cookie": sessionCookie, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 100, 403, "may not use"},
		"a form, old browser": {map[string]string{"Cookie": sessionCookie}, 100, 403, "GraphQL-Preflight"},
		"our own form":        {map[string]string{"Cookie": sessionCookie, "Origin": ownOrigin, "Sec-Fetch-Site": "same-origin"}, 100, 403, "GraphQL-Preflight"},
		"foreign with header": {map[string]string{"Cookie": sessionCookie, "Origin": "https://evil.example", "GraphQL-Preflight": "1"}, 100, 403, "may not use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.serveBody(t, c.header, neverRead{t}, c.length)
			if got.Code != c.status || !strings.Contains(got.Body.String(), c.text) {
				t.Errorf("%d %s, want %d with %q", got.Code, got.Body, c.status, c.text)
			}
		})
	}
	t.Cleanup(func() { shelf.wantEmpty(t) })
}

// TestUploadsFromOurPages: with the header that a foreign page can't send, a session may.
func TestUploadsFromOurPages(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, withSessions(t))
	header := uploadHeader("")
	delete(header, "Authorization")
	header["Cookie"], header["Origin"], header["GraphQL-Preflight"] = sessionCookie, appOrigin, "1"
	if got := b.do(t, call{body: formOf(t, stored(t, "x")...), header: header}); got.status != 200 || got.errors != nil {
		t.Errorf("%d %s", got.status, got.body)
	}
	await(t, shelf.got)
	for _, contentType := range []string{"text/plain", "text/plain; multipart/form-data; boundary=" + boundary, "application/x-www-form-urlencoded"} {
		header["Content-Type"] = contentType
		got := b.do(t, call{body: formOf(t, stored(t, "x")...), header: header})
		if got.status != 415 {
			t.Errorf("%s: %d %s", contentType, got.status, got.body)
		}
		delete(header, "GraphQL-Preflight")
		if got = b.do(t, call{body: formOf(t, stored(t, "x")...), header: header}); got.status != 403 {
			t.Errorf("%s: %d %s", contentType, got.status, got.body)
		}
		header["GraphQL-Preflight"] = "1"
	}
	if len(shelf.got) > 0 {
		t.Error("a resolver ran")
	}
}

// TestNoUploadInJSON: what JSON says instead of a file never reaches a resolver.
func TestNoUploadInJSON(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, nil)
	const query = `mutation($file: Upload, $files: [Upload!], $input: FileInput) { store(file: $file, files: $files, input: $input) }`
	fake := map[string]any{"File": "/etc/passwd", "Filename": "x", "Size": 1, "ContentType": "text/plain"}
	for field, variables := range map[string]map[string]any{
		"file":          {"file": fake},
		"files.1":       {"files": []any{nil, "text"}},
		"files":         {"files": fake},
		"input.file":    {"input": map[string]any{"file": 1}},
		"input.files.0": {"input": map[string]any{"files": []any{fake}}},
	} {
		got := b.query(t, query, variables)
		got.wantError(t, "BAD_USER_INPUT", "variable $"+field+" takes a file")
		if got.status != 400 || got.errors[0].Extensions["field"] != field || got.has["data"] != nil {
			t.Errorf("%s: %d %s", field, got.status, got.body)
		}
	}
	got := b.upload(t, operations(t, query, map[string]any{"file": nil, "input": map[string]any{"file": fake}}), mapOf(`{"0":["variables.file"]}`), file("0", "x"))
	got.wantError(t, "BAD_USER_INPUT", "$input.file takes a file")
	got = b.upload(t, operations(t, `mutation($any: JSON) { store(any: $any) }`, map[string]any{"any": map[string]any{"deep": []any{nil}}}),
		mapOf(`{"0":["variables.any.deep.0"]}`), file("0", "x"))
	got.wantError(t, "BAD_USER_INPUT", "$any takes no file")
	got = b.upload(t, operations(t, query, map[string]any{"files": nil}), mapOf(`{"0":["variables.files"]}`), file("0", "x"))
	got.wantError(t, "BAD_USER_INPUT", "$files is a list")
	client := b.connect(t, "")
	client.send(`{"type":"subscribe","id":"1","payload":{"query":"mutation($f: Upload) { store(file: $f) }","variables":{"f":{}}}}`)
	client.wantError("1", "BAD_USER_INPUT", "$f takes a file")
	if len(shelf.got) > 0 {
		t.Error("a resolver has a file")
	}
	shelf.wantEmpty(t)
}
