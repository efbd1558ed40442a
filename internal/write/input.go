package write

import (
	"context"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"erpgraph/internal/doctype"
)

// Bounds of one input. ERPNext handles each row of a table by itself, so that more of
// them would outlast any request.
const (
	maxRows   = 1000
	maxValues = 50_000
)

// Null, absent and ERPNext (model/base_document.py get_valid_dict, database/schema.py):
//
//   - On create null is absent: ERPNext fills in its default. A Time that is absent becomes
//     the time of the insert, as ERPNext's own forms do it.
//   - On update null clears: text, links, selects, dates, times, Rating, Duration, Attach
//     and JSON become null; Check, Int, Float, Percent and Currency, whose columns have no
//     null, become 0; a table becomes empty. A field that must not be empty (reqd) is
//     refused by ERPNext, by name.

// request is an input in ERPNext's words.
type request struct {
	// values are what frappe.Insert and frappe.Update take, tables included.
	values map[string]any
	// rows are the rows of an update's tables by fieldname, which need merging.
	rows map[string][]inputRow
	// touched are the written fields, for their permission levels.
	touched []touched
	// linked are the docnames that links hold, by the path of the field.
	linked map[string]string
}

// inputRow is one row of a child table in an update. name is that of a row to be kept,
// "" for a new one.
type inputRow struct {
	name   string
	values map[string]any
	path   string
}

// touched is a field that an input writes.
type touched struct {
	of    *doctype.Type
	field *doctype.Field
	path  string
}

// inputReader turns one input into a request.
type inputReader struct {
	w      *Writer
	zone   *time.Location
	create bool
	count  int
	out    request
}

// read brings an input to ERPNext's words, or refuses it; see the package comment.
func (w *Writer) read(t *doctype.Type, in Input, path string, create bool, zone *time.Location) (*request, error) {
	r := &inputReader{w: w, zone: zone, create: create, out: request{rows: map[string][]inputRow{}, linked: map[string]string{}}}
	values, err := r.object(t, in, path, create)
	if err != nil {
		return nil, err
	}
	r.out.values = values
	return &r.out, nil
}

// object reads the fields of a document or row. fresh says that it is a new one, which
// needs all that is required.
func (r *inputReader) object(t *doctype.Type, in Input, path string, fresh bool) (map[string]any, error) {
	values := make(map[string]any, len(in))
	for _, key := range sortedKeys(in) {
		if err := r.field(t, key, in[key], path+"."+key, values); err != nil {
			return nil, err
		}
	}
	if !fresh {
		return values, nil
	}
	for _, f := range t.Fields {
		if f.Create != doctype.Required || !r.create && f.Update == doctype.Absent {
			continue
		}
		v, ok := values[f.Column]
		if list, table := v.([]any); !ok || table && len(list) == 0 {
			return nil, bad(path+"."+f.Name, "is required")
		}
	}
	if _, ok := values[nameColumn]; !ok && r.create && t.Source != doctype.Child && t.Writes.Name == doctype.Required {
		return nil, bad(path+".name", "is required")
	}
	return values, nil
}

// Columns that every document has.
const (
	nameColumn     = "name"
	creationColumn = "creation"
	modifiedColumn = "modified"
)

func (r *inputReader) field(t *doctype.Type, key string, v any, path string, values map[string]any) error {
	if r.count++; r.count > maxValues {
		return bad(path, "the input has more than %d values", maxValues)
	}
	if key == nameColumn && r.create && t.Source != doctype.Child && t.Writes.Name != doctype.Absent {
		return r.docname(v, path, values)
	}
	f := t.Field(key)
	switch {
	case f == nil:
		return bad(path, "%s has no such field", t.Name)
	case r.use(f) == doctype.Absent:
		return bad(path, "can't be written")
	case v == nil && r.create:
		return nil
	}
	r.out.touched = append(r.out.touched, touched{of: t, field: f, path: path})
	if f.Kind == doctype.Table {
		return r.table(f, v, path, values)
	}
	if v == nil {
		values[f.Column] = nil
		return nil
	}
	out, err := r.w.coerce(f, false, v, path, r.zone)
	if err == nil {
		err = checkLength(t, f, out, path)
	}
	if err != nil {
		return err
	}
	if text, ok := out.(string); ok && (f.Kind == doctype.Link || f.Kind == doctype.DynamicLink || linkFact(f)) {
		r.out.linked[path] = text
	}
	values[f.Column] = out
	return nil
}

