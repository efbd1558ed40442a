package simulator

import (
	"encoding/json"
	"slices"
	"strings"
)

// builtinDocTypes is metadata of DocTypes that a data set need not bring: those with
// which permissions and metadata themselves are kept. A data set may replace them.
func builtinDocTypes() [][]byte {
	const admin = "System Manager"
	all := []string{"read", "write", "create", "delete", "report", "export", "share", "print", "email"}
	read := []string{"read"}
	defs := []builtin{
		{
			"Role", "Core", "field:role_name", false, "Data role_name, Check disabled, Check is_custom, Check desk_access, Check two_factor_auth",
			map[string][]string{admin: all, "Desk User": read},
		},
		{
			"User", "Core", "field:email", false, "Data email, Data full_name, Data first_name, Check enabled, Select user_type, Table roles Has Role",
			map[string][]string{admin: all},
		},
		{
			"User Permission", "Core", "hash", false, "Link user User, Link allow DocType, Dynamic Link for_value allow, Check is_default, Check apply_to_all_doctypes, Link applicable_for DocType, Check hide_descendants",
			map[string][]string{admin: all},
		},
		{
			"DocShare", "Core", "hash", false, "Link user User, Link share_doctype DocType, Dynamic Link share_name share_doctype, Check read, Check write, Check share, Check submit, Check everyone, Check notify_by_email",
			map[string][]string{admin: append([]string{"import"}, all...)},
		},
		{
			"Country", "Geo", "field:country_name", false, "Data country_name, Data date_format, Data time_format, Text time_zones, Data code",
			map[string][]string{admin: all, "All": {"read"}},
		},
		{
			"Fiscal Year", "Accounts", "field:year", false, "Data year, Check disabled, Check is_short_year, Date year_start_date, Date year_end_date, Check auto_created",
			map[string][]string{admin: all, "Accounts User": read, "Accounts Manager": read, "Sales User": read, "Purchase User": read, "Stock User": read, "Employee": read, "Auditor": read, "Item Manager": read},
		},
		{
			"Deleted Document", "Core", "hash", false, "Data deleted_name, Data deleted_doctype, Check restored, Data new_name, Code data",
			map[string][]string{admin: {"read", "report", "delete", "share", "print", "email", "export"}},
		},
		{
			"Workflow", "Workflow", "field:workflow_name", false, "Data workflow_name, Link document_type DocType, Check is_active, Check override_status, Check send_email_alert, Table states Workflow Document State, Table transitions Workflow Transition, Data workflow_state_field",
			map[string][]string{admin: all},
		},
		{"Workflow Document State", "Workflow", "hash", true, "Link state Workflow State, Data doc_status, Data update_field, Data update_value, Link allow_edit Role, Text message, Check is_optional_state", nil},
		{"Workflow Transition", "Workflow", "hash", true, "Link state Workflow State, Link action Workflow Action Master, Link next_state Workflow State, Link allowed Role, Check allow_self_approval, Code condition", nil},
		{
			"Workflow State", "Workflow", "field:workflow_state_name", false, "Data workflow_state_name, Data icon, Data style",
			map[string][]string{admin: all, "Desk User": {"select"}},
		},
		{"Has Role", "Core", "hash", true, "Link role Role", nil},
		{
			"DocType", "Core", "Prompt", false, "Link module Module Def, Check istable, Check issingle, Check is_tree, Check is_submittable, Check custom, Check is_virtual, Data autoname, Data title_field, Data search_fields, Data sort_field, Data sort_order, Table fields DocField, Table permissions DocPerm",
			map[string][]string{admin: all, administrator: all},
		},
		{"DocField", "Core", "hash", true, "Data fieldname, Data label, Select fieldtype, Small Text options, Check reqd, Check hidden, Check read_only, Check unique, Check search_index, Check in_list_view, Int permlevel, Small Text default", nil},
		{"DocPerm", "Core", "hash", true, "Link role Role, Check if_owner, Int permlevel, Check read, Check write, Check create, Check delete, Check submit, Check cancel, Check amend, Check report, Check export, Check share, Check print, Check email, Check import, Check select", nil},
		{
			"Custom Field", "Custom", "hash", false, "Link dt DocType, Data fieldname, Data label, Select fieldtype, Small Text options, Data insert_after, Check reqd, Check hidden, Int permlevel",
			map[string][]string{admin: all, administrator: all},
		},
		{
			"Property Setter", "Custom", "hash", false, "Data doc_type, Data field_name, Data property, Data property_type, Small Text value",
			map[string][]string{admin: all, administrator: all},
		},
	}
	out := make([][]byte, 0, len(defs))
	for _, d := range defs {
		out = append(out, d.meta())
	}
	return slices.Concat(out, oauthDocTypes(), webhookDocTypes())
}

// builtin is the short form of a DocType: fields as "Type name" or "Type name Target",
// rights by role.
type builtin struct {
	name, module, autoName string
	child                  bool
	fields                 string
	rights                 map[string][]string
}

func (b builtin) meta() json.RawMessage { return encodeJSON(b.object()) }

// longTypes are the field types of two words.
var longTypes = []string{"Small Text", "Table MultiSelect", "Dynamic Link"}

func (b builtin) object() object {
	fields := []any{}
	for i, f := range strings.Split(b.fields, ", ") {
		typ, rest, _ := strings.Cut(f, " ")
		for _, long := range longTypes {
			if after, ok := strings.CutPrefix(f, long+" "); ok {
				typ, rest = long, after
			}
		}
		name, options, _ := strings.Cut(rest, " ")
		o := object{{"fieldname", name}, {"fieldtype", typ}, {"label", label(name)}, {"idx", int64(i + 1)}}
		if options != "" {
			o = append(o, member{"options", options})
		}
		fields = append(fields, o)
	}
	perms := []any{}
	for _, role := range sortedKeys(b.rights) {
		p := object{{"role", role}}
		for _, r := range b.rights[role] {
			p = append(p, member{r, int64(1)})
		}
		perms = append(perms, p)
	}
	table := int64(0)
	if b.child {
		table = 1
	}
	return object{
		{"name", b.name},
		{"module", b.module},
		{"autoname", b.autoName},
		{"istable", table},
		{"sort_field", "modified"},
		{"sort_order", "DESC"},
		{"fields", fields},
		{"permissions", perms},
	}
}

// label is a field's label made from its name.
func label(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}
