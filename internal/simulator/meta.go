package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// docType is the metadata of one kind of document, in the shape in which
// frappe.desk.form.load.getdoctype answers it.
type docType struct {
	Name        string       `json:"name"`
	Module      string       `json:"module"`
	AutoName    string       `json:"autoname"`
	TitleField  string       `json:"title_field"`
	SearchField string       `json:"search_fields"`
	SortField   string       `json:"sort_field"`
	SortOrder   string       `json:"sort_order"`
	TreeParent  string       `json:"nsm_parent_field"`
	IsTable     flag         `json:"istable"`
	IsSingle    flag         `json:"issingle"`
	IsTree      flag         `json:"is_tree"`
	Submittable flag         `json:"is_submittable"`
	AllowImport flag         `json:"allow_import"`
	AllowRename flag         `json:"allow_rename"`
	ShowTitle   flag         `json:"show_title_field_in_link"`
	Fields      []docField   `json:"fields"`
	Permissions []permission `json:"permissions"`

	raw      object // the whole of it, for the endpoints that answer metadata
	columns  []column
	position map[string]int // of a column by its lower-case name
	byName   map[string]*docField
}

// docField is one field of a DocType.
type docField struct {
	Name           string `json:"fieldname"`
	Type           string `json:"fieldtype"`
	Label          string `json:"label"`
	Options        string `json:"options"`
	Default        any    `json:"default"`
	PermLevel      int    `json:"permlevel"`
	Required       flag   `json:"reqd"`
	Unique         flag   `json:"unique"`
	Index          flag   `json:"search_index"`
	ReadOnly       flag   `json:"read_only"`
	Virtual        flag   `json:"is_virtual"`
	AllowOnSubmit  flag   `json:"allow_on_submit"`
	SetOnlyOnce    flag   `json:"set_only_once"`
	NoCopy         flag   `json:"no_copy"`
	Length         int    `json:"length"`
	FetchFrom      string `json:"fetch_from"`
	FetchIfEmpty   flag   `json:"fetch_if_empty"`
	NonNegative    flag   `json:"non_negative"`
	IgnoreUserPerm flag   `json:"ignore_user_permissions"`
}

// permission is one row of a DocType's role permissions.
type permission struct {
	Role      string `json:"role"`
	PermLevel int    `json:"permlevel"`
	IfOwner   flag   `json:"if_owner"`
	rights    map[string]bool
}

func (p *permission) UnmarshalJSON(b []byte) error {
	type plain permission
	if err := json.Unmarshal(b, (*plain)(p)); err != nil {
		return fmt.Errorf("permission: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("permission: %w", err)
	}
	p.rights = make(map[string]bool)
	for _, r := range rights {
		n, ok := all[r].(float64)
		p.rights[r] = ok && n != 0
	}
	return nil
}

// rights are the kinds of permission that a role can have.
var rights = []string{
	"select", "read", "write", "create", "delete", "submit", "cancel", "amend",
	"print", "email", "report", "import", "export", "share",
}

// flag is Frappe's 0 or 1.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	switch strings.Trim(string(b), `"`) {
	case "0", "", "null", "false":
		*f = false
	default:
		*f = true
	}
	return nil
}

// column is one column of a DocType's table.
type column struct {
	name  string
	kind  kind
	field *docField // nil for the columns that every table has
	typ   string    // field type; creation and modified count as Datetime
}

// Columns that each table has, in the order of Frappe's answers; child tables have the
// three of childColumns too, all others the ones of optionalColumns.
var (
	standardColumns = []string{"name", "owner", "creation", "modified", "modified_by", "docstatus", "idx"}
	childColumns    = []string{"parent", "parentfield", "parenttype"}
	optionalColumns = []string{"_user_tags", "_comments", "_assign", "_liked_by"}
)

// fieldsWithoutColumn hold no value of their own.
var fieldsWithoutColumn = []string{
	"Section Break", "Column Break", "Tab Break", "HTML", "Table", "Table MultiSelect",
	"Button", "Image", "Fold", "Heading",
}

// coreDocTypes are exempt from field-level permissions.
var coreDocTypes = []string{
	"DefaultValue", "DocType", "DocField", "DocPerm", "DocType Action", "DocType Link",
	"User", "Role", "Has Role", "Page", "Module Def", "Print Format", "Report",
	"Customize Form", "Customize Form Field", "Property Setter", "Custom Field", "Client Script",
}

