// Package trailtest is an ERPNext for tests, as far as package trail reads one: rows with
// their times, Deleted Documents, and the Comments of renames.
package trailtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/frappe"
)

// ERP is the site. Its clock moves by a second with each change. Safe for several
// goroutines.
type ERP struct {
	mu    sync.Mutex
	now   time.Time
	rows  map[string][]map[string]string // by DocType, in no order
	deny  map[string]apierror.Code
	down  error
	lists map[string]int
	next  int
}

// User is who makes the changes.
const User = "ada@example.com"

// New makes a site whose clock stands at now, in the site's zone.
func New(now time.Time) *ERP {
	return &ERP{now: now, rows: map[string][]map[string]string{}, deny: map[string]apierror.Code{}, lists: map[string]int{}}
}

// Now is the site's time.
func (s *ERP) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Pass lets time pass.
func (s *ERP) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Deny lets all calls for a DocType fail with a code; "" permits them again.
func (s *ERP) Deny(doctype string, code apierror.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deny[doctype] = code
}

// Down lets all calls fail; nil ends that.
func (s *ERP) Down(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// Lists counts the calls that listed a DocType.
func (s *ERP) Lists(doctype string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists[doctype]
}

// tick is the next time of the clock, as Frappe writes it.
func (s *ERP) tick() string {
	s.now = s.now.Add(time.Second)
	return s.now.Format(trail.Layout)
}

// Put stores a row as it is given, as SQL would.
func (s *ERP) Put(doctype string, row map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[doctype] = append(s.rows[doctype], row)
}

// Insert makes documents.
func (s *ERP) Insert(doctype string, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.insert(doctype, name, User, nil)
	}
}

func (s *ERP) insert(doctype, name, owner string, values map[string]string) {
	now := s.tick()
	row := map[string]string{"name": name, "creation": now, "modified": now, "owner": owner, "docstatus": "0"}
	maps.Copy(row, values)
	s.rows[doctype] = append(s.rows[doctype], row)
}

// Save changes a document.
func (s *ERP) Save(doctype, name string) { s.change(doctype, name, "") }

// Submit submits a document.
func (s *ERP) Submit(doctype, name string) { s.change(doctype, name, "1") }

// Cancel cancels a document.
func (s *ERP) Cancel(doctype, name string) { s.change(doctype, name, "2") }

func (s *ERP) change(doctype, name, docstatus string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.find(doctype, name)
	row["modified"] = s.tick()
	row["docstatus"] = cmp.Or(docstatus, row["docstatus"])
}

func (s *ERP) find(doctype, name string) map[string]string {
	for _, row := range s.rows[doctype] {
		if strings.EqualFold(row["name"], name) {
			return row
		}
	}
	return map[string]string{}
}

// Delete deletes a document as a user: there is a Deleted Document then.
func (s *ERP) Delete(doctype, name, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(doctype, name, user)
}

func (s *ERP) drop(doctype, name, user string) {
	s.vanish(doctype, name)
	s.insert(trail.DeletedDocument, s.id(), user, map[string]string{"deleted_doctype": doctype, "deleted_name": name})
}

// Vanish removes a document without a trace.
func (s *ERP) Vanish(doctype, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vanish(doctype, name)
}

func (s *ERP) vanish(doctype, name string) {
	s.rows[doctype] = slices.DeleteFunc(s.rows[doctype], func(r map[string]string) bool { return r["name"] == name })
}

// Rename gives a document another name. Its modified stays, as in Frappe.
func (s *ERP) Rename(doctype, from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(doctype, from)["name"] = to
	s.rehang(doctype, from, to)
	s.comment(doctype, from, to, "renamed from %s to %s", User)
}

// Merge merges a document into another one.
func (s *ERP) Merge(doctype, from, into string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rehang(doctype, from, into)
	s.comment(doctype, from, into, "merged %s into %s", User)
	s.drop(doctype, from, User)
}

// rehang moves the Comments of a document to its new name.
func (s *ERP) rehang(doctype, from, to string) {
	for _, row := range s.rows[trail.Comment] {
		if row["reference_doctype"] == doctype && row["reference_name"] == from {
			row["reference_name"] = to
		}
	}
}

