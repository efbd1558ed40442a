package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/app"
	"erpgraph/internal/simulator"
)

// serviceKey is the API key of an account that may read all that is watched.
const serviceKey = "4a1c0f5be2d1109:svcfull0secret9a"

// patience is how long a test waits for an event.
const patience = 30 * time.Second

// watch sets the site up as an administrator does, and delivers its webhooks.
func (b *bundle) watch(tb testing.TB, opts *options, url string) {
	tb.Helper()
	if opts.beside != nil {
		b.webhookSecret = opts.beside.webhookSecret
	} else {
		b.setUpWebhooks(tb, url)
	}
	before := opts.config
	opts.config = func(cfg *app.Config) {
		cfg.WebhookSecrets, cfg.ServiceKey = []string{b.webhookSecret}, serviceKey
		cfg.CatchupEvery = time.Hour // but at the start: what webhooks bring is tested without it
		if before != nil {
			before(cfg)
		}
	}
	opts.signIn = opts.signIn || opts.beside != nil
	if opts.app.Now == nil {
		opts.app.Now = time.Now
	}
}

// setUpWebhooks runs `erpgraph setup` against the site.
func (b *bundle) setUpWebhooks(tb testing.TB, url string) {
	tb.Helper()
	env := filepath.Join(tb.TempDir(), "erpgraph.env")
	var out bytes.Buffer
	code := app.MainWith(tb.Context(), []string{
		"setup", "--erpnext-url", b.siteURL, "--admin-key", admin[len("token "):], "--public-url", url, "--write-env", env,
	}, &out, &out, app.Options{})
	if code != 0 {
		tb.Fatalf("setup: %s", out.String())
	}
	b.webhookSecret = settingOf(tb, env, "ERPNEXT_WEBHOOK_SECRETS")
	if b.webhookSecret == "" {
		tb.Fatalf("setup kept no ERPNEXT_WEBHOOK_SECRETS:\n%s", out.String())
	}
	b.site.SetDelivery(simulator.Delivery{Workers: 4, RetryWaits: []time.Duration{time.Millisecond, time.Millisecond}})
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- b.site.DeliverWebhooks(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			tb.Errorf("deliver webhooks: %v", err)
		}
	})
}

// run runs the App on the listener until the test ends.
func (b *bundle) run(tb testing.TB, a *app.App, listener net.Listener) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, listener) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			tb.Errorf("run: %v", err)
		}
	})
	b.until(tb, "ready", func() bool { return ready(tb, b.url+"/readyz") })
}

// settingOf reads one setting of a file that setup keeps.
func settingOf(tb testing.TB, file, name string) string {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// until waits for a condition.
func (b *bundle) until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-late:
			tb.Fatalf("not %s in time:\n%s", what, b.log)
		case <-tb.Context().Done():
			tb.Fatalf("not %s:\n%s", what, b.log)
		}
	}
}

// stream is a subscription over a socket of its own.
type stream struct {
	b      *bundle
	socket *socket
	id     int
}

// change is an event.
type change struct {
	Cursor, Kind, Name, ID, PreviousName, Doctype string
	Snapshot                                      bool
	Order, Removed                                []string
	Added, Changed                                []map[string]any
	Document                                      map[string]any
	// Errors and Closed are what came instead.
	Errors string
	Done   bool
	Code   string
	Resume string
}

// subscribe begins a subscription as a caller. It is under way when it returns: what
// happens from then on is told.
func (b *bundle) subscribe(tb testing.TB, credential, query string, variables map[string]any) *stream {
	tb.Helper()
	s := &stream{b: b, socket: b.open(tb, nil, `{"authorization":`+strconv.Quote(credential)+`}`)}
	s.begin(tb, query, variables)
	return s
}

func (s *stream) begin(tb testing.TB, query string, variables map[string]any) {
	tb.Helper()
	s.id++
	refused := func() int { return s.b.log.count(`"code":"`) - s.b.log.count(`"code":""`) }
	before, failed := s.b.log.count(`"msg":"subscribed"`), refused()
	text, err := json.Marshal(map[string]any{"id": strconv.Itoa(s.id), "type": "subscribe", "payload": map[string]any{"query": query, "variables": variables}})
	if err != nil {
		tb.Fatal(err)
	}
	s.socket.send(tb, string(text))
	s.b.until(tb, "subscribed", func() bool { return s.b.log.count(`"msg":"subscribed"`) > before || refused() > failed })
}

// next is the next event, or the end of the stream.
func (s *stream) next(tb testing.TB) change {
	tb.Helper()
	c, ok := s.within(tb, patience)
	if !ok {
		tb.Fatalf("no event came:\n%s", s.b.log)
	}
	return c
}

// within is the next event of a time.
func (s *stream) within(tb testing.TB, limit time.Duration) (change, bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), limit)
	defer cancel()
	_, text, err := s.socket.conn.Read(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return change{}, false
	}
	if err != nil {
		return change{Done: true, Code: websocket.CloseStatus(err).String()}, true
	}
	var m struct {
		ID, Type string
		Payload  json.RawMessage
	}
	if err := json.Unmarshal(text, &m); err != nil {
		tb.Fatalf("%v in %s", err, text)
	}
	switch m.Type {
	case "complete":
		return change{Done: true}, true
	case "error":
		var list []struct {
			Message    string
			Extensions map[string]any
		}
		if err := json.Unmarshal(m.Payload, &list); err != nil || len(list) == 0 {
			tb.Fatalf("%v in %s", err, text)
		}
		code, _ := list[0].Extensions["code"].(string)
		cursor, _ := list[0].Extensions["cursor"].(string)
		return change{Done: true, Code: code, Errors: list[0].Message, Resume: cursor}, true
	case "next":
		var p struct {
			Data   map[string]change
			Errors json.RawMessage
		}
		if err := json.Unmarshal(m.Payload, &p); err != nil {
			tb.Fatalf("%v in %s", err, text)
		}
		for _, c := range p.Data {
			c.Errors = string(p.Errors)
			return c, true
		}
		return change{Errors: string(p.Errors)}, true
	default:
		return s.within(tb, limit)
	}
}

// silent tells that no event comes for a while.
func (s *stream) silent(tb testing.TB) {
	tb.Helper()
	if c, ok := s.within(tb, 600*time.Millisecond); ok {
		tb.Errorf("an event came: %+v", c)
	}
}

// erp writes to the site as one of its users, over REST.
func (b *bundle) erp(tb testing.TB, credential, method, path string, body any) map[string]any {
	tb.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(tb.Context(), method, b.siteURL+path, bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", credential)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out struct {
		Data    map[string]any
		Message any
	}
	raw := new(bytes.Buffer)
	if _, err := raw.ReadFrom(res.Body); err != nil {
		tb.Fatal(err)
	}
	if res.StatusCode >= 300 {
		tb.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	_ = json.Unmarshal(raw.Bytes(), &out)
	return out.Data
}
