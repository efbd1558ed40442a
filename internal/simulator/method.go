package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// method is one whitelisted function.
type method struct {
	run   func(*call) (any, error)
	guest bool     // may be called without credentials
	need  []string // arguments that it cannot do without
	posts bool     // refuses GET
}

// methods are the functions that the simulator has, by their dotted names.
func methods() map[string]method {
	m := map[string]method{
		"ping":                                        {run: (*call).ping, guest: true},
		"frappe.ping":                                 {run: (*call).ping, guest: true},
		"frappe.auth.get_logged_user":                 {run: (*call).loggedUser},
		"frappe.client.get_time_zone":                 {run: (*call).timeZone, guest: true},
		"frappe.utils.change_log.get_versions":        {run: (*call).getVersions},
		"frappe.core.doctype.user.user.get_roles":     {run: (*call).getRoles},
		"frappe.core.doctype.user.user.get_all_roles": {run: (*call).getAllRoles},
		"frappe.core.doctype.user_permission.user_permission.get_user_permissions": {run: (*call).getUserPermissions},

		"frappe.client.get_list":            {run: func(q *call) (any, error) { return q.clientList() }, need: []string{"doctype"}},
		"frappe.client.get_count":           {run: (*call).clientCount, need: []string{"doctype"}},
		"frappe.client.get":                 {run: (*call).clientGet, need: []string{"doctype"}},
		"frappe.client.get_value":           {run: (*call).clientValue, need: []string{"doctype", "fieldname"}},
		"frappe.client.get_single_value":    {run: (*call).clientSingleValue, need: []string{"doctype", "field"}},
		"frappe.client.validate_link":       {run: (*call).validateLink, need: []string{"doctype", "docname"}},
		"frappe.client.has_permission":      {run: (*call).clientHasPermission, need: []string{"doctype", "docname"}},
		"frappe.client.get_doc_permissions": {run: (*call).docPermissions, need: []string{"doctype", "docname"}},

		"frappe.desk.reportview.get":       {run: (*call).reportView},
		"frappe.desk.reportview.get_list":  {run: (*call).reportList},
		"frappe.desk.reportview.get_count": {run: (*call).reportCount},
		"frappe.desk.form.load.getdoctype": {run: (*call).getDocType, need: []string{"doctype"}},
		"frappe.desk.form.load.getdoc":     {run: (*call).getDoc, need: []string{"doctype", "name"}},
		"frappe.desk.search.search_link":   {run: (*call).searchLink, need: []string{"doctype", "txt"}},
		"frappe.desk.search.search_widget": {run: (*call).searchWidget, need: []string{"doctype", "txt"}},
	}
	m["login"] = method{run: (*call).login, guest: true}
	m["logout"] = method{run: (*call).logout, guest: true}
	m["web_logout"] = method{run: (*call).webLogout, guest: true}
	m["frappe.www.third_party_apps.delete_client"] = method{run: (*call).deleteClient, need: []string{"client_id"}}
	maps.Copy(m, writeMethods())
	maps.Copy(m, oauthMethods())
	return m
}

// callMethod runs a function by name.
func (q *call) callMethod(name string) (any, error) {
	m, ok := q.s.methods[name]
	if !ok {
		return nil, q.s.unknownMethod(name, "for command ")
	}
	if !m.guest && q.user.isGuest() {
		return nil, notWhitelisted(name)
	}
	if m.posts && q.req.Method == http.MethodGet {
		return nil, thrown("PermissionError", "Not permitted")
	}
	q.log.DocType = q.arg("doctype")
	if err := q.need(lastPart(name), m.need...); err != nil {
		return nil, err
	}
	return m.run(q)
}

