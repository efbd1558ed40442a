package webhook_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/event"
	"erpgraph/internal/webhook"
)

// A delivery is logged once, however often it comes.
func TestDelivery(t *testing.T) {
	t.Parallel()
	l := &log{}
	h := newHandler(t, config(l))
	start(t, h)
	for range 3 {
		if r := deliver(t, h, body, sign(secret, body)); r.StatusCode != http.StatusNoContent {
			t.Fatalf("%d %s", r.StatusCode, text(t, r))
		}
	}
	if got := l.all(); !slices.Equal(got, []event.Event{acme}) {
		t.Errorf("logged %+v", got)
	}
	if s := h.Stats(); s.Accepted != 3 || s.Duplicates != 2 || len(s.Refused) != 0 {
		t.Errorf("%+v", s)
	}
}

// What ERPNext really sent has its signature, and nothing else has.
func TestRecordedDeliveries(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/deliveries.json")
	if err != nil {
		t.Fatal(err)
	}
	var deliveries []struct{ Case, Signature, Body string }
	if err := json.Unmarshal(data, &deliveries); err != nil {
		t.Fatal(err)
	}
	l := &log{}
	h := newHandler(t, config(l))
	start(t, h)
	for _, d := range deliveries {
		// Some of the recorded Webhooks have a body of their own.
		want := http.StatusNoContent
		if !strings.Contains(d.Body, `"event"`) {
			want = http.StatusUnprocessableEntity
		}
		if r := deliver(t, h, d.Body, d.Signature); r.StatusCode != want {
			t.Errorf("%s: %d %s", d.Case, r.StatusCode, text(t, r))
		}
		if r := deliver(t, h, d.Body+" ", d.Signature); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s, a blank more: %d", d.Case, r.StatusCode)
		}
	}
	got := l.all()
	for i, want := range []event.Kind{event.Created, event.Updated} {
		e := got[i]
		if e.Name != `Webhook "Test" & Co ü` || e.Kind != want {
			t.Errorf("logged %+v, want %s", e, want)
		}
	}
	if len(got) < 8 {
		t.Errorf("only %d logged", len(got))
	}
}

// What can't be shown to come from ERPNext is refused before it is read, and all of it in
// the same words.
func TestUnsigned(t *testing.T) {
	t.Parallel()
	right := sign(secret, body)
	for name, c := range map[string]struct {
		body       string
		signatures []string
		secrets    []string
	}{
		"no signature":               {body, nil, []string{secret}},
		"an empty one":               {body, []string{""}, []string{secret}},
		"two":                        {body, []string{right, right}, []string{secret}},
		"two in one":                 {body, []string{right + ", " + right}, []string{secret}},
		"of another secret":          {body, []string{sign("other", body)}, []string{secret}},
		"of the empty secret":        {body, []string{sign("", body)}, []string{secret}},
		"of another body":            {body, []string{sign(secret, body+" ")}, []string{secret}},
		"of no body":                 {"", []string{right}, []string{secret}},
		"in lower case":              {body, []string{strings.ToLower(right)}, []string{secret}},
		"with a blank inside":        {body, []string{right[:20] + " " + right[20:]}, []string{secret}},
		"with a line end":            {body, []string{right[:20] + "\n" + right[20:]}, []string{secret}},
		"without its end":            {body, []string{strings.TrimRight(right, "=")}, []string{secret}},
		"another form of its end":    {body, []string{otherEnd(right)}, []string{secret}},
		"hexadecimal":                {body, []string{strings.Repeat("0", 64)}, []string{secret}},
		"with the name of the hash":  {body, []string{"sha256=" + right}, []string{secret}},
		"but no secret is set":       {body, []string{right}, nil},
		"no secret, the empty one's": {body, []string{sign("", body)}, nil},
		"a secret that was dropped":  {body, []string{right}, []string{"new", "newer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &log{}
			cfg := config(l)
			cfg.Secrets = c.secrets
			h := newHandler(t, cfg)
			start(t, h)
			r := deliver(t, h, c.body, c.signatures...)
			told := text(t, r)
			if r.StatusCode != http.StatusUnauthorized || len(l.all()) != 0 {
				t.Errorf("%d, logged %+v", r.StatusCode, l.all())
			}
			if again := text(t, deliver(t, h, "nonsense")); again != told {
				t.Errorf("told %q, and %q", told, again)
			}
		})
	}
}

// otherEnd is a signature whose last letter has other bits where none count.
func otherEnd(signature string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	i := strings.IndexByte(alphabet, signature[42])
	return signature[:42] + string(alphabet[i^1]) + "="
}

