package simulator_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/simulator"
)

// transcript is one request that a real ERPNext answered.
type transcript struct {
	Case    string `json:"case"`
	Request struct {
		Method   string              `json:"method"`
		Path     string              `json:"path"`
		Headers  map[string][]string `json:"headers"`
		Body     any                 `json:"body"`
		BodyText string              `json:"body_text"`
		Binary   []byte              `json:"body_base64"`
	} `json:"request"`
	Response struct {
		Status int    `json:"status"`
		Type   string `json:"type"`
		Body   any    `json:"body"`
	} `json:"response"`
}

// firstWrite is the number of the first transcript that changes the site.
const firstWrite = "297"

// TestReplay sends the recorded requests and compares the answers. Every transcript is
// replayed, or listed in testdata/not-replayed.txt with the reason.
func TestReplay(t *testing.T) {
	t.Parallel()
	skipped := notReplayed(t)
	all := transcripts(t)
	known := make(map[string]bool)
	var reads, writes []transcript
	for _, tr := range all {
		known[tr.Case] = true
		switch {
		case skipped[tr.Case]:
		case tr.Case < firstWrite:
			reads = append(reads, tr)
		default:
			writes = append(writes, tr)
		}
	}
	for name := range skipped {
		if !known[name] {
			t.Errorf("not-replayed.txt lists %s, which is no transcript", name)
		}
	}
	r := &replayer{server: siteServer(t), all: all, ours: make(map[string]string)}
	for _, tr := range append(reads, writes...) {
		t.Run(tr.Case, func(t *testing.T) {
			for _, change := range unrecorded[tr.Case] {
				if known[change.by] {
					t.Errorf("%s is recorded", change.by)
				}
				r.change(t, change)
			}
			r.replay(t, tr)
		})
	}
}

// change is one that no transcript shows.
type change struct {
	by            string // the missing transcript, or who did it
	doctype, name string
	set           map[string]any
	made          bool // a document that was not there
	// like is a transcript whose request made the document, by another name.
	like string
	// modified is the time of the change, as what follows names it.
	modified string
}

// unrecorded are changes made by requests that are not among the transcripts, or by hand;
// what follows them shows their effect.
var unrecorded = map[string][]change{
	"341-update-null":      {{by: "340-update-child-empty", doctype: "Service Ticket", name: "TKT-2026-00324", set: map[string]any{"lines": []any{}}}},
	"352-client-save":      {{by: "an unrecorded request", doctype: "Service Ticket", name: "TKT-2026-00324", set: map[string]any{"status": "Open"}, modified: "2026-11-24 22:38:47.879562"}},
	"358-set-value-falsy":  {{by: "357-set-value-dict", doctype: "Service Ticket", name: "TKT-2026-00324", set: map[string]any{"amount": 3, "status": "Closed"}}},
	"393-so-submit-by-put": {{by: "an unrecorded request", name: "SAL-ORD-2026-02009", like: "376-so-insert"}},
	"430-file-list": {{by: "an unrecorded upload", doctype: "File", name: "179dd40bfb", set: map[string]any{
		"file_url": "/files/a.pdf", "file_name": "a.pdf", "is_private": 0, "file_size": 10, "attached_to_doctype": "Customer", "attached_to_name": "Müller & Söhne GmbH",
	}, made: true}},
	"474-oauth-expired-token": {{by: "hand", doctype: "OAuth Bearer Token", name: "fjGvmmv5LStGUz2lqFFVoEnj9TA0PA", set: map[string]any{"expiration_time": "2020-01-01 00:00:00"}}},
}

