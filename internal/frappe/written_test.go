package frappe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// ERPNext decides on the name, and tells its user of it.
func TestWritten(t *testing.T) {
	t.Parallel()
	tx := loadTranscript(t, "299-insert-duplicate")
	b := setup(t, frappe.Config{}, tx.Response)
	written, err := b.Insert(t.Context(), cred(t), "Customer", map[string]any{"customer_name": "Transcript Customer 2"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Changed customer name to 'Transcript Customer 2 - 1' as 'Transcript Customer 2' already exists."}
	if written.Name != "Transcript Customer 2 - 1" || docname(written.Document) != written.Name || !cmp.Equal(written.Messages, want) {
		t.Errorf("got %q, %q", written.Name, written.Messages)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf(`{"message":"m%d"}`, i)
	}
	for name, c := range map[string]struct {
		raw  any // of _server_messages
		want []string
	}{
		"none":          {nil, nil},
		"one":           {`["{\"message\":\"a <b>b</b><br>c\"}"]`, []string{"a b c"}},
		"a bare object": {`[{"message":"a"}]`, nil},
		"empty ones":    {`["{\"message\":\"<br>\"}","{\"message\":\"b\"}","x","{}"]`, []string{"b"}},
		"no list":       {`{"message":"a"}`, nil},
		"no text":       {5, nil},
		"a long one":    {string(marshal([]string{string(marshal(map[string]any{"message": strings.Repeat("é", 2000)}))})), []string{strings.Repeat("é", 500) + "…"}},
		"an attack":     {`["{\"message\":\"a\\nlevel=ERROR \\u001b[2J<scr<b>ipt>\"}"]`, []string{"a level=ERROR [2Jipt>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := map[string]any{"data": map[string]any{"name": "X"}, "message": map[string]any{"name": "X"}}
			if c.raw != nil {
				answer["_server_messages"] = c.raw
			}
			b := setup(t, frappe.Config{}, ok("%s", marshal(answer)))
			written, err := b.Update(t.Context(), cred(t), "Customer", "X", nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, written.Messages); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			deleted, err := b.Delete(t.Context(), cred(t), "Customer", "X")
			if err != nil || !cmp.Equal(deleted, c.want) {
				t.Errorf("deletion: %q, %v", deleted, err)
			}
		})
	}
	b := setup(t, frappe.Config{}, ok("%s", marshal(map[string]any{"_server_messages": string(marshal(many))})))
	if messages, err := b.Delete(t.Context(), cred(t), "Customer", "X"); len(messages) != 50 || err != nil {
		t.Errorf("%d messages, %v", len(messages), err)
	}
}

// A success from which nobody can tell what was written may be one.
func TestWrittenWithoutName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{`"X"`: "X", `17`: "17", `""`: "", `null`: "", `["X"]`: "", `true`: ""} {
		b := setup(t, frappe.Config{}, ok(`{"data": {"name": %s, "a": 1}}`, name))
		written, err := b.Insert(t.Context(), cred(t), "Customer", nil)
		var e *frappe.Error
		switch {
		case want == "" && (!errors.As(err, &e) || !e.Uncertain || written != nil):
			t.Errorf("%s: %v, %v", name, written, err)
		case want != "" && (err != nil || written.Name != want):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// To Frappe, members of the body are parameters first: "cmd" calls a method, "data" is
// the document. A field of such a name must not be one.
func TestWriteOfParameters(t *testing.T) {
	t.Parallel()
	for _, values := range []map[string]any{
		{"cmd": "frappe.client.delete", "doctype_": "x"},
		{"data": `{"role": "System Manager"}`, "customer_name": "X"},
		{"cmd": "logout", "data": "x"},
	} {
		b := setup(t, frappe.Config{}, document)
		for _, verb := range verbs[:2] {
			if _, err := write(t.Context(), b.Client, cred(t), verb, "Customer", "X", values); err != nil {
				t.Fatal(err)
			}
			if sent := b.last(t).json(t); !cmp.Equal(sent, map[string]any{"data": values}) {
				t.Errorf("%s sent %v", verb, sent)
			}
		}
	}
}

// writers are the writes that are no plain insert, update or delete.
var writers = map[string]func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error{
	"rename": func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error {
		_, err := c.Rename(ctx, cred, "Customer", "A", "B", false)
		return err
	},
	"workflow": func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error {
		_, err := c.ApplyWorkflow(ctx, cred, "Customer", "A", "Approve")
		return err
	},
	"method": readers["method"],
	"upload": readers["upload"],
}

// Whatever changes something is sent once, unless it never left.
func TestWritersWriteOnce(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		fail      error // or a gateway's page
		calls     int
		uncertain bool
	}{
		"no connection":         {refused, 3, false},
		"the connection breaks": {errors.New("connection reset by peer"), 1, true},
		"502 of a gateway":      {nil, 1, true},
	} {
		for kind, call := range writers {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					client := offline(t, frappe.Config{}, func(r *http.Request) (*http.Response, error) {
						calls++
						if _, err := io.Copy(io.Discard, r.Body); err != nil {
							t.Error(err)
						}
						if c.fail != nil {
							return nil, c.fail
						}
						return reply(answer{Status: http.StatusBadGateway, Body: "<h1>no</h1>"}), nil
					})
					err := call(t.Context(), client, cred(t))
					var e *frappe.Error
					if !errors.As(err, &e) || e.Code != apierror.UpstreamUnavailable || e.Uncertain != c.uncertain || calls != c.calls {
						t.Errorf("got %+v after %d calls", e, calls)
					}
				})
			})
		}
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	tx := loadTranscript(t, "362-rename")
	var want map[string]any
	if err := json.Unmarshal([]byte(tx.Request.Body), &want); err != nil {
		t.Fatal(err)
	}
	for _, merge := range []bool{false, true} {
		b := setup(t, frappe.Config{}, tx.Response)
		renamed, err := b.Rename(t.Context(), cred(t), "Service Ticket", "TKT-2026-00324", "TKT-RENAMED-1", merge)
		if err != nil {
			t.Fatal(err)
		}
		if merge {
			want["merge"] = true
		}
		sent := b.last(t)
		if sent.method != "POST" || sent.uri != tx.Request.Path || !cmp.Equal(sent.json(t), want) {
			t.Errorf("sent %s %s %s", sent.method, sent.uri, sent.body)
		}
		if _, repeats := sent.header["Idempotency-Key"]; repeats {
			t.Error("net/http would send it again")
		}
		messages := []string{"Document renamed from TKT-2026-00324 to TKT-RENAMED-1"}
		if !cmp.Equal(renamed, &frappe.Written{Name: "TKT-RENAMED-1", Messages: messages}) {
			t.Errorf("got %+v", renamed)
		}
	}
}

func TestRenameRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, ok(`{"message": null}`))
	for _, c := range [][3]string{
		{"Customer", "", "B"},
		{"Customer", "A", ""},
		{"Customer", "A", "A"},
		{"../User", "A", "B"},
		{"Customer", "A", "\xff"},
		{"Customer", "A", strings.Repeat("x", 600)},
	} {
		if _, err := b.Rename(t.Context(), cred(t), c[0], c[1], c[2], false); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%q: %v", c, err)
		}
	}
	if b.count() != 0 {
		t.Errorf("%d requests were sent", b.count())
	}
	_, err := b.Rename(t.Context(), cred(t), "Customer", "A", "B", false)
	var e *frappe.Error
	if !errors.As(err, &e) || !e.Uncertain || e.DocName != "A" || e.DocType != "Customer" {
		t.Errorf("an answer without the name: %+v", e)
	}
}