// While secrets are changed, deliveries of the old and the new one are taken.
func TestRotation(t *testing.T) {
	t.Parallel()
	l := &log{}
	cfg := config(l)
	cfg.Secrets = []string{"newest", "new", secret}
	h := newHandler(t, cfg)
	start(t, h)
	for _, key := range cfg.Secrets {
		if r := deliver(t, h, body, sign(key, body)); r.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d", key, r.StatusCode)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*webhook.Config){
		"an empty secret":  func(c *webhook.Config) { c.Secrets = []string{secret, ""} },
		"too many secrets": func(c *webhook.Config) { c.Secrets = slices.Repeat([]string{secret}, 17) },
		"no log":           func(c *webhook.Config) { c.Append = nil },
	} {
		cfg := config(&log{})
		change(&cfg)
		if _, err := webhook.New(cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// What is signed and can't be logged is told to the administrator, in words that help.
func TestSignedButRefused(t *testing.T) {
	t.Parallel()
	l := &log{}
	h := newHandler(t, config(l))
	start(t, h)
	for name, c := range map[string]struct {
		body   string
		status int
		told   string
	}{
		"no JSON":               {`event=on_update`, http.StatusBadRequest, "JSON"},
		"nothing":               {``, http.StatusBadRequest, "JSON"},
		"cut short":             {body[:60], http.StatusBadRequest, "JSON"},
		"two objects":           {body + body, http.StatusBadRequest, "follows"},
		"a key twice":           {strings.Replace(body, `"name": "ACME"`, `"name": "ACME", "name": "B"`, 1), http.StatusBadRequest, "duplicate"},
		"another key twice":     {strings.Replace(body, `"name"`, `"x": 1, "x": 2, "name"`, 1), http.StatusBadRequest, "duplicate"},
		"invalid UTF-8":         {strings.Replace(body, "ACME", "AC\xffME", 1), http.StatusBadRequest, "UTF-8"},
		"a list":                {`[1]`, http.StatusUnprocessableEntity, "object"},
		"no event":              {strings.Replace(body, `"event"`, `"Event"`, 1), http.StatusUnprocessableEntity, `no "event"`},
		"another event":         {strings.Replace(body, "on_update", "validate", 1), http.StatusUnprocessableEntity, "validate"},
		"an event without name": {strings.Replace(body, `"ACME"`, `""`, 1), http.StatusUnprocessableEntity, `"name" is empty`},
		"an event of NULL":      {strings.Replace(body, `"ACME"`, `null`, 1), http.StatusUnprocessableEntity, `"name" is empty`},
		"a name of zeros":       {strings.Replace(body, `"ACME"`, `"\u0000"`, 1), http.StatusUnprocessableEntity, `"name"`},
		"a long name":           {strings.Replace(body, "ACME", strings.Repeat("ü", 141), 1), http.StatusUnprocessableEntity, "longer"},
		"a fraction for a name": {strings.Replace(body, `"ACME"`, `1.5`, 1), http.StatusUnprocessableEntity, `"name"`},
		"no time":               {strings.Replace(body, `"modified": "2026-11-24 22:40:02.467387", `, "", 1), http.StatusUnprocessableEntity, `"modified"`},
		"a time that is none":   {strings.Replace(body, "2026-11-24", "2026-13-24", 1), http.StatusUnprocessableEntity, "Datetime"},
		"a time with a zone":    {strings.Replace(body, ".467387", "Z", 1), http.StatusUnprocessableEntity, "Datetime"},
		"a docstatus of three":  {strings.Replace(body, `"docstatus": 0`, `"docstatus": 3`, 1), http.StatusUnprocessableEntity, "docstatus"},
		"a whole document":      {strings.Replace(body, `{`, `{"x": "`+strings.Repeat("x", 20<<10)+`", `, 1), http.StatusUnprocessableEntity, "larger"},
	} {
		r := deliver(t, h, c.body, sign(secret, c.body))
		if told := text(t, r); r.StatusCode != c.status || !strings.Contains(told, c.told) {
			t.Errorf("%s: %d %s", name, r.StatusCode, told)
		}
	}
	if got := l.all(); len(got) != 0 {
		t.Errorf("logged %+v", got)
	}
}

// Setup may have been run for more DocTypes than this graph has.
func TestUnwatched(t *testing.T) {
	t.Parallel()
	l := &log{}
	h := newHandler(t, config(l))
	start(t, h)
	note := strings.Replace(body, "Customer", "Note", 1)
	if r := deliver(t, h, note, sign(secret, note)); r.StatusCode != http.StatusNoContent {
		t.Errorf("%d", r.StatusCode)
	}
	if s := h.Stats(); s.Unwatched != 1 || len(l.all()) != 0 {
		t.Errorf("%+v, logged %+v", s, l.all())
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	h := newHandler(t, config(&log{}))
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		r := send(h, httptest.NewRequestWithContext(t.Context(), method, "/webhooks/erpnext", nil))
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, r.StatusCode, r.Header.Get("Allow"))
		}
	}
	if n := h.Stats().Refused[webhook.NotPost]; n != 5 {
		t.Errorf("%d counted", n)
	}
}

// A body has a size, whether it says so or not.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	cfg := config(&log{})
	cfg.MaxBody = 1000
	h := newHandler(t, cfg)
	large := strings.Repeat("x", 1001)
	if r := deliver(t, h, large, sign(secret, large)); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", r.StatusCode)
	}
	if r := deliver(t, h, large[1:], sign(secret, large[1:])); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a byte less: %d", r.StatusCode)
	}
}

// A body that does not come, or not whole, holds nothing for long.
func TestBodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	l := &log{}
	h := newHandler(t, config(l))
	start(t, h)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		sent, signature string
		leaves          bool
		reason          webhook.Reason
	}{
		"slow, with a signature": {body[:10], sign(secret, body), false, webhook.Unread},
		"slow, without":          {body[:10], "", false, webhook.Unsigned},
		"cut off":                {body[:10], sign(secret, body), true, webhook.Unread},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			began := time.Now()
			head := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
			if c.signature != "" {
				head += webhook.SignatureHeader + ": " + c.signature + "\r\n"
			}
			if _, err := conn.Write([]byte(head + "\r\n" + c.sent)); err != nil {
				t.Fatal(err)
			}
			if c.leaves {
				half, ok := conn.(interface{ CloseWrite() error })
				if !ok {
					t.Fatalf("%T can't be closed by half", conn)
				}
				if err := half.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			// Whatever it answers, the connection is over in bounded time.
			if err := conn.SetReadDeadline(began.Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			buffer := make([]byte, 4096)
			for err == nil {
				_, err = conn.Read(buffer)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v: %v", took, err)
			}
			if h.Stats().Refused[c.reason] == 0 {
				t.Errorf("%+v", h.Stats())
			}
		})
	}
	if len(l.all()) != 0 {
		t.Errorf("logged %+v", l.all())
	}
}
