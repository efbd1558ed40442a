package simulator_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"

	"erpgraph/internal/simulator"
)

// fileSite is a site behind a listener with a user who may upload.
func fileSite(t *testing.T, o simulator.Options) (*simulator.Server, string) {
	t.Helper()
	o.Data = os.DirFS("testdata/site")
	o.Users = siteUsers()
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(web.Close)
	return s, web.URL
}

// post uploads as a form whose last part is streamed.
func post(t *testing.T, base, name string, content io.Reader) (int, doc) {
	t.Helper()
	body, pipe := io.Pipe()
	form := multipart.NewWriter(pipe)
	go func() {
		err := form.WriteField("is_private", "1")
		part, err2 := form.CreateFormFile("file", name)
		if err = errors.Join(err, err2); err == nil {
			_, err = io.Copy(part, content)
		}
		pipe.CloseWithError(errors.Join(err, form.Close()))
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/method/upload_file", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+asSales)
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Message doc }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return res.StatusCode, doc{"text": string(raw)}
	}
	return res.StatusCode, answer.Message
}

// TestHugeFile sends 100 MB up and down through a directory, with a heap that stays small.
// No test may run beside it, as it looks at the heap of the process.
func TestHugeFile(t *testing.T) { //nolint:paralleltest // as said
	const size = 100 << 20
	dir := t.TempDir()
	_, base := fileSite(t, simulator.Options{FilesDir: dir, MaxFileSize: size + 1<<20})
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, file := post(t, base, "huge.bin", io.LimitReader(zeros{}, size))
	if status != http.StatusOK || file["file_size"] != float64(size) {
		t.Fatalf("%d %v", status, file)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/private/files/huge.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+asSales)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	sum := md5.New()
	n, err := io.Copy(sum, res.Body)
	if err != nil || n != size || hex.EncodeToString(sum.Sum(nil)) != file["content_hash"] {
		t.Errorf("%d bytes came back, %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d MB were allocated on the way", grown>>20)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestUploadLimits has a request that is too large (transcript 582), a file that the
// site's settings forbid (File.check_max_file_size), and what is left of them: nothing.
func TestUploadLimits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, base := fileSite(t, simulator.Options{FilesDir: dir, MaxFileSize: 3 << 20})
	if err := s.Insert("System Settings", doc{"name": "System Settings", "max_file_size": 1}); err != nil {
		t.Fatal(err)
	}
	if status, _ := post(t, base, "a.txt", io.LimitReader(zeros{}, 4<<20)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d for too large a request", status)
	}
	if status, _ := post(t, base, "a.txt", io.LimitReader(zeros{}, 2<<20)); status != http.StatusExpectationFailed {
		t.Errorf("status %d for too large a file", status)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v stay behind, %v", left, err)
	}
}

// TestFileNames checks the names of file/utils.py: one that is taken gets the end of the
// content's hash, and equal contents share one file, which goes with the last document.
func TestFileNames(t *testing.T) {
	t.Parallel()
	_, base := fileSite(t, simulator.Options{})
	_, first := post(t, base, "a b?.txt", strings.NewReader("one"))
	_, second := post(t, base, "a b?.txt", strings.NewReader("two"))
	_, third := post(t, base, "c.txt", strings.NewReader("one"))
	hash, _ := second["content_hash"].(string)
	if first["file_url"] != "/private/files/a b_.txt" || second["file_name"] != "a b?"+hash[len(hash)-6:]+".txt" || third["file_url"] != first["file_url"] {
		t.Errorf("%v\n%v\n%v", first, second, third)
	}
	for i, d := range []doc{first, third} {
		name, _ := d["name"].(string)
		want := http.StatusOK
		if i == 1 {
			want = http.StatusForbidden
		}
		if status := send(t, http.MethodDelete, base+"/api/resource/File/"+name); status != http.StatusAccepted {
			t.Fatalf("status %d of the deletion", status)
		}
		if status := send(t, http.MethodGet, base+(&url.URL{Path: "/private/files/a b_.txt"}).EscapedPath()); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
	}
}

func send(t *testing.T, method, address string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+asAdmin)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
