package frappe_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// Docnames arrive as the site was asked for them when the transcripts were made.
func TestDocumentTranscripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"204-doc-customer-unicode", "207-doc-customer-percent", "208-doc-customer-hash", "209-doc-customer-plus",
		"210-doc-customer-question", "211-doc-customer-quotes", "212-doc-customer-backslash",
		"213-doc-customer-emoji", "223-doc-item-quote", "224-doc-item-slash", "225-doc-sales-order", "235-doc-single",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := loadTranscript(t, name)
			asked, err := url.Parse(tx.Request.Path)
			if err != nil {
				t.Fatal(err)
			}
			doctype, docname, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/api/resource/"), "/")
			b := setup(t, frappe.Config{}, tx.Response)
			document, err := b.Document(t.Context(), cred(t), doctype, docname)
			if err != nil {
				t.Fatal(err)
			}
			sent, err := url.Parse(b.last(t).uri)
			if err != nil || sent.Path != asked.Path || sent.RawQuery != "" {
				t.Errorf("sent %s, want %s", b.last(t).uri, tx.Request.Path)
			}
			if got := decodeJSON(t, string(document["name"])); got != docname {
				t.Errorf("name %v", got)
			}
		})
	}
}

// No docname reaches anything but the document, whatever a proxy does to paths.
func TestDocumentNames(t *testing.T) {
	t.Parallel()
	body := answer{Status: http.StatusOK, Body: `{"message": {"name": "x"}, "data": {"name": "x"}}`}
	for _, name := range []string{".", "..", "a/..", "../User/Administrator", "/x", "x/", "a//b", "./x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, body)
			if _, err := b.Document(t.Context(), cred(t), "Customer", name); err != nil {
				t.Fatal(err)
			}
			last := b.last(t)
			want := map[string]any{"doctype": "Customer", "name": name}
			if last.uri != "/api/method/frappe.client.get" || !cmp.Equal(last.json(t), want) {
				t.Errorf("sent %s %s", last.uri, last.body)
			}
		})
	}
	for _, name := range []string{"a/b", "...", "a?b&c=d#e", "%2e%2e", "a;b", "x y", "run_method", "%2F"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, body)
			if _, err := b.Document(t.Context(), cred(t), "Customer", name); err != nil {
				t.Fatal(err)
			}
			sent, err := url.Parse(b.last(t).uri)
			if err != nil || sent.Path != "/api/resource/Customer/"+name || strings.Count(b.last(t).uri, "/") != 4 {
				t.Errorf("sent %s", b.last(t).uri)
			}
		})
	}
	b := setup(t, frappe.Config{}, body)
	for _, name := range []string{"", "\xff", strings.Repeat("x", 1000)} {
		if _, err := b.Document(t.Context(), cred(t), "Customer", name); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%.10q: %v", name, err)
		}
	}
	if _, err := b.Document(t.Context(), cred(t), "../x", "x"); apierror.CodeOf(err) != apierror.BadUserInput {
		t.Errorf("DocType: %v", err)
	}
}

func TestMeta(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, loadTranscript(t, "259-getdoctype-customer").Response, ok(`{"docs": {}}`))
	docs, err := b.Meta(t.Context(), cred(t), "Customer")
	if err != nil {
		t.Fatal(err)
	}
	list, isList := decodeJSON(t, string(docs)).([]any)
	if !isList || len(list) == 0 {
		t.Fatalf("got %.100s", docs)
	}
	if first, ok := list[0].(map[string]any); !ok || first["name"] != "Customer" {
		t.Errorf("got %.100s", docs)
	}
	if uri := b.last(t).uri; uri != "/api/method/frappe.desk.form.load.getdoctype?doctype=Customer" {
		t.Errorf("sent %s", uri)
	}
	if _, err := b.Meta(t.Context(), cred(t), "Customer"); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("no list: %v", err)
	}
}