// unknownMethod is the complaint about a function that is not there; what is how the API
// version calls it.
func (s *Server) unknownMethod(name, what string) error {
	app, _, _ := strings.Cut(name, ".")
	module := name[:max(0, len(name)-len(lastPart(name))-1)]
	reason := "No module named '" + module + "'"
	installed := app == "frappe" || app == "erpnext"
	switch {
	case !installed:
		reason = "App " + app + " is not installed"
	case slices.ContainsFunc(slices.Collect(maps.Keys(s.methods)), func(m string) bool { return strings.HasPrefix(m, module+".") }):
		reason = fmt.Sprintf("module '%s' has no attribute '%s'", module, lastPart(name))
	}
	f := thrown("ValidationError", fmt.Sprintf("Failed to get method %s%s with %s", what, name, reason))
	if !installed {
		f.messages = append([]object{shown(reason, "Message")}, f.messages...)
	}
	return f
}

func lastPart(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return name
}

func (q *call) ping() (any, error)       { return "pong", nil }
func (q *call) loggedUser() (any, error) { return q.user.name, nil }

func (q *call) timeZone() (any, error) {
	return object{{"time_zone", q.s.zone.String()}}, nil
}

func (q *call) getVersions() (any, error) {
	return object{
		{"frappe", object{
			{"title", "Frappe Framework"},
			{"description", "Full stack web framework with Python, Javascript, MariaDB, Redis, Node"},
			{"branch", "version-15"},
			{"version", q.s.versions.Frappe},
		}},
		{"erpnext", object{{"title", "ERPNext"}, {"description", "ERP made simple"}, {"branch", "HEAD"}, {"version", q.s.versions.ERPNext}}},
	}, nil
}

// getRoles answers the caller's roles, or with uid those of another user.
func (q *call) getRoles() (any, error) {
	user := q.user
	if uid := q.arg("uid"); uid != "" {
		if user = q.snap.users[uid]; user == nil {
			return []string{}, nil
		}
	}
	return slices.Clone(user.roles), nil
}

// getAllRoles answers the roles that can be given to users.
func (q *call) getAllRoles() (any, error) {
	out := []string{}
	t := q.snap.tables["Role"]
	disabled := t.meta.column("disabled")
	for _, r := range t.rows {
		if !r.vals[disabled].truthy() && !slices.Contains([]string{administrator, guest, "All", "Desk User"}, r.name()) {
			out = append(out, r.name())
		}
	}
	slices.Sort(out)
	return out, nil
}

func (q *call) getUserPermissions() (any, error) {
	perms := q.snap.userPermissions(q.user)
	out := object{}
	for _, doctype := range sortedKeys(perms) {
		list := []object{}
		for _, p := range perms[doctype] {
			o := object{{"doc", p.doc}, {"applicable_for", nil}, {"is_default", false}}
			if p.applicableFor != "" {
				o.set("applicable_for", p.applicableFor)
			}
			if !p.derived {
				o.set("is_default", cint(p.isDefault))
			}
			list = append(list, o)
		}
		out = append(out, member{doctype, list})
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// dateRange is the pair of dates that previous, next and timespan stand for; an unknown
// timespan is none, and falls back to today.
func (q *call) dateRange(op, v string) (any, error) {
	name := v
	if op != "timespan" {
		span, ok := spans[v]
		if !ok {
			return nil, python("KeyError", pythonRepr(v))
		}
		name = map[string]string{"previous": "last ", "next": "next "}[op] + span
	}
	from, to, ok := timespan(name, q.s.today())
	if !ok {
		return nil, nil
	}
	return []any{from.Format(dateLayout), to.Format(dateLayout)}, nil
}

// getDate reads the value of a filter on a date; without value it is the present.
func (q *call) getDate(v any, clock bool) (time.Time, error) {
	s := cstr(v)
	if s == "" {
		if clock {
			t, _ := parseTime(q.s.siteTime())
			return t, nil
		}
		return q.s.today(), nil
	}
	t, ok := parseTime(s)
	if !ok {
		return t, thrown("ValidationError", s+" is not a valid date string.").as("frappe.exceptions.InvalidDateError", s+" is not a valid date string.")
	}
	return t, nil
}
