package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"erpgraph/internal/simulator"
)

const uploadFile = `mutation($file: Upload!, $to: AttachTo, $private: Boolean! = true) { uploadFile(file: $file, attachTo: $to, private: $private) {
	name url size private document { name doctype ... on File { fileName isPrivate attachedToName } } } }`

// upload sends one file by the GraphQL multipart request specification, as it is read.
func upload(tb testing.TB, address, credential, filename string, content io.Reader, variables map[string]any, header map[string]string) (answer, error) {
	tb.Helper()
	all := map[string]any{"file": nil}
	maps.Copy(all, variables)
	operations, err := json.Marshal(map[string]any{"query": uploadFile, "variables": all})
	if err != nil {
		tb.Fatal(err)
	}
	body, pipe := io.Pipe()
	form := multipart.NewWriter(pipe)
	go func() {
		err := form.WriteField("operations", string(operations))
		err = errors.Join(err, form.WriteField("map", `{"0":["variables.file"]}`))
		part, err2 := form.CreateFormFile("0", filename)
		if err = errors.Join(err, err2); err == nil {
			_, err = io.Copy(part, content)
		}
		pipe.CloseWithError(errors.Join(err, form.Close()))
	}()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, address+"/graphql", body)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", credential)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	out := answer{raw: raw, status: res.StatusCode}
	return out, json.Unmarshal(raw, &out)
}

// uploaded sends a file that must be stored.
func (b *bundle) uploaded(t *testing.T, credential, filename, content string, variables map[string]any) map[string]any {
	t.Helper()
	got, err := upload(t, b.url, credential, filename, strings.NewReader(content), variables, nil)
	if err != nil {
		t.Fatal(err)
	}
	var data struct{ UploadFile map[string]any }
	got.into(t, &data)
	return data.UploadFile
}

// A private file is attached to a document, read by those who may, and by nobody else.
func TestUpload(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	got := b.uploaded(t, sales, "réport 1.txt", "private text\n", map[string]any{"to": map[string]any{"doctype": "Customer", "name": "Semi;Colon"}})
	doc := part(got, "document")
	if got["private"] != true || got["size"] != 13.0 || doc["doctype"] != "File" || doc["attachedToName"] != "Semi;Colon" || doc["name"] != got["name"] {
		t.Errorf("stored %v", got)
	}
	address := text(got, "url")
	if !strings.HasPrefix(address, b.url+"/private/files/") {
		t.Fatalf("the file is at %s", address)
	}
	for credential, want := range map[string]int{sales: http.StatusOK, "": http.StatusUnauthorized, nobody: http.StatusForbidden} {
		status, body := download(t, address, credential)
		if status != want || want == http.StatusOK && body != "private text\n" {
			t.Errorf("%q gets %d %q", credential, status, body)
		}
	}
	public := b.uploaded(t, sales, "p.png", "PNG", map[string]any{"private": false})
	if public["private"] != false || !strings.HasPrefix(text(public, "url"), b.siteURL+"/files/") {
		t.Errorf("stored %v", public)
	}
}

