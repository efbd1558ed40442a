package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

// part is one part of a form. The zero filename sends none.
type part struct {
	name, filename, content string
	header                  map[string]string
}

// boundary is that of every form of these tests.
const boundary = "erpgraph-test-boundary"

// formOf writes a form as browsers do.
func formOf(t testing.TB, parts ...part) string {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		disposition := fmt.Sprintf(`form-data; name="%s"`, p.name)
		if p.filename != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, p.filename)
		}
		header := textproto.MIMEHeader{"Content-Disposition": {disposition}}
		for name, value := range p.header {
			header.Set(name, value)
		}
		to, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(to, p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// upload sends a form with a credential.
func (b *testBundle) upload(t testing.TB, parts ...part) reply {
	t.Helper()
	return b.do(t, call{body: formOf(t, parts...), header: uploadHeader("north")})
}

func uploadHeader(token string) map[string]string {
	return map[string]string{
		"Content-Type": "multipart/form-data; boundary=" + boundary, "Authorization": "Bearer " + token, "Accept": graphqlJSON,
	}
}

// received is a file as a resolver found it.
type received struct {
	path, filename, contentType, content string
	size                                 int64
	sum                                  []byte
	file                                 io.ReadSeeker
}

// shelf is a resolver that reads the files it gets, in the order of the schema.
type shelf struct {
	dir string
	got chan received
}

func (s *shelf) store(_ context.Context, args map[string]any) (any, error) {
	count := 0
	var walk func(path string, value any) error
	walk = func(path string, value any) error {
		switch value := value.(type) {
		case graphql.Upload:
			count++
			content, err := io.ReadAll(value.File)
			if err != nil {
				return err
			}
			hashed, ok := value.File.(interface{ SHA256() []byte })
			if !ok {
				return fmt.Errorf("%T has no SHA256", value.File)
			}
			s.got <- received{path, value.Filename, value.ContentType, string(content), value.Size, hashed.SHA256(), value.File}
		case []graphql.Upload:
			for i, element := range value {
				if err := walk(fmt.Sprint(path, ".", i), element); err != nil {
					return err
				}
			}
		case []any:
			for i, element := range value {
				if err := walk(fmt.Sprint(path, ".", i), element); err != nil {
					return err
				}
			}
		case map[string]any:
			for _, name := range []string{"file", "files"} {
				if err := walk(path+"."+name, value[name]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, name := range []string{"file", "files", "input"} {
		if err := walk(name, args[name]); err != nil {
			return nil, err
		}
	}
	return fmt.Sprint(count), nil
}

// setupUploads is a server whose callers are called as their tokens begin; the token
// "nobody" is one that ERPNext does not know.
func setupUploads(t testing.TB, change func(*httpapi.Options)) (*testBundle, *shelf) {
	t.Helper()
	s := &shelf{dir: t.TempDir(), got: make(chan received, 100)}
	b := setup(t, map[string]resolver{"store": s.store}, func(o *httpapi.Options) {
		o.UploadDir = s.dir
		o.User = func(_ context.Context, id auth.Identity) (string, error) {
			for _, name := range []string{"north", "south"} {
				if id.Key() == auth.Of(credentialOf(t, name)).Key() || id.Key() == auth.Of(credentialOf(t, name+"-2")).Key() || id.FromSession() {
					return name, nil
				}
			}
			return "", unknownCaller()
		}
		if change != nil {
			change(o)
		}
	})
	return b, s
}

// wantEmpty: no file may have a name in the directory for uploads.
func (s *shelf) wantEmpty(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// operations is the first part of a form.
func operations(t testing.TB, document string, variables map[string]any) part {
	t.Helper()
	return part{name: "operations", content: params(t, document, variables)}
}

func mapOf(text string) part { return part{name: "map", content: text} }

func file(name, content string) part {
	return part{name: name, filename: name + ".txt", content: content, header: map[string]string{"Content-Type": "text/plain"}}
}

const storeFile = `mutation($file: Upload) { store(file: $file) }`

// stored are the parts of the smallest upload.
func stored(t testing.TB, content string) []part {
	t.Helper()
	return []part{operations(t, storeFile, map[string]any{"file": nil}), mapOf(`{"0":["variables.file"]}`), file("0", content)}
}

// serveBody answers a form whose body is this one, without a connection.
func (b *testBundle) serveBody(t *testing.T, header map[string]string, body io.ReadCloser, length int64) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", body)
	r.ContentLength = length
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// long is a text of n bytes.
func long(n int) string { return strings.Repeat("x", n) }
