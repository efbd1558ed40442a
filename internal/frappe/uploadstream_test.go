package frappe_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// generated is a file of size bytes that nobody holds; it counts what is read of it.
type generated struct {
	size, at int64
	read     atomic.Int64
}

func (f *generated) Read(p []byte) (int, error) {
	if f.at == f.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), f.size-f.at)
	for i := range p[:n] {
		p[i] = byte((f.at + int64(i)) % 251)
	}
	f.at += n
	f.read.Add(n)
	return int(n), nil
}

func (f *generated) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		f.at = offset
	}
	return f.at, nil
}

func (f *generated) upload() frappe.Upload {
	return frappe.Upload{Filename: "big.bin", Size: f.size, Content: f, Private: true}
}

// streaming is a client of a site that reads bodies as they come.
func streaming(t testing.TB, cfg frappe.Config, site http.HandlerFunc) *frappe.Client {
	t.Helper()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	cfg.BaseURL, cfg.Logger = server.URL, slog.New(slog.DiscardHandler)
	client, err := frappe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// sum reads the file of a form.
func sum(r *http.Request, seen func(n int64)) (hash.Hash, int64, error) {
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, 0, err
	}
	for {
		p, err := reader.NextPart()
		if err != nil {
			return nil, 0, err
		}
		if p.FormName() != "file" {
			continue
		}
		digest := sha256.New()
		n, err := io.CopyN(digest, p, 1<<20)
		if err != nil {
			return nil, n, err
		}
		seen(n)
		rest, err := io.Copy(digest, p)
		return digest, n + rest, err
	}
}

// The file is read while the site takes it, not before.
func TestUploadStreams(t *testing.T) {
	t.Parallel()
	file := &generated{size: 64 << 20}
	var readAtFirst, length int64
	var got []byte
	client := streaming(t, frappe.Config{}, func(w http.ResponseWriter, r *http.Request) {
		length = r.ContentLength
		digest, n, err := sum(r, func(int64) { readAtFirst = file.read.Load() })
		if err != nil || n != file.size {
			t.Errorf("%d bytes came: %v", n, err)
			return
		}
		got = digest.Sum(nil)
		stored.ServeHTTP(w, r)
	})
	if _, err := client.Upload(t.Context(), cred(t), file.upload()); err != nil {
		t.Fatal(err)
	}
	if readAtFirst >= file.size/2 {
		t.Errorf("%d bytes were read when the site had taken 1 MiB", readAtFirst)
	}
	if length < file.size || length > file.size+2000 {
		t.Errorf("announced %d bytes", length)
	}
	want := sha256.New()
	if _, err := io.Copy(want, &generated{size: file.size}); err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want.Sum(nil)) || file.read.Load() != file.size {
		t.Errorf("another content came, %d bytes were read", file.read.Load())
	}
}

// A renewed token sends the file again from its start, whether the site had taken it
// before, or refused it before it came.
func TestUploadRenews(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]int64{"unread": 0, "all": 1 << 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := &generated{size: 8 << 20}
			var calls atomic.Int64
			client := streaming(t, frappe.Config{}, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == 1 {
					_, _ = io.CopyN(io.Discard, r.Body, first)
					answer401.ServeHTTP(w, r)
					return
				}
				if _, n, err := sum(r, func(int64) {}); err != nil || n != file.size {
					t.Errorf("%d bytes came: %v", n, err)
				}
				if token := r.Header.Get("Authorization"); token != "Bearer t1" {
					t.Errorf("sent %q", token)
				}
				stored.ServeHTTP(w, r)
			})
			source := &tokens{}
			written, err := client.Upload(t.Context(), frappe.Renewable("s", source), file.upload())
			if err != nil || written.Name != "f1" || calls.Load() != 2 || len(source.refused) != 1 {
				t.Errorf("got %+v, %v after %d calls", written, err, calls.Load())
			}
			if first == 0 && file.read.Load() != file.size {
				t.Errorf("read %d bytes for a site that had refused before", file.read.Load())
			}
		})
	}
}

