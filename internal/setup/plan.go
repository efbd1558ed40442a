package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/frappe"
)

// Upstream is what this package needs of an ERPNext site; *frappe.Client is one.
type Upstream interface {
	LoggedUser(ctx context.Context, cred frappe.Credential) (string, error)
	Roles(ctx context.Context, cred frappe.Credential, user string) ([]string, error)
	List(ctx context.Context, cred frappe.Credential, q frappe.ListQuery) (*frappe.Table, error)
	Document(ctx context.Context, cred frappe.Credential, doctype, name string) (map[string]jsontext.Value, error)
	Insert(ctx context.Context, cred frappe.Credential, doctype string, values map[string]any) (map[string]jsontext.Value, error)
	Update(ctx context.Context, cred frappe.Credential, doctype, name string, values map[string]any) (map[string]jsontext.Value, error)
	Delete(ctx context.Context, cred frappe.Credential, doctype, name string) error
}

// Document is a document that should be on the site.
type Document struct {
	DocType string
	// Find are fields whose values tell the document from all others of its DocType: at
	// most one document may hold them. A new document is given them.
	Find map[string]string
	// Name narrows the search to the document of this name; with it none is created.
	Name string
	// Fields are those that are kept as they should be. All others are left alone.
	Fields []Field
	// Dependents are rows that link to the document and go when it goes.
	Dependents []Dependent
}

// Field is a field that is kept as its Rule wants it.
type Field struct {
	Name string
	Rule Rule
	// Secret keeps the field's values out of everything that is told.
	Secret bool
}

// Dependent are the documents of a DocType whose field names the removed document.
type Dependent struct{ DocType, Field string }

// String names the document as people know it.
func (d Document) String() string {
	label := []string{d.DocType}
	for _, field := range slices.Sorted(maps.Keys(d.Find)) {
		label = append(label, quoted(d.Find[field]))
	}
	return strings.Join(label, " ")
}

// Site is a site and the administrator's credential for it.
type Site struct {
	Upstream   Upstream
	Credential frappe.Credential
}

// Change is what differs between a document on the site and the wanted one.
type Change struct {
	Document Document
	// Name is the document's on the site, "" when it is not there yet.
	Name   string
	Fields []FieldChange
	// Remarks tell what was seen and left alone.
	Remarks []string
	// current is the document as it was read, nil for a new one.
	current map[string]jsontext.Value
}

// FieldChange is a field that is not as it should be, as people read it.
type FieldChange struct {
	Name     string
	Old, New string
	value    any
}

// Empty tells whether there is nothing to write.
func (c Change) Empty() bool { return c.Name != "" && len(c.Fields) == 0 }

// AmbiguousError is several documents where one is expected. Which of them is erpgraph's
// is for a person to say.
type AmbiguousError struct {
	Document Document
	Names    []string
}

// Error lists the documents.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("the site has several of %s: %q", e.Document, e.Names)
}

// MissingError is a document that was asked for by its name, and is not there.
type MissingError struct{ Document Document }

// Error names the document.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the site has no %s of the name %q", e.Document, e.Document.Name)
}

// Diff compares a wanted document with the site's: two calls, one for a document that is
// not there yet. Errors are *AmbiguousError, *MissingError, or the site's.
func (s Site) Diff(ctx context.Context, d Document) (Change, error) {
	names, err := s.find(ctx, d)
	if err != nil {
		return Change{}, err
	}
	switch {
	case len(names) > 1:
		return Change{}, &AmbiguousError{Document: d, Names: names}
	case len(names) == 0 && d.Name != "":
		return Change{}, &MissingError{Document: d}
	case len(names) == 0:
		fields, err := d.compare(nil)
		return Change{Document: d, Fields: fields}, err
	}
	current, err := s.Upstream.Document(ctx, s.Credential, d.DocType, names[0])
	if err != nil {
		return Change{}, fmt.Errorf("read the %s: %w", d, err)
	}
	fields, err := d.compare(current)
	return Change{Document: d, Name: names[0], Fields: fields, Remarks: d.remarks(current), current: current}, err
}

// find gives the names of the documents that hold what Find asks for, exactly: the
// database compares without case and accents.
func (s Site) find(ctx context.Context, d Document) ([]string, error) {
	q := frappe.ListQuery{
		DocType: d.DocType,
		Columns: []frappe.Column{{Field: "name"}},
		OrderBy: []frappe.Order{{Field: "name"}},
	}
	want := []string{d.Name}
	for _, field := range slices.Sorted(maps.Keys(d.Find)) {
		q.Columns = append(q.Columns, frappe.Column{Field: field})
		q.Filters = append(q.Filters, frappe.Filter{Field: field, Op: frappe.OpEq, Value: d.Find[field]})
		want = append(want, d.Find[field])
	}
	if d.Name != "" {
		q.Filters = append(q.Filters, frappe.Filter{Field: "name", Op: frappe.OpEq, Value: d.Name})
	}
	table, err := s.Upstream.List(ctx, s.Credential, q)
	if err != nil {
		return nil, fmt.Errorf("look for the %s: %w", d, err)
	}
	var names []string
	for _, row := range table.Rows {
		name := text(row[0])
		if d.Name == "" {
			want[0] = name
		}
		if name != "" && slices.EqualFunc(row, want, func(cell jsontext.Value, w string) bool { return text(cell) == w }) {
			names = append(names, name)
		}
	}
	return names, nil
}

// compare gives the fields that are not as they should be; current is nil for a new
// document.
func (d Document) compare(current map[string]jsontext.Value) ([]FieldChange, error) {
	var changes []FieldChange
	for _, field := range d.Fields {
		held := current[field.Name]
		if held == nil && current != nil {
			held = jsontext.Value("null")
		}
		value, needed := field.Rule.Mend(held)
		if !needed {
			continue
		}
		wanted, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("the value of %s: %w", field.Name, err)
		}
		change := FieldChange{Name: field.Name, Old: "(secret)", New: "(secret)", value: value}
		if !field.Secret {
			change.Old, change.New = field.Rule.Show(held), field.Rule.Show(wanted)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (d Document) remarks(current map[string]jsontext.Value) []string {
	var remarks []string
	for _, field := range d.Fields {
		if rule, ok := field.Rule.(Remarker); ok {
			if remark := rule.Remark(current[field.Name]); remark != "" {
				remarks = append(remarks, field.Name+": "+remark)
			}
		}
	}
	return remarks
}
