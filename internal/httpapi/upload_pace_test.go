package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"erpgraph/internal/httpapi"
)

// pipeListener gives a server one connection, whose clock a test can turn.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// TestPaceOfUploads: an upload may take minutes, but must go on. The clock is that of
// the test, so no minute passes.
func TestPaceOfUploads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		each   int           // bytes sent at a time
		pause  time.Duration // between them
		size   int           // of the file
		status int
		// after is when the answer comes, at the earliest and latest.
		after, before time.Duration
	}{
		"fast":              {1 << 20, 0, 4 << 20, 200, 0, time.Second},
		"slow, but steady":  {32 << 10, time.Second, 2 << 20, 200, 63 * time.Second, 66 * time.Second},
		"with long pauses":  {256 << 10, 14 * time.Second, 1 << 20, 200, 56 * time.Second, 58 * time.Second},
		"nothing more":      {1 << 10, time.Hour, 1 << 20, 408, 15 * time.Second, 16 * time.Second},
		"a byte at a time":  {1, time.Second, 1 << 20, 408, 15 * time.Second, 16 * time.Second},
		"too slow in all":   {8 << 10, time.Second, 1 << 20, 408, 28 * time.Second, 32 * time.Second},
		"pauses after much": {64 << 10, 16 * time.Second, 1 << 20, 408, 15 * time.Second, 17 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shelf := &shelf{dir: t.TempDir(), got: make(chan received, 1)}
			form := formOf(t, stored(t, long(c.size))...)
			synctest.Test(t, func(t *testing.T) {
				status, elapsed := sendSlowly(t, shelf, form, c.each, c.pause)
				if status != c.status || elapsed < c.after || elapsed > c.before {
					t.Errorf("status %d after %s, want %d between %s and %s", status, elapsed, c.status, c.after, c.before)
				}
			})
			shelf.wantEmpty(t)
		})
	}
}

// sendSlowly runs in a bubble of synctest.
func sendSlowly(t *testing.T, shelf *shelf, form string, each int, pause time.Duration) (status int, elapsed time.Duration) {
	t.Helper()
	handler, err := httpapi.New(httpapi.Options{
		Schema: executable(t, map[string]resolver{"store": shelf.store}), UploadDir: shelf.dir, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	listener := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	listener.conns <- server
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- httpapi.Serve(ctx, listener, handler, time.Minute, slog.New(slog.DiscardHandler)) }()

	started := time.Now()
	answered, sent := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sent)
		head := "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer north\r\nContent-Length: %d\r\nContent-Type: multipart/form-data; boundary=%s\r\n\r\n"
		if _, err := fmt.Fprintf(client, head, len(form), boundary); err != nil {
			return
		}
		for rest := form; rest != ""; {
			n := min(each, len(rest))
			if _, err := io.WriteString(client, rest[:n]); err != nil {
				return // the server gave up
			}
			if rest = rest[n:]; pause == 0 {
				continue
			}
			select {
			case <-time.After(pause):
			case <-answered:
				return
			}
		}
	}()
	response, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	elapsed = time.Since(started)
	close(answered)
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusRequestTimeout && (!strings.Contains(string(text), "too slowly") || !response.Close) {
		t.Errorf("%v %s", err, text)
	}
	_ = response.Body.Close()
	_ = client.Close()
	<-sent
	stop()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	return response.StatusCode, elapsed
}

// TestTimeOfUploads: ERPNext may take its time for a file, and the operation waits for it.
func TestTimeOfUploads(t *testing.T) {
	t.Parallel()
	left := make(chan time.Duration, 1)
	b := setup(t, map[string]resolver{"store": func(ctx context.Context, _ map[string]any) (any, error) {
		deadline, _ := ctx.Deadline()
		left <- time.Until(deadline)
		return "x", nil
	}}, func(o *httpapi.Options) { o.UploadDir, o.Limits.Time = t.TempDir(), 10*time.Second })
	for name, c := range map[string]struct {
		parts []part
		want  time.Duration
	}{
		"small": {stored(t, "x"), 10 * time.Second},
		"large": {stored(t, long(1<<20)), 42 * time.Second},
		"two files": {[]part{
			operations(t, `mutation($a: Upload, $b: [Upload!]) { store(file: $a, files: $b) }`, map[string]any{"a": nil, "b": []any{nil}}),
			mapOf(`{"0":["variables.a"],"1":["variables.b.0"]}`), file("0", long(64<<10)), file("1", long(64<<10)),
		}, 14 * time.Second},
		"to two places": {[]part{
			operations(t, `mutation($a: Upload, $b: [Upload!]) { store(file: $a, files: $b) }`, map[string]any{"a": nil, "b": []any{nil}}),
			mapOf(`{"0":["variables.a", "variables.b.0"]}`), file("0", long(64<<10)),
		}, 14 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.upload(t, c.parts...)
			if len(got.errors) > 0 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if is := await(t, left); is > c.want || is < c.want-5*time.Second {
				t.Errorf("%s left, want %s", is, c.want)
			}
		})
	}
	b.query(t, `mutation { store }`, nil)
	if is := await(t, left); is > 10*time.Second {
		t.Errorf("%s without a file", is)
	}
}
