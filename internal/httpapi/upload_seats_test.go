package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/httpapi"
)

// halfway is an upload that has sent a part of its file and waits.
type halfway struct {
	rest  string
	body  *io.PipeWriter
	leave context.CancelFunc
	reply chan int // the status, 0 for none
}

// begin sends the first half of a form, once the server has asked for it: then the
// upload has its place.
func (b *testBundle) begin(t *testing.T, token string) *halfway {
	t.Helper()
	form := formOf(t, stored(t, long(1<<20))...)
	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/graphql", from)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range uploadHeader(token) {
		r.Header.Set(name, value)
	}
	r.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: patience}
	t.Cleanup(transport.CloseIdleConnections)
	h := &halfway{rest: form[len(form)/2:], body: to, leave: cancel, reply: make(chan int, 1)}
	go func() {
		response, err := transport.RoundTrip(r)
		if err != nil {
			h.reply <- 0
			return
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		h.reply <- response.StatusCode
	}()
	if _, err := io.WriteString(to, form[:len(form)/2]); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *halfway) finish(t *testing.T) int {
	t.Helper()
	if _, err := io.WriteString(h.body, h.rest); err != nil {
		t.Error(err)
	}
	_ = h.body.Close()
	return await(t, h.reply)
}

// uploadsAtOnce bounds the uploads and is short of patience with those beyond.
func uploadsAtOnce(n int) func(*httpapi.Options) {
	return func(o *httpapi.Options) { o.Limits.Uploads, o.Limits.QueueTime = n, 50*time.Millisecond }
}

// TestShareOfUploads: of 8 a user has 2, whatever credentials he has, and JSON goes on.
func TestShareOfUploads(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, uploadsAtOnce(8))
	first := []*halfway{b.begin(t, "north"), b.begin(t, "north-2")}
	got := b.upload(t, stored(t, "x")...)
	got.wantError(t, "RATE_LIMITED", "too many uploads of this caller")
	if got.status != 429 || got.header.Get("Retry-After") != "1" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := b.do(t, call{body: formOf(t, stored(t, "x")...), header: uploadHeader("south")}); got.status != 200 {
		t.Errorf("another user: %d %s", got.status, got.body)
	}
	if got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Authorization": "Bearer north"}}); got.status != 200 {
		t.Errorf("JSON: %d %s", got.status, got.body)
	}
	for _, h := range first {
		if status := h.finish(t); status != 200 {
			t.Errorf("status %d", status)
		}
		h.leave()
	}
	if got := b.upload(t, stored(t, "x")...); got.status != 200 {
		t.Errorf("the place was not given back: %d %s", got.status, got.body)
	}
	shelf.wantEmpty(t)
}

// TestUploadsOfAll: one place for all is soon taken.
func TestUploadsOfAll(t *testing.T) {
	t.Parallel()
	b, _ := setupUploads(t, uploadsAtOnce(1))
	h := b.begin(t, "north")
	defer h.leave()
	got := b.do(t, call{body: formOf(t, stored(t, "x")...), header: uploadHeader("south")})
	got.wantError(t, "RATE_LIMITED", "too many uploads run at once")
	if got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if status := h.finish(t); status != 200 {
		t.Errorf("status %d", status)
	}
}

// TestClientLeavesInTheMiddle: its place is free again, after its file is gone.
func TestClientLeavesInTheMiddle(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, func(o *httpapi.Options) { o.Limits.Uploads = 1 })
	for range 3 {
		h := b.begin(t, "north")
		h.leave()
		_ = h.body.CloseWithError(errors.New("gone"))
		if status := await(t, h.reply); status != 0 {
			t.Errorf("status %d", status)
		}
	}
	got := b.upload(t, stored(t, "x")...) // waits for the place
	if got.status != 200 || len(shelf.got) != 1 {
		t.Errorf("%d %s, %d ran", got.status, got.body, len(shelf.got))
	}
	shelf.wantEmpty(t)
}

// TestPanicWithAnUpload: outside of resolvers, where the router answers, the file is
// closed as well.
func TestPanicWithAnUpload(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, func(o *httpapi.Options) {
		o.Limits.Uploads = 1
		o.Hooks.AroundResponses = func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
			next(ctx)
			panic("around")
		}
	})
	for range 2 {
		got := b.upload(t, stored(t, "x")...)
		got.wantError(t, "INTERNAL", "internal error")
		if r := await(t, shelf.got); got.status != 500 {
			t.Errorf("%d %s", got.status, got.body)
		} else if _, err := io.ReadAll(rewound(t, r.file)); err == nil {
			t.Error("the file is open after a panic")
		}
	}
	shelf.wantEmpty(t)
}

// TestDiskThatCantBeUsed: that is not the client's fault, and its text is for the log.
func TestDiskThatCantBeUsed(t *testing.T) {
	t.Parallel()
	b, shelf := setupUploads(t, func(o *httpapi.Options) { o.UploadDir += "/missing" })
	got := b.upload(t, stored(t, "x")...)
	got.wantError(t, string(apierror.Internal), "internal error")
	if got.status != 500 || len(shelf.got) > 0 || strings.Contains(got.body, "missing") || !strings.Contains(b.log.String(), "missing") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func rewound(t *testing.T, file io.ReadSeeker) io.Reader {
	t.Helper()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return file
}