func download(tb testing.TB, address, credential string) (status int, body string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if credential != "" {
		req.Header.Set("Authorization", credential)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// Files that can't be stored: each is refused, and says why.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for name, tt := range map[string]struct {
		credential string
		content    string
		variables  map[string]any
		code       string
	}{
		"nobody's":               {"", "x", nil, "UNAUTHENTICATED"},
		"to a forbidden one":     {two, "x", map[string]any{"to": map[string]any{"doctype": "Customer", "name": "Semi;Colon"}}, "FORBIDDEN"},
		"to what does not exist": {sales, "x", map[string]any{"to": map[string]any{"doctype": "Customer", "name": "Nobody At All"}}, "NOT_FOUND"},
		"empty":                  {sales, "", nil, "BAD_USER_INPUT"},
	} {
		got, err := upload(t, b.url, tt.credential, "a.txt", strings.NewReader(tt.content), tt.variables, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !slices.Equal(got.codes(), []string{tt.code}) {
			t.Errorf("%s: codes %v, want %s: %s", name, got.codes(), tt.code, got.raw)
		}
	}
	// A client can't pass off JSON as a file.
	for _, file := range []any{"text", map[string]any{"File": "x", "Filename": "/etc/passwd"}, []any{1}} {
		if got := b.query(t, sales, uploadFile, map[string]any{"file": file}); !slices.Contains(got.codes(), "BAD_USER_INPUT") {
			t.Errorf("%v: %s", file, got.raw)
		}
	}
}

// The same key and file: stored once. The same key and another file: refused.
func TestUploadWithKey(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	send := func(content string) answer {
		got, err := upload(t, b.url, sales, "once.txt", strings.NewReader(content), nil, map[string]string{keyHeader: "upload-1"})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first, again, other := send("content"), send("content"), send("other")
	if string(first.Data) != string(again.Data) || len(first.Errors) > 0 {
		t.Errorf("stored %s, then %s", first.raw, again.raw)
	}
	if !slices.Equal(other.codes(), []string{"BAD_USER_INPUT"}) {
		t.Errorf("another file: %s", other.raw)
	}
}

// fileSize is that of the file which goes up and comes down in BenchmarkFile.
const fileSize = 100 << 20

// BenchmarkFile sends a file of 100 MB up and down again through a `serve` process of its
// own, and tells by how much the process has grown: MB-up and MB-down are the highest
// resident size, against that before, of which at most 64 are allowed. Linux only.
//
//	go test -run '^$' -bench BenchmarkFile -benchtime 1x ./e2e
func BenchmarkFile(b *testing.B) {
	site := recordedSite()
	site.FilesDir, site.MaxFileSize = b.TempDir(), 2*fileSize
	server, err := simulator.New(site)
	if err != nil {
		b.Fatal(err)
	}
	t := setup(b, options{signIn: true, site: server})
	address := freeAddress(b)
	pid := t.process(b, address)
	if _, err := upload(b, "http://"+address, sales, "warm.txt", strings.NewReader("warm"), nil, nil); err != nil {
		b.Fatal(err)
	}
	before := resident(b, pid, "VmRSS")
	var up, down int
	for b.Loop() {
		sent := sha256.New()
		got, err := upload(b, "http://"+address, sales, fmt.Sprintf("big-%d.bin", b.N), io.TeeReader(io.LimitReader(&pattern{}, fileSize), sent), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		var data struct {
			UploadFile struct {
				Size int
				URL  string
			}
		}
		got.into(b, &data)
		up = max(up, resident(b, pid, "VmHWM")-before)
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, strings.Replace(data.UploadFile.URL, t.url, "http://"+address, 1), nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", sales)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		came := sha256.New()
		n, err := io.Copy(came, res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			b.Fatal(err)
		}
		if n != fileSize || !bytes.Equal(came.Sum(nil), sent.Sum(nil)) {
			b.Fatalf("%d bytes came back, %s, want %s", n, hex.EncodeToString(came.Sum(nil)), hex.EncodeToString(sent.Sum(nil)))
		}
		down = max(down, resident(b, pid, "VmHWM")-before)
	}
	b.ReportMetric(float64(up)/1024, "MB-up")
	b.ReportMetric(float64(down)/1024, "MB-down")
	b.SetBytes(2 * fileSize)
}

// pattern is content that no compression or page of zeros makes small.
type pattern struct{ state uint64 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		p.state = p.state*6364136223846793005 + 1442695040888963407
		b[i] = byte(p.state >> 56)
	}
	return len(b), nil
}

// resident is a size of a process in kB, as Linux tells it.
func resident(tb testing.TB, pid int, what string) int {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	tb.Fatalf("no %s in %s", what, status)
	return 0
}
