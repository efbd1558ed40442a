package frappe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// Writes go out as they were recorded, and what comes back is understood.
func TestWriteTranscripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"297-insert-customer", "316-insert-ticket-full", "334-update-partial", "337-update-child-rows-replace",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := loadTranscript(t, name)
			asked, err := url.Parse(tx.Request.Path)
			if err != nil {
				t.Fatal(err)
			}
			doctype, docname, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/api/resource/"), "/")
			var values map[string]any
			if tx.Request.Body != "" {
				if err := json.Unmarshal([]byte(tx.Request.Body), &values); err != nil {
					t.Fatal(err)
				}
			}
			b := setup(t, frappe.Config{}, tx.Response)
			stored, err := write(t.Context(), b.Client, cred(t), tx.Request.Method, doctype, docname, values)
			if err != nil {
				t.Fatal(err)
			}
			sent := b.last(t)
			if sent.method != tx.Request.Method || sent.uri != tx.Request.Path {
				t.Errorf("sent %s %s, want %s %s", sent.method, sent.uri, tx.Request.Method, tx.Request.Path)
			}
			if values != nil && (!cmp.Equal(sent.json(t), values) || len(stored) < 10 || sent.header.Get("Content-Type") != "application/json") {
				t.Errorf("sent %s, got %d fields", sent.body, len(stored))
			}
			if _, ok := sent.header["Idempotency-Key"]; ok {
				t.Error("net/http would send it again")
			}
		})
	}
}

// write does what an HTTP verb means.
func write(ctx context.Context, c *frappe.Client, cred frappe.Credential, verb, doctype, name string, values map[string]any) (map[string]jsontext.Value, error) {
	var written *frappe.Written
	var err error
	switch verb {
	case http.MethodPost:
		written, err = c.Insert(ctx, cred, doctype, values)
	case http.MethodPut:
		written, err = c.Update(ctx, cred, doctype, name, values)
	default:
		_, err = c.Delete(ctx, cred, doctype, name)
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if written.Name == "" || docname(written.Document) != written.Name {
		return nil, fmt.Errorf("called %q, and the document %q", written.Name, docname(written.Document))
	}
	return written.Document, nil
}

func docname(document map[string]jsontext.Value) string {
	var name string
	if json.Unmarshal(document["name"], &name) != nil {
		return ""
	}
	return name
}

var verbs = []string{http.MethodPost, http.MethodPut, http.MethodDelete}

// Names that a path would bend go in the body of the method that does the same.
func TestWriteNames(t *testing.T) {
	t.Parallel()
	values := map[string]any{"disabled": 1.0}
	for _, name := range []string{".", "..", "a/..", "../User/Administrator", "/x", "x/", "a//b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, ok(`{"message": {"name": "x"}}`))
			if _, err := b.Update(t.Context(), cred(t), "Customer", name, values); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"doctype": "Customer", "name": name, "fieldname": values}
			if sent := b.last(t); sent.method != http.MethodPost || sent.uri != "/api/method/frappe.client.set_value" || !cmp.Equal(sent.json(t), want) {
				t.Errorf("sent %s %s", sent.uri, sent.body)
			}
			b = setup(t, frappe.Config{}, loadTranscript(t, "373-client-delete-post").Response)
			if _, err := b.Delete(t.Context(), cred(t), "Customer", name); err != nil {
				t.Fatal(err)
			}
			want = map[string]any{"doctype": "Customer", "name": name}
			if sent := b.last(t); sent.method != http.MethodPost || sent.uri != "/api/method/frappe.client.delete" || !cmp.Equal(sent.json(t), want) {
				t.Errorf("sent %s %s", sent.uri, sent.body)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, document)
	for name, values := range map[string]map[string]any{
		"flags":         {"flags": map[string]any{"ignore_permissions": true}},
		"another type":  {"doctype": "User"},
		"a parameter":   {"as_dict": true},
		"an insert":     {"__islocal": 1},
		"no field":      {"a b": 1},
		"a name":        {"name": "other"},
		"not a number":  {"amount": math.NaN()},
		"not UTF-8":     {"subject": "\xff"},
		"no JSON value": {"subject": func() {}},
	} {
		if _, err := b.Update(t.Context(), cred(t), "Customer", "X", values); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("update %s: %v", name, err)
		}
		if _, err := b.Insert(t.Context(), cred(t), "Customer", values); name != "a name" && apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("insert %s: %v", name, err)
		}
	}
	sent := b.count() // inserts with a name are allowed
	for _, verb := range verbs {
		if _, err := write(t.Context(), b.Client, cred(t), verb, "../User", "X", nil); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%s: %v", verb, err)
		}
		if _, err := write(t.Context(), b.Client, frappe.Credential{}, verb, "Customer", "X", nil); apierror.CodeOf(err) != apierror.Unauthenticated {
			t.Errorf("%s without a credential: %v", verb, err)
		}
		if _, err := write(t.Context(), b.Client, cred(t), verb, "Customer", "", nil); verb != http.MethodPost && apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%s without a name: %v", verb, err)
		}
	}
	if b.count() != sent+1 { // the insert of no values
		t.Errorf("%d requests were sent", b.count()-sent)
	}
}