func TestLinkSearch(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, loadTranscript(t, "284-search-link").Response)
	options, err := b.LinkSearch(t.Context(), cred(t), frappe.LinkQuery{
		DocType: "Customer", Text: "acme", ReferenceDocType: "Sales Order", Limit: 5,
		Filters: []frappe.Filter{{Field: "disabled", Op: frappe.OpEq, Value: false}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := frappe.LinkOption{Name: "Acme Hardware LLC", Description: "Acme Hardware LLC, Online, North West"}
	if len(options) != 5 || options[0] != want {
		t.Errorf("got %+v", options)
	}
	form := b.last(t).form(t)
	if diff := cmp.Diff(url.Values{
		"doctype": {"Customer"}, "txt": {"acme"}, "reference_doctype": {"Sales Order"}, "page_length": {"5"},
		"filters": {`[["Customer","disabled","=",0]]`},
	}, form); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	for _, bad := range []frappe.LinkQuery{
		{DocType: "a`"},
		{DocType: "A", ReferenceDocType: "b;"},
		{DocType: "A", Limit: -1},
		{DocType: "A", Filters: []frappe.Filter{{Field: "x"}}},
	} {
		if _, err := b.LinkSearch(t.Context(), cred(t), bad); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestLoggedUser(t *testing.T) {
	t.Parallel()
	html := map[string]string{"Content-Type": "text/html"}
	for name, c := range map[string]struct {
		answer http.Handler
		user   string
		code   apierror.Code
	}{
		"user":        {loadTranscript(t, "005-logged-user-north").Response, "sales-north@example.com", ""},
		"lower case":  {loadTranscript(t, "017-auth-basic-ok").Response, "sales@example.com", ""},
		"bad":         {loadTranscript(t, "016-auth-token-no-colon").Response, "", apierror.Unauthenticated},
		"guest":       {loadTranscript(t, "013-logged-user-guest").Response, "", apierror.Unauthenticated},
		"named guest": {ok(`{"message": "Guest"}`), "", apierror.Unauthenticated},
		"nobody":      {ok(`{"message": ""}`), "", apierror.Unauthenticated},
		"proxy's 401": {answer{Status: 401, Headers: html, Body: "<h1>Log in</h1>"}, "", apierror.UpstreamUnavailable},
		"proxy's 403": {answer{Status: 403, Headers: html, Body: "<h1>Access denied</h1>"}, "", apierror.UpstreamUnavailable},
		"other's 403": {answer{Status: 403, Body: `{"message": "Forbidden"}`}, "", apierror.UpstreamUnavailable},
		"null":        {ok(`{"message": null}`), "", apierror.UpstreamUnavailable},
		"absent":      {ok(`{}`), "", apierror.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, c.answer)
			user, err := b.LoggedUser(t.Context(), cred(t))
			if user != c.user || apierror.CodeOf(err) != c.code {
				t.Errorf("got %q, %v", user, err)
			}
		})
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, loadTranscript(t, "296-user-roles").Response)
	roles, err := b.Roles(t.Context(), cred(t), "sales+x@example.com")
	if err != nil || !slices.Equal(roles, []string{"Sales User", "All", "Guest", "Desk User"}) {
		t.Errorf("got %v, %v", roles, err)
	}
	if uri := b.last(t).uri; !strings.HasSuffix(uri, "?uid=sales%2Bx%40example.com") {
		t.Errorf("sent %s", uri)
	}
	if _, err := b.Roles(t.Context(), cred(t), ""); apierror.CodeOf(err) != apierror.BadUserInput {
		t.Errorf("no user: %v", err)
	}
}

func TestSite(t *testing.T) {
	t.Parallel()
	versions := loadTranscript(t, "294-versions").Response
	zone := loadTranscript(t, "203-time-zone-guest").Response
	b := setup(t, frappe.Config{}, versions, zone)
	site, err := b.Site(t.Context(), cred(t))
	if err != nil {
		t.Fatal(err)
	}
	if v := site.Versions; v.Frappe != "15.44.2" || v.ERPNext != "15.90.0" || len(v.Apps) != 2 || site.TimeZone.String() != "Asia/Kolkata" {
		t.Errorf("got %+v", site)
	}
	if b.last(t).header.Get("Authorization") != "" {
		t.Error("the zone needs no credential")
	}
	for _, name := range []string{"", "Local", "../../etc/passwd", "Nowhere/Else"} {
		b := setup(t, frappe.Config{}, ok(`{"message": {"time_zone": %q}}`, name))
		if zone, err := b.TimeZone(t.Context()); apierror.CodeOf(err) != apierror.UpstreamUnavailable || zone != nil {
			t.Errorf("%q: %v, %v", name, zone, err)
		}
	}
	b = setup(t, frappe.Config{}, ok(`{"message": {"erpnext": {"version": "1"}}}`))
	if _, err := b.Site(t.Context(), cred(t)); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("no frappe: %v", err)
	}
}

// The prefix of a base URL stays, for a site behind a proxy.
func TestBaseURLPath(t *testing.T) {
	t.Parallel()
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		document.ServeHTTP(w, r)
	}))
	defer server.Close()
	c, err := frappe.New(frappe.Config{BaseURL: server.URL + "/a%2Fb/"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Document(t.Context(), cred(t), "Sales Order", "x/y"); err != nil {
		t.Fatal(err)
	}
	if path != "/a%2Fb/api/resource/Sales%20Order/x%2Fy" {
		t.Errorf("path %s", path)
	}
}