func (r *replayer) change(t *testing.T, c change) {
	t.Helper()
	if c.like != "" {
		i := slices.IndexFunc(r.all, func(tr transcript) bool { return tr.Case == c.like })
		rec := httptest.NewRecorder()
		r.server.ServeHTTP(rec, r.request(t, r.all[i]))
		var made struct{ Data struct{ Name string } }
		if err := json.Unmarshal(rec.Body.Bytes(), &made); err != nil || made.Data.Name == "" {
			t.Fatalf("%s once more: %v\n%.600s", c.like, err, rec.Body)
		}
		r.ours[c.name] = made.Data.Name
		return
	}
	doc := maps.Clone(c.set)
	doc["name"] = r.translateText(c.name)
	do := r.server.Update
	if c.made {
		do = r.server.Insert
	}
	if err := do(c.doctype, doc); err != nil {
		t.Error(err)
	}
	if c.modified != "" {
		r.ours[c.modified] = r.modified(t, c.doctype, r.translateText(c.name))
	}
}

// modified is the time of a document's last change.
func (r *replayer) modified(t *testing.T, doctype, name string) string {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/resource/"+url.PathEscape(doctype)+"/"+url.PathEscape(name), nil)
	req.Header.Set("Authorization", "token 4a1c0f5be2d1100:admin00secret00a")
	rec := httptest.NewRecorder()
	r.server.ServeHTTP(rec, req)
	var doc struct{ Data struct{ Modified string } }
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil || doc.Data.Modified == "" {
		t.Fatalf("%s %s: %v\n%.600s", doctype, name, err, rec.Body)
	}
	return doc.Data.Modified
}

// faults are the cases in which the site as a whole refused.
var faults = map[string]simulator.Fault{
	"568-ratelimit-429":   {Status: http.StatusTooManyRequests, RetryAfter: "20", Count: 1},
	"571-maintenance-503": {Status: http.StatusServiceUnavailable, Count: 1},
}

// replayer sends the transcripts one after the other, for writes change what follows.
type replayer struct {
	server *simulator.Server
	all    []transcript
	// ours are the names and times that the simulator gave where the recording has others.
	ours map[string]string
}

func (r *replayer) replay(t *testing.T, tr transcript) {
	t.Helper()
	if f, ok := faults[tr.Case]; ok {
		r.server.SetFault(f)
	}
	rec := httptest.NewRecorder()
	r.server.ServeHTTP(rec, r.request(t, tr))
	res := rec.Result()
	if res.StatusCode != tr.Response.Status {
		t.Errorf("status %d, recorded %d\n%.600s", res.StatusCode, tr.Response.Status, rec.Body)
		return
	}
	got, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	want, _, _ := strings.Cut(tr.Response.Type, ";")
	if got != want {
		t.Errorf("content type %q, recorded %q", got, want)
	}
	text, _ := tr.Response.Body.(string)
	if m := redirectLink.FindStringSubmatch(text); m != nil && !strings.Contains(m[1], "?code=") {
		if at := res.Header.Get("Location"); !strings.HasPrefix(at, html.UnescapeString(m[1])) {
			t.Errorf("redirect to %q, recorded %q", at, m[1])
		}
	}
	if tr.Case == "032-cookie-desk-page" {
		r.learnToken(t, rec.Body.String())
	}
	if got != "application/json" || tr.Request.Method == http.MethodHead {
		return
	}
	var body any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		t.Fatalf("answer: %v", err)
	}
	if tr.Case >= firstWrite {
		r.learn(tr.Response.Body, body)
	}
	wanted, have := normalise(r.translate(tr.Response.Body)), normalise(body)
	if strings.Contains(tr.Case, "-so-") {
		wanted, have = simulated(wanted), simulated(have)
	}
	if isMetadata(tr.Case) {
		have = restrict(have, wanted)
	}
	if diff := cmp.Diff(wanted, have); diff != "" {
		t.Errorf("answer differs (-recorded +simulated):\n%.3000s", diff)
	}
}

// redirectLink is where the page of a redirect leads; the recording keeps its beginning.
var redirectLink = regexp.MustCompile(`<h1>Redirecting\.\.\.</h1>\n.*?<a href="([^"]+)`)

