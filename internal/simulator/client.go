package simulator

import (
	"fmt"
	"slices"
)

func (q *call) clientList() (any, error) {
	form := q.form
	if _, ok := form.lookup("limit_page_length"); !ok {
		form = append(slices.Clip(form), member{"limit_page_length", int64(20)})
	}
	return q.getList(form)
}

// clientCount counts without asking for any permission: a hole of the original.
func (q *call) clientCount() (any, error) {
	args := &listArgs{doctype: q.arg("doctype"), fields: []string{"count(name) as n"}, filters: q.filterArg("filters"), unfiltered: true}
	qr, err := q.compile(args)
	if err != nil {
		return nil, err
	}
	return qr.run().rows[0][0], nil
}

// filterArg decodes filters that may be JSON, or the plain name of a document.
func (q *call) filterArg(name string) any {
	v := q.form.get(name)
	if s, ok := v.(string); ok {
		switch decoded, _ := decodeJSON(s); decoded.(type) {
		case object, []any:
			return decoded
		}
	}
	return v
}

// clientGet is frappe.client.get: by name, by filters, or the single document.
func (q *call) clientGet() (any, error) {
	doctype := q.arg("doctype")
	if meta := q.snap.meta(doctype); meta != nil && bool(meta.IsTable) {
		if err := q.mayListRows(meta, q.arg("parent")); err != nil {
			return nil, err
		}
	}
	name := q.arg("name")
	if name == "" {
		if filters := q.filterArg("filters"); filters != nil {
			var err error
			if name, err = q.firstMatch(doctype, filters); err != nil {
				return nil, err
			}
		}
	}
	d, err := q.document(doctype, name)
	if err != nil {
		return nil, err
	}
	a := q.access()
	if !a.document(d, "read") {
		return nil, a.denied("", fmt.Sprintf("Insufficient Permission for %s (%s)", d.meta.Name, bold("read")))
	}
	q.log.Rows = 1
	return d.object(q.snap, q.readLevels(d), true), nil
}

// firstMatch is the name of the first document that matches, in the DocType's order, with
// no permission asked.
func (q *call) firstMatch(doctype string, filters any) (string, error) {
	if s, ok := filters.(string); ok {
		return s, nil
	}
	qr, err := q.compile(&listArgs{doctype: doctype, filters: filters, limit: 1, orderBy: "modified desc", unfiltered: true})
	if err != nil {
		return "", err
	}
	res := qr.run()
	if len(res.rows) == 0 {
		return "", notFound(doctype, cstr(filters))
	}
	return res.rows[0][0].s, nil
}

// clientValue is frappe.client.get_value.
func (q *call) clientValue() (any, error) {
	doctype, parent := q.arg("doctype"), q.arg("parent")
	meta := q.snap.meta(doctype)
	if meta == nil {
		return nil, notFound("DocType", doctype)
	}
	if meta.IsTable {
		if err := q.mayListRows(meta, parent); err != nil {
			return nil, err
		}
	}
	a := q.access()
	if !a.docType(meta, "read", parent) {
		return nil, q.noPermission(doctype)
	}
	filters := q.filterArg("filters")
	fields := q.form.get("fieldname")
	if s, ok := fields.(string); ok {
		var err error
		if fields, err = decodeJSON(s); err != nil {
			fields = []any{s}
		}
	}
	if s, ok := fields.(string); ok {
		fields = []any{s}
	}
	asDict := true
	if v, ok := q.form.lookup("as_dict"); ok {
		asDict = sbool(v)
	}
	if meta.IsSingle {
		return q.singleValues(meta, fields, asDict), nil
	}
	if s, ok := filters.(string); ok && s != "" {
		filters = object{{"name", s}}
	}
	form := object{{"doctype", doctype}, {"fields", fields}, {"filters", filters}, {"parent", parent}, {"limit_page_length", int64(1)}}
	if !asDict {
		form = append(form, member{"as_dict", false})
	}
	rows, err := q.getList(form)
	if err != nil {
		return nil, err
	}
	switch rows := rows.(type) {
	case []object:
		if len(rows) > 0 {
			return rows[0], nil
		}
		return object{}, nil
	case []any:
		if len(rows) > 0 {
			if l, ok := rows[0].([]any); ok && len(l) == 1 {
				return l[0], nil
			}
			return rows[0], nil
		}
	}
	return nil, nil
}

func (q *call) noPermission(doctype string) error {
	return thrown("PermissionError", "No permission for "+doctype)
}

func (q *call) singleValues(meta *docType, fields any, asDict bool) any {
	d := q.snap.single(q.s.collation, meta)
	o, list := object{}, []any{}
	for _, f := range asList(fields) {
		o = append(o, member{cstr(f), d.get(cstr(f))})
		list = append(list, d.get(cstr(f)))
	}
	switch {
	case asDict:
		return o
	case len(list) == 1:
		return list[0]
	default:
		return list
	}
}

