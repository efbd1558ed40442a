package schemagen_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/schemagen"
)

// site serves metadata as ERPNext's getdoctype does: the DocType asked for and its
// child tables; custom fields are among the others.
func site(t *testing.T, answers map[string]string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/method/frappe.desk.form.load.getdoctype", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "token key:secret" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"exc_type": "AuthenticationError"}`))
			return
		}
		docs, ok := answers[r.FormValue("doctype")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"exc_type": "DoesNotExistError"}`))
			return
		}
		_, _ = w.Write([]byte(`{"docs": ` + docs + `, "user_settings": "{}"}`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

const (
	customerDoc = `{"doctype": "DocType", "name": "Customer", "modified": "2025-12-01 16:27:47", "__messages": {"a": "b"},
		"description": "Who buys.", "fields": [
		{"doctype": "DocField", "parent": "Customer", "idx": 1, "fieldname": "customer_name", "fieldtype": "Data", "reqd": 1},
		{"fieldname": "help", "fieldtype": "HTML", "label": "Help", "options": "<p>Do this.</p>"},
		{"doctype": "DocField", "idx": 2, "fieldname": "custom_tier", "fieldtype": "Select", "options": "A\nB", "is_custom_field": 1,
			"description": "Ours."},
		{"doctype": "DocField", "idx": 3, "fieldname": "limits", "fieldtype": "Table", "options": "Credit Limit"},
		{"doctype": "DocField", "idx": 4, "fieldname": "gone", "fieldtype": "Table", "options": "Gone"}],
		"permissions": [{"doctype": "DocPerm", "name": "x1", "role": "Sales User", "read": 1, "permlevel": 0}]}`
	limitDoc = `{"name": "Credit Limit", "istable": 1, "fields": [{"fieldname": "limit", "fieldtype": "Currency"}]}`
)

func TestPullFromSite(t *testing.T) {
	t.Parallel()
	server := site(t, map[string]string{"Customer": "[" + customerDoc + "," + limitDoc + "]"})
	src, err := schemagen.NewSite(server.URL, "token key:secret")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "doctypes.yml"), []byte("doctypes: {Customer: {}}\n"))
	write(t, filepath.Join(dir, "erpnext", "old.json"), []byte("{}"))
	got, err := schemagen.Pull(t.Context(), dir, src)
	if err != nil {
		t.Fatal(err)
	}
	want := &schemagen.Pulled{
		DocTypes: 1, Children: 1,
		Changed: []string{"erpnext/credit_limit.json", "erpnext/customer.json"},
		Removed: []string{"erpnext/old.json"},
		Missing: []string{"Gone (Customer.gone)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	facts := `{
  "fields": [
    {"fieldname":"customer_name","fieldtype":"Data","reqd":1},
    {"fieldname":"help","fieldtype":"HTML"},
    {"fieldname":"custom_tier","fieldtype":"Select","is_custom_field":1,"options":"A\nB"},
    {"fieldname":"limits","fieldtype":"Table","options":"Credit Limit"},
    {"fieldname":"gone","fieldtype":"Table","options":"Gone"}
  ],
  "name": "Customer",
  "permissions": [
    {"read":1,"role":"Sales User"}
  ]
}
`
	if diff := cmp.Diff(facts, read(t, filepath.Join(dir, "erpnext", "customer.json"))); diff != "" {
		t.Error(diff)
	}
	again, err := schemagen.Pull(t.Context(), dir, src)
	if err != nil || len(again.Changed)+len(again.Removed) > 0 {
		t.Errorf("a second pull changed %+v, %v", again, err)
	}
}

// The site sends the active workflow with the DocType; all that stays of it is where the
// state is kept.
func TestPullNoticesWorkflow(t *testing.T) {
	t.Parallel()
	server := site(t, map[string]string{"Request": `[{"name": "Request", "fields": [], "__workflow_docs": [
		{"doctype": "Workflow", "name": "Approval", "document_type": "Request", "is_active": 1, "workflow_state_field": "approval_state"},
		{"doctype": "Workflow State", "name": "Open"}]}]`})
	src, err := schemagen.NewSite(server.URL, "token key:secret")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "doctypes.yml"), []byte("doctypes: {Request: {}}\n"))
	if _, err := schemagen.Pull(t.Context(), dir, src); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"fields\": [],\n  \"name\": \"Request\",\n  \"workflow\": \"approval_state\"\n}\n"
	if diff := cmp.Diff(want, read(t, filepath.Join(dir, "erpnext", "request.json"))); diff != "" {
		t.Error(diff)
	}
}

// A failed pull writes nothing, and tells nothing of the credential.
func TestPullFails(t *testing.T) {
	t.Parallel()
	server := site(t, map[string]string{
		"Customer": "[" + customerDoc + "," + limitDoc + "]", "Other": "[" + limitDoc + "]", "Odd": `[{"fields": []}]`, "Half": `[`,
	})
	for name, c := range map[string]struct{ settings, auth, want string }{
		"unknown DocType": {"doctypes: {Customer: {}, Nope: {}}", "token key:secret", "Nope"},
		"wrong key":       {"doctypes: {Customer: {}}", "token key:s3cr3t", "Customer"},
		"another DocType": {"doctypes: {Other: {}}", "token key:secret", "other DocTypes"},
		"no name":         {"doctypes: {Odd: {}}", "token key:secret", "no name"},
		"half an answer":  {"doctypes: {Half: {}}", "token key:secret", "Half"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := schemagen.NewSite(server.URL, c.auth)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "doctypes.yml"), []byte(c.settings))
			_, err = schemagen.Pull(t.Context(), dir, src)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%v, want something about %q", err, c.want)
			}
			if files := snapshot(t, dir); len(files) != 1 {
				t.Errorf("written: %v", files)
			}
		})
	}
	if _, err := schemagen.NewSite(server.URL, "key:secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a credential without a scheme: %v", err)
	}
}

func TestPullFromFolder(t *testing.T) {
	t.Parallel()
	folder := schemagen.Folder{FS: fstest.MapFS{
		"Customer.json":     {Data: []byte(customerDoc)},
		"Credit Limit.json": {Data: []byte(limitDoc)},
	}}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "doctypes.yml"), []byte("doctypes: {Customer: {descriptions: true}}\n"))
	got, err := schemagen.Pull(t.Context(), dir, folder)
	if err != nil || got.DocTypes != 1 || got.Children != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if facts := read(t, filepath.Join(dir, "erpnext", "customer.json")); !strings.Contains(facts, `"description":"Ours."`) {
		t.Error("help texts were asked for, and are gone")
	}
	for _, name := range []string{"../secrets", "a/b", `a\b`, "Nope"} {
		if _, err := folder.Facts(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// The committed facts are as `pull` writes them.
func TestCommittedFactsAreCanonical(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../schema/erpnext/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no facts: %v", err)
	}
	folder := fstest.MapFS{}
	var names []string
	for _, file := range files {
		data := []byte(read(t, file))
		var doc struct{ Name string }
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		folder[doc.Name+".json"] = &fstest.MapFile{Data: data}
		names = append(names, doc.Name)
	}
	dir := t.TempDir()
	copySchema(t, dir, true)
	got, err := schemagen.Pull(t.Context(), dir, schemagen.Folder{FS: folder})
	if err != nil || len(got.Changed)+len(got.Removed) > 0 || got.DocTypes+got.Children != len(names) {
		t.Errorf("%+v, %v", got, err)
	}
}
