package write

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// explain says a failure in the client's words: the fields by their paths in the input,
// the document that it is about, and for a conflict when it was changed.
func (w *Writer) explain(ctx context.Context, op *operation, err error) error {
	if err == nil {
		return nil
	}
	w.set.Heard(err)
	if op.t != nil && op.name != "" && stale(err) {
		return w.conflict(ctx, op, err)
	}
	cause, ok := errors.AsType[*frappe.Error](err)
	if !ok || op.t == nil {
		return err
	}
	public := *cause.Public()
	public.Cause = err
	if public.DocType == "" || public.DocType == op.t.Key {
		public.DocType = op.t.Key
		if public.DocName == "" {
			public.DocName = op.name
		}
	}
	if cause.Code == apierror.Validation || cause.Code == apierror.Conflict {
		if paths := w.fieldsOf(op, cause); len(paths) > 0 {
			public.Field = paths[0]
			if len(paths) > 1 {
				public.Extensions = with(public.Extensions, "fields", paths)
			}
		}
	}
	return &public
}

// conflict is the error of a document that has changed. Its new modified is told, as
// the caller may read it.
func (w *Writer) conflict(ctx context.Context, op *operation, err error) error {
	e := apierror.Wrap(apierror.Conflict, err, "the document has changed since it was read; nothing was written").About(op.t.Key, op.name, "")
	if !op.locked {
		e.Cause = errors.Join(errContended, err)
		e.Message = "others keep changing the document; nothing was written"
	}
	if h, err := w.head(ctx, op.t, op.name); err == nil {
		if zone, err := w.siteZone(ctx); err == nil && h.modified != "" {
			e.Extensions = with(e.Extensions, "modified", fromSite(h.modified, zone))
		}
	}
	return e
}

func with(extensions map[string]any, key string, v any) map[string]any {
	out := map[string]any{key: v}
	maps.Copy(out, extensions)
	return out
}

// rowNumber is how Frappe's messages name a row of a table, in any language.
var rowNumber = regexp.MustCompile(`#\s?(\d{1,4})\b`)

// fieldsOf are the paths of the fields that Frappe's error names: by fieldname in the
// exception, by label in the message, or by the docname of a link that it did not find.
func (w *Writer) fieldsOf(op *operation, e *frappe.Error) []string {
	f := &finder{w: w, op: op, row: -1}
	if m := rowNumber.FindAllStringSubmatch(e.Message, -1); len(m) > 0 {
		same := !slices.ContainsFunc(m, func(other []string) bool { return other[1] != m[0][1] })
		if n, err := strconv.Atoi(m[0][1]); err == nil && same {
			f.row = n - 1
		}
	}
	for _, fieldname := range e.Fields {
		f.add(func(field *doctype.Field) bool { return field.Column == fieldname })
	}
	if len(f.paths) == 0 && e.ExcType == "LinkValidationError" {
		f.links(e.Message)
	}
	if len(f.paths) > 0 {
		return f.paths
	}
	for _, text := range e.Marked {
		f.add(func(field *doctype.Field) bool {
			return field.Column == text || field.Label != "" && strings.EqualFold(field.Label, text)
		})
	}
	return f.paths
}

// finder looks for the fields of an operation's input.
type finder struct {
	w     *Writer
	op    *operation
	row   int // of a table, from 0; -1 where the error names none
	paths []string
}

// add adds the one field that is meant: of the named row, else of the document, else of a
// row of a table that was sent. What could be two fields is none.
func (f *finder) add(meant func(*doctype.Field) bool) {
	places := []func(func(*doctype.Field) bool) []string{f.ofDocument, f.ofRows}
	if f.row >= 0 {
		slices.Reverse(places)
	}
	for _, place := range places {
		if found := place(meant); len(found) == 1 {
			if !slices.Contains(f.paths, found[0]) {
				f.paths = append(f.paths, found[0])
			}
			return
		}
	}
}

func (f *finder) ofDocument(meant func(*doctype.Field) bool) []string {
	var found []string
	for _, field := range f.op.t.Fields {
		if meant(field) && inInput(field) {
			found = append(found, f.path(field.Name))
		}
	}
	return found
}

func (f *finder) ofRows(meant func(*doctype.Field) bool) []string {
	var found []string
	for _, table := range f.op.t.Fields {
		of := f.w.cfg.Registry.ByKey(table.Target)
		if table.Kind != doctype.Table || of == nil || !f.op.sentRows(table.Column) {
			continue
		}
		for _, field := range of.Fields {
			if meant(field) && inInput(field) {
				path := f.path(table.Name)
				if f.row >= 0 {
					path += "." + strconv.Itoa(f.row)
				}
				found = append(found, path+"."+field.Name)
			}
		}
	}
	return found
}

// inInput tells whether a client can mend a field at all.
func inInput(f *doctype.Field) bool {
	return !f.Standard && (f.Create != doctype.Absent || f.Update != doctype.Absent)
}

// sentRows tells whether the input has rows of a table.
func (op *operation) sentRows(column string) bool {
	if op.sent == nil {
		return true // no input: the document's own rows are what the error is about
	}
	list, _ := op.sent.values[column].([]any)
	return len(list) > 0 || len(op.sent.rows[column]) > 0
}

// links adds the links whose docname stands in the message, as it does behind its label
// and before the next one (model/document.py _validate_links).
func (f *finder) links(message string) {
	if f.op.sent == nil {
		return
	}
	for _, one := range f.op.sent.touched {
		docname, ok := f.op.sent.linked[one.path]
		if ok && standsIn(message, ": "+docname) && !slices.Contains(f.paths, one.path) {
			f.paths = append(f.paths, one.path)
		}
	}
}

// standsIn tells whether a text stands in a message whole: at its end, or before a comma.
func standsIn(message, text string) bool {
	for {
		_, rest, found := strings.Cut(message, text)
		if !found {
			return false
		}
		if rest == "" || rest[0] == ',' || rest[0] == '\n' {
			return true
		}
		message = rest
	}
}

// linkFact tells whether a field that the graph has as text is a link at the site.
func linkFact(f *doctype.Field) bool {
	return f.Facts != nil && (f.Facts.Fieldtype == "Link" || f.Facts.Fieldtype == "Dynamic Link")
}

func (f *finder) path(name string) string {
	if f.op.path == "" {
		return name
	}
	return f.op.path + "." + name
}
