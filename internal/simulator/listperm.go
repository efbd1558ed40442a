package simulator

import (
	"slices"
	"strings"
)

// permissionFilter builds the predicate that keeps the rows of the first table which the
// caller may see. Nil lets all rows through, as for child tables: Frappe checks roles on
// the parent there, and no user permission.
func (qr *query) permissionFilter() (func(*row) bool, error) {
	a := qr.call.access()
	if a.user.isAdmin() || bool(qr.meta.IsTable) {
		return nil, nil
	}
	g := a.roleGrants(qr.meta, false)
	perms := a.snap.userPermissions(a.user)
	shared := a.shared(qr.meta.Name, "read")
	isShared := func(r *row) bool { return slices.Contains(shared, r.name()) }

	if !g.has["select"] && !g.has["read"] && len(allowedDocs(perms[qr.meta.Name], qr.reference())) == 0 {
		if len(shared) == 0 {
			return nil, thrown("PermissionError", "No permission to read "+qr.meta.Name)
		}
		return isShared, nil
	}

	var match func(*row) bool
	if g.ownerOnly() {
		owner := qr.meta.column("owner")
		match = func(r *row) bool { return strings.EqualFold(r.vals[owner].s, a.user.name) }
	} else {
		match = qr.userPermissionFilter(perms)
	}
	hook := qr.hookFilter(a)
	switch {
	case match == nil && hook == nil:
		return nil, nil
	case match == nil:
		return hook, nil
	case hook != nil:
		both := match
		match = func(r *row) bool { return both(r) && hook(r) }
	}
	if len(shared) == 0 {
		return match, nil
	}
	return func(r *row) bool { return match(r) || isShared(r) }, nil
}

func (qr *query) reference() string {
	if qr.args.reference != "" {
		return qr.args.reference
	}
	return qr.meta.Name
}

// ownerOnly reports whether the roles give sight of the user's own documents alone.
func (g grants) ownerOnly() bool {
	if !g.ownerRules || len(g.ifOwner) == 0 {
		return false
	}
	for _, r := range []string{"select", "read"} {
		if _, limited := g.ifOwner[r]; g.has[r] && !limited {
			return false
		}
	}
	return true
}

// userPermissionFilter restricts by the row's own name and by its links. Empty links
// pass unless the site is strict.
func (qr *query) userPermissionFilter(perms map[string][]userPermission) func(*row) bool {
	type restriction struct {
		column  int
		allowed []string
	}
	var all []restriction
	add := func(target, field string, name bool) {
		list := perms[target]
		var docs []string
		for _, p := range list {
			applies := p.applicableFor == "" || p.applicableFor == qr.meta.Name
			if name && p.applicableFor != "" {
				applies = p.applicableFor == qr.reference()
			}
			if applies {
				docs = append(docs, p.doc)
			}
		}
		if col := qr.meta.column(field); len(docs) > 0 && col >= 0 {
			all = append(all, restriction{col, docs})
		}
	}
	for _, f := range qr.meta.links() {
		if !f.IgnoreUserPerm {
			add(f.Options, f.Name, false)
		}
	}
	add(qr.meta.Name, "name", true)
	if len(all) == 0 {
		return nil
	}
	strict := qr.call.snap.strictUserPermissions()
	for _, r := range all {
		qr.used(reference{0, r.column})
	}
	return func(r *row) bool {
		for _, res := range all {
			v := r.vals[res.column]
			if v.s == "" && !strict {
				continue
			}
			if !slices.Contains(res.allowed, v.s) {
				return false
			}
		}
		return true
	}
}

// hookFilter are the conditions that some DocTypes add in code.
func (qr *query) hookFilter(a *access) func(*row) bool {
	column := qr.meta.column
	switch qr.meta.Name {
	case "User":
		return func(r *row) bool { return r.name() != administrator && r.name() != guest }
	case "ToDo":
		for _, p := range qr.meta.Permissions {
			if !slices.Contains([]string{"All", guest, administrator, "Desk User"}, p.Role) && a.user.hasRole(p.Role) {
				return nil
			}
		}
		to, by := column("allocated_to"), column("assigned_by")
		return func(r *row) bool {
			return strings.EqualFold(r.vals[to].s, a.user.name) || strings.EqualFold(r.vals[by].s, a.user.name)
		}
	case "File":
		owner, private, attached := column("owner"), column("is_private"), column("attached_to_doctype")
		if !a.user.hasRole("Desk User") {
			return func(r *row) bool { return strings.EqualFold(r.vals[owner].s, a.user.name) }
		}
		readable := make(map[string]bool)
		for name, t := range a.snap.tables {
			readable[name] = slices.ContainsFunc(t.meta.Permissions, func(p permission) bool {
				return p.rights["read"] && a.user.hasRole(p.Role)
			})
		}
		return func(r *row) bool {
			return !r.vals[private].truthy() ||
				r.vals[attached].isNull() && strings.EqualFold(r.vals[owner].s, a.user.name) ||
				readable[r.vals[attached].s]
		}
	default:
		return nil
	}
}

// fileAllowed is the check on one File document.
func (a *access) fileAllowed(d *document) bool {
	if !d.get("is_private").truthy() {
		return true
	}
	if !a.user.isGuest() && d.get("owner").s == a.user.name {
		return true
	}
	doctype, name := d.get("attached_to_doctype").s, d.get("attached_to_name").s
	if doctype == "" || name == "" {
		return false
	}
	to := a.snap.document(a.col, doctype, name)
	return to != nil && a.document(to, "read")
}