// learnToken notes the page's token against forged requests.
func (r *replayer) learnToken(t *testing.T, page string) {
	t.Helper()
	_, rest, ok := strings.Cut(page, `name="csrf_token" value="`)
	token, _, end := strings.Cut(rest, `"`)
	if !ok || !end {
		t.Fatalf("no token in %s", page)
	}
	r.ours["26e074fa8b257debcd6047d7624889f7724ef40bb8e1e4b492a31d97"] = token
}

// cookie logs in as the recorded session's user, and puts our session in its place.
func (r *replayer) cookie(t *testing.T, recorded string) string {
	t.Helper()
	sid, _, _ := strings.Cut(strings.TrimPrefix(recorded, "sid="), ";")
	if user, ok := siteSessions[sid]; ok && r.ours[sid] == "" {
		form := url.Values{"usr": {user}, "pwd": {passwords[user]}}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/method/login", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		r.server.ServeHTTP(rec, req)
		for _, c := range rec.Result().Cookies() {
			if c.Name == "sid" {
				r.ours[sid] = c.Value
			}
		}
	}
	return r.translateText(recorded)
}

// learn notes where generated names and times differ.
func (r *replayer) learn(recorded, simulated any) {
	switch want := recorded.(type) {
	case map[string]any:
		have, _ := simulated.(map[string]any)
		for k, v := range want {
			w, isText := v.(string)
			h, _ := have[k].(string)
			if isText && w != h && h != "" && len(w) > 8 && generated[k] {
				r.ours[w] = h
			}
			r.learn(v, have[k])
		}
	case []any:
		have, _ := simulated.([]any)
		for i := range min(len(want), len(have)) {
			r.learn(want[i], have[i])
		}
	}
}

// generated are the members that a server makes up.
var generated = map[string]bool{
	"access_token": true, "refresh_token": true, "id_token": true,
	"name": true, "creation": true, "modified": true, "opened_at": true,
}

// translate puts our names and times in place of the recorded ones.
func (r *replayer) translate(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = r.translate(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.translate(e)
		}
		return out
	case string:
		return r.translateText(v)
	default:
		return v
	}
}

func (r *replayer) translateText(s string) string {
	if ours, ok := r.ours[s]; ok {
		return ours
	}
	for _, w := range slices.SortedFunc(maps.Keys(r.ours), func(a, b string) int { return len(b) - len(a) }) {
		s = strings.ReplaceAll(s, w, r.ours[w])
	}
	return s
}

func (r *replayer) request(t *testing.T, tr transcript) *http.Request {
	t.Helper()
	var body io.Reader
	switch b := tr.Request.Body.(type) {
	case nil:
	case string:
		body = strings.NewReader(r.translateText(b))
	default:
		raw, err := json.Marshal(r.translate(b))
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	if len(tr.Request.Binary) > 0 {
		body = bytes.NewReader(tr.Request.Binary)
	}
	if tr.Case == "582-body-too-large" {
		body = strings.NewReader(`{"subject": "` + strings.Repeat("x", 26<<20) + `"}`)
	}
	if tr.Request.BodyText != "" {
		body = strings.NewReader(r.translateText(tr.Request.BodyText))
	}
	req := httptest.NewRequestWithContext(t.Context(), tr.Request.Method, strings.ReplaceAll(r.translateText(tr.Request.Path), " ", "%20"), body)
	for k, vs := range tr.Request.Headers {
		for _, v := range vs {
			if k == "Cookie" {
				v = r.cookie(t, v)
			}
			req.Header.Add(k, r.translateText(v))
		}
	}
	req.Host = "127.0.0.1:8000" // of the recorded site; answers name it
	return req
}

func transcripts(t *testing.T) []transcript {
	t.Helper()
	f, err := os.Open("testdata/transcripts.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []transcript
	for d := json.NewDecoder(z); ; {
		var tr transcript
		if err := d.Decode(&tr); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, tr)
	}
}

// notReplayed reads the list of cases that are left out.
func notReplayed(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open("testdata/not-replayed.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make(map[string]bool)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok || reason == "" {
			t.Errorf("not-replayed.txt: no reason in %q", line)
		}
		out[name] = true
	}
	return out
}
