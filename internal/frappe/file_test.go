package frappe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

func TestFile(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{MaxResponseBytes: 5}, loadTranscript(t, "423-file-private-token").Response)
	var calls []frappe.Call
	ctx := frappe.WithObserver(t.Context(), func(c frappe.Call) { calls = append(calls, c) })
	stream, err := b.File(ctx, cred(t), "/private/files/report é.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(stream.Body)
	if err != nil || string(text) != "private text\n" {
		t.Errorf("got %q, %v", text, err)
	}
	if stream.Filename != "report é.txt" || stream.ContentType != "text/plain; charset=utf-8" {
		t.Errorf("got %+v", stream)
	}
	if got := b.last(t).header.Get("Accept-Encoding"); got != "identity" {
		t.Errorf("Accept-Encoding %q", got)
	}
	if uri := b.last(t).uri; uri != "/private/files/report%20%C3%A9.txt" {
		t.Errorf("sent %s", uri)
	}
	if len(calls) != 0 {
		t.Error("told before the end")
	}
	for range 2 { // a second Close is harmless
		if err := stream.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(calls) != 1 || calls[0].Bytes != int64(len(text)) || calls[0].Method != "file" || calls[0].Status != 200 || calls[0].Err != nil {
		t.Errorf("told %+v", calls)
	}
}

func TestFilePaths(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"/files/a.png":             "/files/a.png",
		"/files/sub/a b#?&;.png":   "/files/sub/a%20b%23%3F&%3B.png",
		"/private/files/100%.pdf":  "/private/files/100%25.pdf",
		"/private/files/..x...y":   "/private/files/..x...y",
		"/files/already%20escaped": "/files/already%2520escaped",
		"/private/files/東京.txt":    "/private/files/%E6%9D%B1%E4%BA%AC.txt",
	}
	for path, want := range good {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, answer{Status: http.StatusOK, Body: "x"})
			stream, err := b.File(t.Context(), cred(t), path)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			if got := b.last(t).uri; got != want {
				t.Errorf("sent %s, want %s", got, want)
			}
		})
	}
	b := setup(t, frappe.Config{}, answer{Status: http.StatusOK, Body: "x"})
	for _, path := range []string{
		"", "/", "files/x", "/files", "/files/", "/private/files/", "/private/x", "/api/method/ping", "/backups/x.sql",
		"/files/../private/files/x", "/files/..", "/files/./x", "/files//x", "/files/x/", "//files/x",
		"/private/private/files/x", "/files/%2e%2e/x", "/files/a%2f..%2fb", "/files/..%5cx", `/files/..\x`, `/files/a\b`,
		"/files/a\x00b", "/files/a\r\nb", "/files/\xff", "https://evil.example/files/x", "/files/https:%2F%2Fevil.x",
		"/files/" + strings.Repeat("x", 3000), "@evil.example/files/x", ".evil.example/files/x",
	} {
		if _, err := b.File(t.Context(), cred(t), path); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%.60q: %v", path, err)
		}
	}
	if b.count() != 0 {
		t.Errorf("%d requests were sent", b.count())
	}
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	page := func(code int) answer {
		return answer{Status: code, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<h1>no</h1>"}
	}
	for name, c := range map[string]struct {
		answer answer
		code   apierror.Code
	}{
		"guest":   {loadTranscript(t, "424-file-private-guest").Response, apierror.Forbidden},
		"missing": {loadTranscript(t, "429-file-missing").Response, apierror.Forbidden},
		"404":     {page(404), apierror.NotFound},
		"401":     {answer401, apierror.Unauthenticated},
		"a proxy": {page(401), apierror.UpstreamUnavailable},
		"503":     {page(503), apierror.UpstreamUnavailable},
		"zipped":  {answer{Status: 200, Headers: map[string]string{"Content-Encoding": "br"}}, apierror.UpstreamUnavailable},
		"206":     {page(206), apierror.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{MaxConcurrent: 1}, c.answer)
			for range 3 { // a failure gives its place back
				if _, err := b.File(t.Context(), cred(t), "/files/x"); apierror.CodeOf(err) != c.code {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

// Slow downloads hold no place of the calls, and end with their context.
func TestFileStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := offline(t, frappe.Config{MaxConcurrent: 1, Timeout: 10 * time.Second}, func(r *http.Request) (*http.Response, error) {
			if !strings.HasPrefix(r.URL.Path, "/files/") {
				return reply(document), nil
			}
			response := reply(answer{Status: http.StatusOK})
			response.Body = slowBody(func(p []byte) (int, error) {
				select {
				case <-time.After(3 * time.Second): // of the bubble's time
					p[0] = 'x'
					return 1, nil
				case <-r.Context().Done():
					return 0, fmt.Errorf("read: %w", r.Context().Err())
				}
			})
			return response, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := client.File(ctx, cred(t), "/files/big")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Document(t.Context(), cred(t), "Customer", "X"); err != nil {
			t.Errorf("a call waits for a download: %v", err)
		}
		buf := make([]byte, 1)
		for range 4 { // longer than Timeout, and yet it goes on
			if _, err := stream.Body.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		var second *frappe.FileStream
		var wg sync.WaitGroup
		wg.Go(func() {
			stream, err := client.File(t.Context(), cred(t), "/files/next")
			if err != nil {
				t.Error(err)
				return
			}
			second = stream
		})
		if _, err := stream.Body.Read(buf); err != nil {
			t.Fatal(err)
		}
		if second != nil {
			t.Error("two downloads at once")
		}
		cancel()
		if _, err := stream.Body.Read(buf); !errors.Is(err, context.Canceled) {
			t.Errorf("read after the end: %v", err)
		}
		_ = stream.Body.Close()
		wg.Wait()
		if second != nil {
			_ = second.Body.Close()
		}
	})
}

// slowBody is a body whose reads take their time.
type slowBody func(p []byte) (int, error)

func (read slowBody) Read(p []byte) (int, error) { return read(p) }
func (slowBody) Close() error                    { return nil }
