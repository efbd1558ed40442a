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
	Insert(ctx context.Context, cred frappe.Credential, doctype string, values map[string]any) (*frappe.Written, error)
	Update(ctx context.Context, cred frappe.Credential, doctype, name string, values map[string]any) (*frappe.Written, error)
	Delete(ctx context.Context, cred frappe.Credential, doctype, name string) (messages []string, err error)
}

// document is a document that should be on the site.
type document struct {
	docType string
	// find are fields whose values tell the document from all others of its DocType: at
	// most one document may hold them. A new document is given them.
	find map[string]string
	// name narrows the search to the document of this name; with it none is created.
	name string
	// fields are those that are kept as they should be. All others are left alone.
	fields []field
	// dependents are rows that link to the document and go when it goes.
	dependents []dependent
}

// field is a field that is kept as its rule wants it. Its values are told to whoever runs
// setup: it is none for secrets.
type field struct {
	name string
	rule rule
}

// dependent are the documents of a DocType whose field names the removed document.
type dependent struct{ docType, field string }

// String names the document as people know it.
func (d document) String() string {
	label := []string{d.docType}
	for _, field := range slices.Sorted(maps.Keys(d.find)) {
		label = append(label, quoted(d.find[field]))
	}
	return strings.Join(label, " ")
}

// site is a site and the administrator's credential for it.
type site struct {
	upstream   Upstream
	credential frappe.Credential
}

// change is what differs between a document on the site and the wanted one.
type change struct {
	document document
	// name is the document's on the site, "" when it is not there yet.
	name   string
	fields []fieldChange
	// remarks tell what was seen and left alone.
	remarks []string
	// current is the document as it was read, nil for a new one.
	current map[string]jsontext.Value
}

// fieldChange is a field that is not as it should be, as people read it.
type fieldChange struct {
	name     string
	old, new string
	value    any
}

// empty tells whether there is nothing to write.
func (c change) empty() bool { return c.name != "" && len(c.fields) == 0 }

// AmbiguousError is several documents where one is expected. Which of them is erpgraph's
// is for a person to say.
type AmbiguousError struct {
	document document
	Names    []string
}

// Error lists the documents.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("the site has several of %s: %q", e.document, e.Names)
}

// MissingError is a document that was asked for by its name, and is not there.
type MissingError struct{ document document }

// Error names the document.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the site has no %s of the name %q", e.document, e.document.name)
}

// diff compares a wanted document with the site's: two calls, one for a document that is
// not there yet. Errors are *AmbiguousError, *MissingError, or the site's.
func (s site) diff(ctx context.Context, d document) (change, error) {
	names, err := s.find(ctx, d)
	if err != nil {
		return change{}, err
	}
	switch {
	case len(names) > 1:
		return change{}, &AmbiguousError{document: d, Names: names}
	case len(names) == 0 && d.name != "":
		return change{}, &MissingError{document: d}
	case len(names) == 0:
		fields, err := d.compare(nil)
		return change{document: d, fields: fields}, err
	}
	current, err := s.upstream.Document(ctx, s.credential, d.docType, names[0])
	if err != nil {
		return change{}, fmt.Errorf("read the %s: %w", d, err)
	}
	fields, err := d.compare(current)
	return change{document: d, name: names[0], fields: fields, remarks: d.remarks(current), current: current}, err
}

// find gives the names of the documents that hold what d.find asks for, exactly: the
// database compares without case and accents.
func (s site) find(ctx context.Context, d document) ([]string, error) {
	q := frappe.ListQuery{
		DocType: d.docType,
		Columns: []frappe.Column{{Field: "name"}},
		OrderBy: []frappe.Order{{Field: "name"}},
	}
	want := []string{d.name}
	for _, field := range slices.Sorted(maps.Keys(d.find)) {
		q.Columns = append(q.Columns, frappe.Column{Field: field})
		q.Filters = append(q.Filters, frappe.Filter{Field: field, Op: frappe.OpEq, Value: d.find[field]})
		want = append(want, d.find[field])
	}
	if d.name != "" {
		q.Filters = append(q.Filters, frappe.Filter{Field: "name", Op: frappe.OpEq, Value: d.name})
	}
	table, err := s.upstream.List(ctx, s.credential, q)
	if err != nil {
		return nil, fmt.Errorf("look for the %s: %w", d, err)
	}
	var names []string
	for _, row := range table.Rows {
		name := text(row[0])
		if d.name == "" {
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
func (d document) compare(current map[string]jsontext.Value) ([]fieldChange, error) {
	var changes []fieldChange
	for _, field := range d.fields {
		held := current[field.name]
		if held == nil && current != nil {
			held = jsontext.Value("null")
		}
		value, needed := field.rule.mend(held)
		if !needed {
			continue
		}
		wanted, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("the value of %s: %w", field.name, err)
		}
		changes = append(changes, fieldChange{name: field.name, old: field.rule.show(held), new: field.rule.show(wanted), value: value})
	}
	return changes, nil
}

func (d document) remarks(current map[string]jsontext.Value) []string {
	var remarks []string
	for _, field := range d.fields {
		if rule, ok := field.rule.(remarker); ok {
			if remark := rule.remark(current[field.name]); remark != "" {
				remarks = append(remarks, field.name+": "+remark)
			}
		}
	}
	return remarks
}
