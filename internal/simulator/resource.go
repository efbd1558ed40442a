package simulator

import (
	"net/http"
	"strings"
)

// routeV1 routes what stands after /api/ or /api/v1/.
func (q *call) routeV1(path string) (any, error) {
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case kind == "method" && rest != "":
		name, _, _ := strings.Cut(rest, "/")
		return q.callMethod(name)
	case kind == "resource" && rest != "":
		return q.resource(rest)
	default:
		return nil, apiNotFound()
	}
}

func apiNotFound() error {
	return &wireError{status: http.StatusNotFound, typ: "DoesNotExistError", class: "frappe.exceptions.DoesNotExistError"}
}

// resource answers /api/resource. Names may hold slashes; a slash at the end is dropped.
func (q *call) resource(path string) (any, error) {
	doctype, name, hasName := strings.Cut(strings.TrimSuffix(path, "/"), "/")
	q.log.DocType = doctype
	if !hasName {
		switch q.req.Method {
		case http.MethodGet, http.MethodHead:
			return q.documentList(doctype)
		case http.MethodPost:
			doc, err := q.insertForm(doctype)
			return wrapped{doc}, err
		default:
			return nil, methodNotAllowed()
		}
	}
	switch q.req.Method {
	case http.MethodGet, http.MethodHead:
		doc, err := q.readDocument(doctype, name)
		return wrapped{doc}, err
	case http.MethodPut:
		doc, err := q.updateForm(doctype, name)
		return wrapped{doc}, err
	case http.MethodDelete:
		if err := q.deleteDocument(doctype, name); err != nil {
			return nil, err
		}
		q.status = http.StatusAccepted
		return wrapped{"ok"}, nil
	case http.MethodPost:
		return nil, notWhitelisted("frappe.model.document." + q.arg("run_method"))
	default:
		return nil, apiNotFound()
	}
}

func methodNotAllowed() error {
	return htmlFailure(http.StatusMethodNotAllowed, "<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n"+
		"<h1>Method Not Allowed</h1>\n<p>The method is not allowed for the requested URL.</p>\n")
}

// documentList is GET /api/resource/DocType: frappe.client.get_list with fields that
// must be JSON and a limit of 20 rows unless one is given.
func (q *call) documentList(doctype string) (any, error) {
	form := q.form.without("doctype")
	form = append(object{{"doctype", doctype}}, form...)
	if f := form.get("fields"); truthy(f) {
		s, ok := f.(string)
		if !ok {
			return nil, python("TypeError", "the JSON object must be str, bytes or bytearray, not "+pythonType(f))
		}
		v, err := decodeJSON(s)
		if err != nil {
			return nil, jsonFailure(err)
		}
		form.set("fields", v)
	}
	if _, ok := form.lookup("limit_page_length"); !ok {
		limit := any(int64(20))
		if l := form.get("limit"); truthy(l) {
			limit = l
		}
		form.set("limit_page_length", limit)
	}
	rows, err := q.getList(form)
	return wrapped{rows}, err
}

// getList is frappe.client.get_list.
func (q *call) getList(form object) (any, error) {
	doctype := cstr(form.get("doctype"))
	q.log.DocType = doctype
	meta := q.snap.meta(doctype)
	if meta != nil && bool(meta.IsTable) {
		if err := q.mayListRows(meta, cstr(form.get("parent"))); err != nil {
			return nil, err
		}
	}
	args, err := q.parseListArgs(form)
	if err != nil {
		return nil, err
	}
	if v, ok := form.lookup("as_dict"); ok && !sbool(v) {
		args.asList = true
	}
	return q.list(args)
}

// mayListRows is the check on child rows: the parent must really have such rows, and its
// DocType must be readable. Which parents is not asked.
func (q *call) mayListRows(meta *docType, parent string) error {
	p := q.snap.meta(parent)
	if p == nil {
		return raised("PermissionError", "")
	}
	for _, f := range p.tables() {
		if f.Options == meta.Name {
			a := q.access()
			if !a.docType(p, "read", "") {
				return a.denied("", "")
			}
			return nil
		}
	}
	return raised("PermissionError", "")
}

// list compiles and runs.
func (q *call) list(args *listArgs) (any, error) {
	qr, err := q.compile(args)
	if err != nil {
		return nil, err
	}
	for _, c := range qr.where {
		if c.op == "in" {
			q.log.Names = max(q.log.Names, len(c.val))
		}
	}
	res := qr.run()
	q.log.Rows = len(res.rows)
	if args.asList {
		return res.lists(), nil
	}
	return res.objects(), nil
}

// readDocument is GET /api/resource/DocType/NAME.
func (q *call) readDocument(doctype, name string) (any, error) {
	if m, ok := q.form.lookup("run_method"); ok {
		return nil, notWhitelisted("frappe.model.document." + cstr(m))
	}
	d, err := q.document(doctype, name)
	if err != nil {
		return nil, err
	}
	a := q.access()
	if !a.document(d, "read") {
		return nil, a.denied("", "")
	}
	q.log.Rows = 1
	if meta := q.snap.meta(name); doctype == "DocType" && meta != nil {
		return meta.docTypeObject(), nil
	}
	return d.object(q.snap, q.readLevels(d), false), nil
}

// document loads a document. A single document is there under any name.
func (q *call) document(doctype, name string) (*document, error) {
	q.log.DocType = doctype
	meta := q.snap.meta(doctype)
	if meta == nil {
		return nil, python("ImportError", "").as("Error", "No module named 'frappe.core.doctype."+scrub(doctype)+"'")
	}
	if meta.IsSingle {
		return q.single(meta), nil
	}
	if d := q.snap.document(q.s.collation, meta.Name, name); d != nil {
		return d, nil
	}
	return nil, notFound(doctype, name)
}

func (f *wireError) as(class, text string) *wireError {
	f.class, f.text = class, text
	return f
}

func scrub(s string) string {
	return strings.ToLower(strings.NewReplacer(" ", "_", "-", "_").Replace(s))
}

// readLevels are the permission levels whose fields the caller sees in a document.
func (q *call) readLevels(d *document) map[int]bool {
	parent := ""
	if d.meta.IsTable {
		parent = d.get("parenttype").s
	}
	return q.access().permLevels(d.meta, parent, "read")
}

// sbool reads a flag as Frappe does: texts by their words.
func sbool(v any) bool {
	if s, ok := v.(string); ok {
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
	}
	return truthy(v)
}