// A write is made once, and an error says whether it may have been made.
func TestWriteFailures(t *testing.T) {
	t.Parallel()
	refusedPort := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	page := func(code int) answer {
		return answer{Status: code, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<h1>no</h1>"}
	}
	for name, c := range map[string]struct {
		answers   []any // of answer or error
		code      apierror.Code
		calls     int
		uncertain bool
	}{
		"no connection, then well":   {[]any{refusedPort, answer{Status: 200, Body: `{"data": {"name": "X"}}`}}, "", 2, false},
		"no connection":              {[]any{refusedPort}, apierror.UpstreamUnavailable, 3, false},
		"the connection breaks":      {[]any{errors.New("connection reset by peer")}, apierror.UpstreamUnavailable, 1, true},
		"no answer in time":          {[]any{context.DeadlineExceeded}, apierror.UpstreamTimeout, 1, true},
		"502 of a gateway":           {[]any{page(502)}, apierror.UpstreamUnavailable, 1, true},
		"504 of a gateway":           {[]any{page(504)}, apierror.UpstreamTimeout, 1, true},
		"503 of Frappe":              {[]any{status(503)}, apierror.UpstreamUnavailable, 1, false},
		"500 of Frappe":              {[]any{status(500)}, apierror.UpstreamUnavailable, 1, false},
		"429 for a short time":       {[]any{status(429, "Retry-After", "1")}, apierror.RateLimited, 1, false},
		"417":                        {[]any{status(417)}, apierror.Validation, 1, false},
		"409":                        {[]any{status(409)}, apierror.Conflict, 1, false},
		"403":                        {[]any{status(403)}, apierror.Forbidden, 1, false},
		"404":                        {[]any{status(404)}, apierror.NotFound, 1, false},
		"a redirect":                 {[]any{page(302)}, apierror.UpstreamUnavailable, 1, false},
		"a success that is no JSON":  {[]any{answer{Status: 200, Body: "ok"}}, apierror.UpstreamUnavailable, 1, true},
		"a success of another kind":  {[]any{answer{Status: 204}}, apierror.UpstreamUnavailable, 1, true},
		"a success that breaks off":  {[]any{answer{Status: 200, Body: `{"data": {`}}, apierror.UpstreamUnavailable, 1, true},
		"a success that is too long": {[]any{answer{Status: 200, Body: `{"data": "` + strings.Repeat("x", 1<<17) + `"}`}}, apierror.UpstreamUnavailable, 1, true},
	} {
		for _, verb := range verbs {
			t.Run(name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					client := offline(t, frappe.Config{MaxResponseBytes: 1 << 16}, func(*http.Request) (*http.Response, error) {
						next := c.answers[min(calls, len(c.answers)-1)]
						calls++
						if err, ok := next.(error); ok {
							return nil, err
						}
						handler, ok := next.(http.Handler)
						if !ok {
							return nil, fmt.Errorf("neither an error nor an answer: %v", next)
						}
						return reply(handler), nil
					})
					_, err := write(t.Context(), client, cred(t), verb, "Customer", "X", map[string]any{"a": 1})
					var e *frappe.Error
					if apierror.CodeOf(err) != c.code || calls != c.calls || errors.As(err, &e) && e.Uncertain != c.uncertain {
						t.Errorf("got %v (%+v) after %d calls, want %q after %d", err, e, calls, c.code, c.calls)
					}
					if e != nil && strings.Contains(e.Public().Message, "may have made") != c.uncertain {
						t.Errorf("it says %q", e.Public().Message)
					}
				})
			})
		}
	}
}

// A write that never got a place was not made.
func TestWriteWithoutPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := offline(t, frappe.Config{MaxConcurrent: 1, Timeout: 10 * time.Second}, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		var outcomes [2]error
		var wg sync.WaitGroup
		for i := range outcomes {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(9-i)*time.Second)
				defer cancel()
				_, outcomes[i] = client.Insert(ctx, cred(t), "Customer", nil)
			})
			synctest.Wait() // the first has the place
		}
		wg.Wait()
		for i, err := range outcomes {
			var e *frappe.Error
			if !errors.As(err, &e) || e.Code != apierror.UpstreamTimeout || e.Uncertain != (i == 0) {
				t.Errorf("%d: %+v", i, e)
			}
		}
	})
}

// The same values are the same bytes, and NULL, empty tables and large numbers survive.
func TestWriteValues(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, document)
	values := map[string]any{
		"z": nil, "rows": []map[string]any(nil), "n": int64(1) << 60, "check": 1, "text": "a<b>&\"é\n", "raw": jsontext.Value(`12.50`),
		"lines": []map[string]any{{"name": "r1", "qty": 2}},
	}
	if _, err := b.Insert(t.Context(), cred(t), "Customer", values); err != nil {
		t.Fatal(err)
	}
	want := `{"check":1,"lines":[{"name":"r1","qty":2}],"n":1152921504606846976,"raw":12.50,"rows":[],"text":"a<b>&\"é\n","z":null}`
	if got := b.last(t).body; !bytes.Equal([]byte(got), []byte(want)) {
		t.Errorf("sent\n%s, want\n%s", got, want)
	}
}