// The first try's body is no longer read once the second has begun, whoever holds it.
func TestUploadRenewsInTheMiddle(t *testing.T) {
	t.Parallel()
	file := &generated{size: 1 << 20}
	var held io.ReadCloser
	client := offline(t, frappe.Config{}, func(r *http.Request) (*http.Response, error) {
		if held == nil {
			held = r.Body
			_, err := io.CopyN(io.Discard, held, 1<<18)
			return reply(answer401), err
		}
		if n, err := held.Read(make([]byte, 10)); n != 0 || err == nil {
			t.Errorf("the first body gave %d bytes", n)
		}
		digest, n, err := sum(r, func(int64) {})
		want := sha256.New()
		_, _ = io.Copy(want, &generated{size: file.size})
		if err != nil || n != file.size || string(digest.Sum(nil)) != string(want.Sum(nil)) {
			t.Errorf("another file of %d bytes came: %v", n, err)
		}
		return reply(stored), nil
	})
	if _, err := client.Upload(t.Context(), frappe.Renewable("s", &tokens{}), file.upload()); err != nil {
		t.Error(err)
	}
}

// slowly takes a body in chunks, one every pause, and then answers after the last one.
func slowly(pause time.Duration, chunk int, last time.Duration) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		buffer := make([]byte, chunk)
		for wait := pause; ; {
			n, _ := io.ReadFull(r.Body, buffer)
			ended := n < chunk
			if ended {
				wait = last
			}
			select {
			case <-time.After(wait):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			if ended {
				return reply(stored), nil
			}
		}
	}
}

// The timeout is one without progress: a large file may take its time, a site that stalls
// may not.
func TestUploadTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 10 * time.Second
	for name, c := range map[string]struct {
		site roundTripper
		code apierror.Code
		took time.Duration
		sent bool
	}{
		"slow, but steady":   {site: slowly(9*time.Second, 10<<20, 9*time.Second), took: 99 * time.Second},
		"it stalls":          {site: slowly(11*time.Second, 10<<20, 0), code: apierror.UpstreamTimeout, took: timeout},
		"it never answers":   {site: slowly(time.Second, 10<<20, time.Hour), code: apierror.UpstreamTimeout, took: timeout + 9*time.Second, sent: true},
		"it takes for hours": {site: slowly(9*time.Second, 32<<10, 0), code: apierror.UpstreamTimeout, took: timeout + 3200*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := offline(t, frappe.Config{Timeout: timeout}, c.site)
				file := &generated{size: 100 << 20}
				start := time.Now()
				_, err := client.Upload(t.Context(), cred(t), file.upload())
				var e *frappe.Error
				if apierror.CodeOf(err) != c.code || errors.As(err, &e) && e.Uncertain != c.sent {
					t.Errorf("got %+v", err)
				}
				if took := time.Since(start); took < c.took-time.Second || took > c.took+time.Second {
					t.Errorf("took %s, want %s", took, c.took)
				}
			})
		})
	}
}

// Uploads wait for each other, and reads for none of them.
func TestUploadPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		uploads := 0
		client := offline(t, frappe.Config{MaxConcurrent: 1, Timeout: 10 * time.Second}, func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "upload_file") {
				return reply(document), nil
			}
			uploads++
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		var outcomes [2]error
		var wg sync.WaitGroup
		for i := range outcomes {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5-i)*time.Second)
				defer cancel()
				_, outcomes[i] = client.Upload(ctx, cred(t), textFile("x"))
			})
			synctest.Wait() // the first has the place
		}
		if _, err := client.Document(t.Context(), cred(t), "Customer", "X"); err != nil {
			t.Error(err)
		}
		wg.Wait()
		for i, err := range outcomes {
			var e *frappe.Error
			if !errors.As(err, &e) || e.Code != apierror.UpstreamTimeout || e.Uncertain != (i == 0) {
				t.Errorf("%d: %+v", i, e)
			}
		}
		if uploads != 1 {
			t.Errorf("%d uploads at a time", uploads)
		}
	})
}

// net/http may hold on to a body for longer than the call. The content is the caller's
// again by then.
func TestUploadLetsGo(t *testing.T) {
	t.Parallel()
	var held io.ReadCloser
	client := offline(t, frappe.Config{}, func(r *http.Request) (*http.Response, error) {
		held = r.Body
		if _, err := io.CopyN(io.Discard, r.Body, 1000); err != nil {
			return nil, fmt.Errorf("the first bytes: %w", err)
		}
		return reply(stored), nil
	})
	file := &generated{size: 1 << 20}
	if _, err := client.Upload(t.Context(), cred(t), file.upload()); err != nil {
		t.Fatal(err)
	}
	before := file.read.Load()
	if n, err := io.Copy(io.Discard, held); err == nil || file.read.Load() != before {
		t.Errorf("read %d more bytes: %v", n, err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
}
