package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"erpgraph/internal/app"
)

// update rewrites what the cases want. Without it a failing test writes nothing.
var update = flag.Bool("update", false, "write the answers into testdata/*.txtar as what is wanted")

// caseClock is the time in all cases: hand-written fields count days from it.
var caseClock = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// TestCases runs testdata/*.txtar: the features of the graph, one archive each. A case
// is up to four files of one stem:
//
//	links.graphql    the query; its first line is "# user", who asks
//	links.vars.json  its variables
//	links.want.json  data and errors (code, path, message and what they are about)
//	links.calls      the upstream calls ("DocType" or "method"), and "sql Type", sorted
//
// The site is the recorded one with testdata/seed.jsonl, the database has
// testdata/seed.sql. `go test ./e2e -run TestCases -update` rewrites want and calls.
func TestCases(t *testing.T) {
	t.Parallel()
	b := seeded(t)
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			var stems []string
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
				if stem, ok := strings.CutSuffix(f.Name, ".graphql"); ok {
					stems = append(stems, stem)
				}
			}
			out := &txtar.Archive{Comment: archive.Comment}
			for _, stem := range stems {
				got := b.runCase(t, stem, files)
				for _, name := range []string{stem + ".graphql", stem + ".vars.json"} {
					if text, ok := files[name]; ok {
						out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(text)})
					}
				}
				out.Files = append(out.Files,
					txtar.File{Name: stem + ".want.json", Data: got.want}, txtar.File{Name: stem + ".calls", Data: got.calls})
			}
			if *update && !t.Failed() {
				if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// caseResult is what a case came to, in the form of its files.
type caseResult struct{ want, calls []byte }

func (b *bundle) runCase(t *testing.T, stem string, files map[string]string) (result caseResult) {
	t.Helper()
	t.Run(stem, func(t *testing.T) {
		query := files[stem+".graphql"]
		who, _, _ := strings.Cut(query, "\n")
		at := slices.IndexFunc(callers, func(c struct{ name, credential string }) bool { return "# "+c.name == who })
		if at < 0 {
			t.Fatalf("the first line must be # and a user: %q", who)
		}
		var variables map[string]any
		if text, ok := files[stem+".vars.json"]; ok {
			if err := json.Unmarshal([]byte(text), &variables); err != nil {
				t.Fatal(err)
			}
		}
		got := b.query(t, callers[at].credential, query, variables)
		result = caseResult{b.caseWant(t, got), caseCalls(got)}
		if *update {
			return
		}
		if want := files[stem+".want.json"]; string(result.want) != want {
			t.Errorf("got\n%s\nwant\n%s", result.want, want)
		}
		if want := files[stem+".calls"]; string(result.calls) != want {
			t.Errorf("calls\n%s\nwant\n%s", result.calls, want)
		}
	})
	return result
}

// caseWant is an answer as want.json has it: without what differs from run to run.
func (b *bundle) caseWant(t *testing.T, got answer) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	shown := map[string]any{"data": got.Data}
	var errs []map[string]any
	for _, e := range got.Errors {
		about := map[string]any{"message": e.Message, "path": e.Path}
		for key, value := range e.Extensions {
			if key != "requestId" {
				about[key] = value
			}
		}
		errs = append(errs, about)
	}
	if errs != nil {
		shown["errors"] = errs
	}
	if err := enc.Encode(shown); err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(out.Bytes(), []byte(b.siteURL), []byte("http://erpnext.test"))
}

func caseCalls(got answer) []byte {
	var lines []string
	for _, r := range got.Extensions.Upstream.Requests {
		switch line := r.DocType; {
		case line == "":
			lines = append(lines, r.Method)
		case r.Method == "frappe.client.get_list":
			lines = append(lines, line)
		default:
			lines = append(lines, line+" by "+r.Method)
		}
	}
	for _, s := range got.Extensions.Upstream.Statements {
		lines = append(lines, "sql "+s.Type)
	}
	slices.Sort(lines)
	var out bytes.Buffer
	for _, l := range lines {
		out.WriteString(l + "\n")
	}
	return out.Bytes()
}

// seeded is a bundle with the cases' documents and rows, for reading.
func seeded(t *testing.T) *bundle {
	t.Helper()
	b := setup(t, options{
		config: func(c *app.Config) { c.PublicURL = "http://graph.test" },
		app:    app.Options{Now: func() time.Time { return caseClock }},
	})
	f, err := os.Open("testdata/seed.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var doc map[string]any
		if err := json.Unmarshal(lines.Bytes(), &doc); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		doctype, _ := doc["doctype"].(string)
		delete(doc, "doctype")
		write := b.site.Insert
		if slices.Contains(b.site.Names(doctype), row(doc).text("name")) {
			write = b.site.Update
		}
		if err := write(doctype, doc); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	seedRows(t, b)
	// ERPNext vouches for each caller once, and tells its zone, so that no case depends on
	// who came first.
	for _, c := range callers {
		b.query(t, c.credential, `{ me { user } users(first: 1) { nodes { creation } } }`, nil).into(t, new(any))
	}
	return b
}

// seedRows writes the cases' rows of local types.
func seedRows(t *testing.T, b *bundle) {
	t.Helper()
	sql, err := os.ReadFile("testdata/seed.sql")
	if err != nil {
		t.Fatal(err)
	}
	b.sql(t, string(sql))
}