// parseDocType reads metadata and derives the table's columns from it.
func parseDocType(meta []byte) (*docType, error) {
	d := &docType{}
	if err := json.Unmarshal(meta, d); err != nil {
		return nil, fmt.Errorf("doctype: %w", err)
	}
	if d.Name == "" {
		return nil, fmt.Errorf("doctype: no name in %.40q", meta)
	}
	raw, err := decodeJSON(string(meta))
	if err != nil {
		return nil, fmt.Errorf("doctype %s: %w", d.Name, err)
	}
	d.raw, _ = raw.(object)
	if d.SortField == "" {
		d.SortField, d.SortOrder = "modified", "DESC"
	}
	d.index()
	return d, nil
}

func (d *docType) index() {
	d.columns, d.position = nil, make(map[string]int)
	d.byName = make(map[string]*docField, len(d.Fields))
	add := func(c column) {
		if _, ok := d.position[strings.ToLower(c.name)]; !ok {
			d.position[strings.ToLower(c.name)] = len(d.columns)
			d.columns = append(d.columns, c)
		}
	}
	for _, name := range standardColumns {
		c := column{name: name, kind: text}
		switch name {
		case "docstatus", "idx":
			c.kind = integer
		case "creation", "modified":
			c.typ = "Datetime"
		}
		add(c)
	}
	for i := range d.Fields {
		f := &d.Fields[i]
		d.byName[f.Name] = f
		if !f.hasColumn() {
			continue
		}
		add(column{name: f.Name, kind: f.kind(), field: f, typ: f.Type})
	}
	extra := optionalColumns
	if d.IsTable {
		extra = childColumns
	}
	for _, name := range extra {
		add(column{name: name, kind: text})
	}
}

// field returns the field of that name, nil for none; columns that every table has are
// no fields.
func (d *docType) field(name string) *docField { return d.byName[name] }

// column returns the position of a column, -1 for none. Names of columns are
// case-insensitive in the database.
func (d *docType) column(name string) int {
	if i, ok := d.position[name]; ok {
		return i
	}
	if i, ok := d.position[strings.ToLower(name)]; ok {
		return i
	}
	return -1
}

// tables are the fields that hold child rows.
func (d *docType) tables() []*docField {
	var out []*docField
	for i := range d.Fields {
		if d.Fields[i].isTable() {
			out = append(out, &d.Fields[i])
		}
	}
	return out
}

// links are the Link fields. Dynamic links are not among them: user permissions do not
// reach through those.
func (d *docType) links() []*docField {
	var out []*docField
	for i := range d.Fields {
		if d.Fields[i].Type == "Link" && d.Fields[i].Options != "" {
			out = append(out, &d.Fields[i])
		}
	}
	return out
}

// searchFields are the fields by which a link to this DocType is looked up.
func (d *docType) searchFields() []string {
	var out []string
	for f := range strings.SplitSeq(d.SearchField, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}

func (f *docField) hasColumn() bool {
	return !bool(f.Virtual) && !slices.Contains(fieldsWithoutColumn, f.Type)
}

func (f *docField) isTable() bool { return f.Type == "Table" || f.Type == "Table MultiSelect" }

func (f *docField) kind() kind {
	switch f.Type {
	case "Check", "Int", "Long Int":
		return integer
	case "Float", "Currency", "Percent", "Duration", "Rating":
		return float
	default:
		return text
	}
}

// isNumeric is Frappe's list of types that never hold NULL.
func (f *docField) isNumeric() bool {
	switch f.Type {
	case "Check", "Float", "Int", "Currency", "Percent":
		return true
	}
	return false
}

// isStandard reports whether Frappe lets a query name the column without looking it up.
func isStandard(field string) bool {
	if _, after, ok := strings.Cut(field, "."); ok {
		field = strings.Trim(strings.SplitN(after, ".", 2)[0], "`")
	}
	return field == "doctype" || slices.Contains(standardColumns, field) ||
		slices.Contains(childColumns, field) || slices.Contains(optionalColumns, field)
}

// isOptional reports whether it is one of the columns of tags, assignments and the like.
func isOptional(field string) bool { return slices.Contains(optionalColumns, field) }