func (r *inputReader) use(f *doctype.Field) doctype.InputUse {
	if r.create {
		return f.Create
	}
	return f.Update
}

// docname reads the name of a new document whose name people choose.
func (r *inputReader) docname(v any, path string, values map[string]any) error {
	if v == nil {
		return nil
	}
	values[nameColumn] = v
	return docname(path, v)
}

// table reads the rows of a child table. Those of an update wait for the merge.
func (r *inputReader) table(f *doctype.Field, v any, path string, values map[string]any) error {
	of := r.w.cfg.Registry.ByKey(f.Target)
	rows, err := listOf(v, path)
	if err != nil || of == nil {
		return err
	}
	list := make([]any, len(rows))
	merge := make([]inputRow, len(rows))
	for i, row := range rows {
		at := path + "." + strconv.Itoa(i)
		object, ok := row.(map[string]any)
		if !ok {
			return bad(at, "must be an object")
		}
		name := ""
		if !r.create {
			if name, object, err = rowName(object, at); err != nil {
				return err
			}
		}
		out, err := r.object(of, object, at, name == "")
		if err != nil {
			return err
		}
		list[i], merge[i] = out, inputRow{name: name, values: out, path: at}
	}
	if r.create || len(rows) == 0 {
		values[f.Column] = list
		return nil
	}
	r.out.rows[f.Column] = merge
	return nil
}

// rowName takes the name of a kept row from the rest of its input.
func rowName(object map[string]any, path string) (string, map[string]any, error) {
	v := object[nameColumn]
	rest := make(map[string]any, len(object))
	for key, value := range object {
		if key != nameColumn {
			rest[key] = value
		}
	}
	if v == nil {
		return "", rest, nil
	}
	name, err := textOf(v)
	if err != nil || name == "" {
		return "", nil, bad(path+".name", "must be the name of a row of this document")
	}
	return name, rest, nil
}

// listOf is the list of a table; null is the empty one, and one row a list of it, as
// GraphQL has it.
func listOf(v any, path string) ([]any, error) {
	var list []any
	switch v := v.(type) {
	case nil:
	case []any:
		list = v
	case []map[string]any:
		for _, row := range v {
			list = append(list, row)
		}
	case map[string]any:
		list = []any{v}
	default:
		return nil, bad(path, "must be a list of rows")
	}
	if len(list) > maxRows {
		return nil, bad(path, "has more than %d rows", maxRows)
	}
	return list, nil
}

// nameLength is that of Frappe's varchar columns, where a field does not set its own.
const nameLength = 140

// textBytes is what MariaDB's text holds.
const textBytes = 1<<16 - 1

// checkLength refuses text that is longer than its column. A single DocType keeps all
// its values in one long column.
func checkLength(t *doctype.Type, f *doctype.Field, v any, path string) error {
	text, ok := v.(string)
	if !ok || t.Source == doctype.Single {
		return nil
	}
	limit, fieldtype := nameLength, "Data"
	if f.Facts != nil {
		fieldtype = string(f.Facts.Fieldtype)
		if f.Facts.Length > 0 {
			limit = int(f.Facts.Length)
		}
	}
	switch fieldtype {
	case "Data", "Link", "Dynamic Link", "Select", "Color", "Icon", "Phone", "Autocomplete":
		if n := utf8.RuneCountInString(text); n > limit {
			return bad(path, "has %d characters; at most %d are kept", n, limit)
		}
	case "Small Text", "Text", "Attach", "Attach Image":
		if len(text) > textBytes {
			return bad(path, "has %d bytes; at most %d are kept", len(text), textBytes)
		}
	}
	return nil
}

// siteZone is the site's time zone.
func (w *Writer) siteZone(ctx context.Context) (*time.Location, error) {
	zone, err := w.cfg.Site.Location(ctx)
	if err != nil {
		return nil, fmt.Errorf("write a document: %w", err)
	}
	return zone, nil
}