// clientSingleValue is frappe.client.get_single_value.
func (q *call) clientSingleValue() (any, error) {
	meta := q.snap.meta(q.arg("doctype"))
	if meta == nil {
		return nil, notFound("DocType", q.arg("doctype"))
	}
	if !q.access().docType(meta, "read", "") {
		return nil, q.noPermission(meta.Name)
	}
	f := q.arg("field")
	if meta.column(f) < 0 {
		return nil, thrown("ValidationError", fmt.Sprintf("Field %s does not exist on %s", bold(f), bold(meta.Name)))
	}
	return q.snap.single(q.s.collation, meta).get(f), nil
}

// validateLink answers the canonical name of a document, with fields of it if asked. The
// name is answered without regard to user permissions: only its DocType is checked.
func (q *call) validateLink() (any, error) {
	doctype, name := q.arg("doctype"), q.arg("docname")
	meta := q.snap.meta(doctype)
	if meta == nil {
		return nil, notFound("DocType", doctype)
	}
	if a := q.access(); !a.docType(meta, "select", "") && !a.docType(meta, "read", "") {
		return nil, thrown("PermissionError", "You do not have Read or Select Permissions for "+bold(doctype))
	}
	t := q.snap.tables[meta.Name]
	r := t.find(q.s.collation.key(name))
	if r == nil {
		return object{{"name", nil}}, nil
	}
	out := object{{"name", r.vals[0]}}
	fields := q.filterArg("fields")
	if !truthy(fields) {
		return out, nil
	}
	rows, err := q.getList(object{{"doctype", doctype}, {"fields", fields}, {"filters", object{{"name", name}}}, {"limit_page_length", int64(1)}})
	if err != nil {
		return out, nil //nolint:nilerr // the original answers the bare name then
	}
	if list, ok := rows.([]object); ok && len(list) > 0 {
		for _, m := range list[0] {
			out.set(m.key, m.value)
		}
	}
	return out, nil
}

// clientHasPermission is frappe.client.has_permission.
func (q *call) clientHasPermission() (any, error) {
	d, err := q.document(q.arg("doctype"), q.arg("docname"))
	if err != nil {
		return nil, err
	}
	right := q.arg("perm_type")
	if right == "" {
		right = "read"
	}
	return object{{"has_permission", q.access().document(d, right)}}, nil
}

// docPermissions is frappe.client.get_doc_permissions.
func (q *call) docPermissions() (any, error) {
	d, err := q.document(q.arg("doctype"), q.arg("docname"))
	if err != nil {
		return nil, err
	}
	a := q.access()
	granted := a.documentGrants(d)
	perms := object{}
	if granted != nil {
		g := a.roleGrants(d.meta, false)
		owner := object{}
		for _, r := range rights {
			if has, ok := g.ifOwner[r]; ok {
				owner = append(owner, member{r, cint(has)})
			}
		}
		perms = object{{"if_owner", owner}, {"has_if_owner_enabled", g.ownerRules}}
		for _, r := range rights {
			perms = append(perms, member{r, cint(granted[r])})
		}
	}
	return object{{"permissions", perms}}, nil
}

// reportArgs are the arguments of the desk's list, ordered by the DocType's own order
// unless another is given.
func (q *call) reportArgs() (*listArgs, error) {
	form := q.form
	if v := form.get("page_length"); truthy(v) {
		form = append(form.without("limit_page_length"), member{"limit_page_length", v})
	}
	if v := form.get("start"); truthy(v) {
		form = append(form.without("limit_start"), member{"limit_start", v})
	}
	args, err := q.parseListArgs(form)
	if err != nil {
		return nil, err
	}
	args.metaOrder = true
	args.distinct = sbool(form.get("distinct"))
	return args, nil
}

func (q *call) reportList() (any, error) {
	args, err := q.reportArgs()
	if err != nil {
		return nil, err
	}
	return q.list(args)
}

// reportView is the list with keys and values apart.
func (q *call) reportView() (any, error) {
	args, err := q.reportArgs()
	if err != nil {
		return nil, err
	}
	qr, err := q.compile(args)
	if err != nil {
		return nil, err
	}
	res := qr.run()
	q.log.Rows = len(res.rows)
	if len(res.rows) == 0 {
		return []any{}, nil
	}
	keys := slices.Clone(res.labels)
	values := res.lists()
	if sbool(q.form.get("with_comment_count")) && slices.Contains(keys, "name") {
		keys = append(keys, "_comment_count")
		for i, v := range values {
			if l, ok := v.([]any); ok {
				values[i] = append(l, int64(0))
			}
		}
	}
	return object{{"keys", keys}, {"values", values}, {"user_info", object{}}}, nil
}

// reportCount counts what the caller may see.
func (q *call) reportCount() (any, error) {
	args, err := q.reportArgs()
	if err != nil {
		return nil, err
	}
	return q.count(args)
}

func (q *call) count(args *listArgs) (any, error) {
	distinct := ""
	if args.distinct {
		distinct = "distinct "
	}
	args.fields = []string{fmt.Sprintf("count(%s`tab%s`.name) as total_count", distinct, args.doctype)}
	args.orderBy, args.metaOrder, args.distinct, args.start = "", false, false, 0
	limit := args.limit
	args.limit = 0
	qr, err := q.compile(args)
	if err != nil {
		return nil, err
	}
	n := qr.run().rows[0][0]
	if l := cint(q.form.get("limit")); limit >= 0 && l > 0 {
		n.n = min(n.n, l)
	}
	return n, nil
}