// Claim writes the Comment of a rename without doing it, as a forger would.
func (s *ERP) Claim(doctype, from, to, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comment(doctype, from, to, "umbenannt von %s in %s", user)
}

func (s *ERP) comment(doctype, from, to, format, user string) {
	bold := func(name string) string { return "<strong>" + html.EscapeString(name) + "</strong>" }
	s.insert(trail.Comment, s.id(), user, map[string]string{
		"comment_type": "Edit", "reference_doctype": doctype, "reference_name": to,
		"content": fmt.Sprintf(format, bold(from), bold(to)),
	})
}

func (s *ERP) id() string {
	s.next++
	return fmt.Sprintf("row%06d", s.next)
}

func (s *ERP) allowed(ctx context.Context, doctype string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.down != nil {
		return s.down
	}
	if code := s.deny[doctype]; code != "" {
		return apierror.New(code, "no").About(doctype, "", "")
	}
	return nil
}

// Document reads a document, by its name in any case.
func (s *ERP) Document(ctx context.Context, _ frappe.Credential, doctype, name string) (map[string]jsontext.Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.allowed(ctx, doctype); err != nil {
		return nil, err
	}
	row := s.find(doctype, name)
	if len(row) == 0 {
		return nil, apierror.New(apierror.NotFound, "no such document")
	}
	if row["hidden"] != "" {
		return nil, apierror.New(apierror.Forbidden, "not for you")
	}
	doc := map[string]jsontext.Value{}
	for k, v := range row {
		doc[k] = quote(v)
	}
	return doc, nil
}

// List lists rows. Names are compared without case, as MariaDB does.
func (s *ERP) List(ctx context.Context, _ frappe.Credential, q frappe.ListQuery) (*frappe.Table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[q.DocType]++
	if err := s.allowed(ctx, q.DocType); err != nil {
		return nil, err
	}
	var rows []map[string]string
	for _, row := range s.rows[q.DocType] {
		if row["hidden"] == "" && !slices.ContainsFunc(q.Filters, func(f frappe.Filter) bool { return !fits(row, f) }) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b map[string]string) int {
		for _, o := range q.OrderBy {
			if c := cmp.Compare(fold(o.Field, a[o.Field]), fold(o.Field, b[o.Field])); c != 0 {
				if o.Desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	if q.Limit > 0 {
		rows = rows[:min(q.Limit, len(rows))]
	}
	table := &frappe.Table{}
	for _, row := range rows {
		var cells []jsontext.Value
		for _, c := range q.Columns {
			cells = append(cells, cell(c.Field, row[c.Field]))
		}
		table.Rows = append(table.Rows, cells)
	}
	return table, nil
}

// cell is a value as Frappe sends it: Python leaves out a fraction of zero.
func cell(column, value string) jsontext.Value {
	switch column {
	case "docstatus":
		return jsontext.Value(cmp.Or(value, "0"))
	case "creation", "modified":
		return quote(strings.TrimSuffix(value, ".000000"))
	default:
		return quote(value)
	}
}

func quote(s string) jsontext.Value {
	b, err := json.Marshal(s)
	if err != nil {
		return jsontext.Value("null")
	}
	return b
}

func fold(column, value string) string {
	if column == "name" || column == "deleted_name" {
		return strings.ToLower(value)
	}
	return value
}

func fits(row map[string]string, f frappe.Filter) bool {
	have := fold(f.Field, row[f.Field])
	if list, ok := f.Value.([]string); ok {
		return f.Op == frappe.OpIn && slices.ContainsFunc(list, func(v string) bool { return fold(f.Field, v) == have })
	}
	text, ok := f.Value.(string)
	if !ok {
		return false
	}
	want := fold(f.Field, text)
	switch f.Op {
	case frappe.OpEq:
		return have == want
	case frappe.OpGt:
		return have > want
	case frappe.OpGte:
		return have >= want
	case frappe.OpLte:
		return have <= want
	case frappe.OpLike:
		return like(want, have)
	default:
		return false
	}
}

// like is SQL's.
func like(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '%':
		return like(pattern[1:], s) || s != "" && like(pattern, s[1:])
	default:
		return s != "" && (pattern[0] == '_' || pattern[0] == s[0]) && like(pattern[1:], s[1:])
	}
}
