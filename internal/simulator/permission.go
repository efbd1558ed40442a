package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// access answers what one user may do, on one snapshot, and collects the reasons of
// refusals: Frappe shows them to the user, joined by line breaks.
type access struct {
	snap *snapshot
	user *account
	col  *collation
	log  []string
}

// grants are the rights that roles give on a DocType.
type grants struct {
	has     map[string]bool
	ifOwner map[string]bool // rights that only the owner has; the value says whether the user is
	// ownerRules says that one of the user's permission rows is for owners only.
	ownerRules bool
}

// roleGrants evaluates the role permissions at level 0. Reading stays granted to users
// who may read their own documents only, so that they can list; the rows are filtered.
func (a *access) roleGrants(meta *docType, isOwner bool) grants {
	g := grants{has: make(map[string]bool), ifOwner: make(map[string]bool)}
	if a.user.isAdmin() {
		for _, r := range rights {
			g.has[r] = true
		}
		return g
	}
	var rows []permission
	for _, p := range meta.Permissions {
		if p.PermLevel == 0 && a.user.hasRole(p.Role) {
			rows = append(rows, p)
			g.ownerRules = g.ownerRules || bool(p.IfOwner)
		}
	}
	for _, r := range rights {
		granted, free := false, false
		for _, p := range rows {
			granted = granted || p.rights[r]
			free = free || p.rights[r] && !bool(p.IfOwner)
		}
		g.has[r] = granted
		if granted && g.ownerRules && !free && r != "create" {
			g.ifOwner[r] = isOwner
			g.has[r] = r == "select" || r == "read"
		}
	}
	return g
}

// readRight is the right by which the user may list: select alone, or read.
func (a *access) readRight(meta *docType) string {
	g := a.roleGrants(meta, false)
	if g.has["select"] && !g.has["read"] {
		return "select"
	}
	return "read"
}

// docType reports whether the user has the right on documents of the DocType at all.
func (a *access) docType(meta *docType, right, parentType string) bool {
	if a.user.isAdmin() {
		return true
	}
	if right == "share" && a.snap.sharingDisabled() {
		return false
	}
	if meta.IsTable {
		return a.childTable(meta, right, parentType)
	}
	switch {
	case right == "submit" && !bool(meta.Submittable):
		a.log = append(a.log, "Document Type is not submittable")
		return false
	case right == "import" && !bool(meta.AllowImport):
		a.log = append(a.log, "Document Type is not importable")
		return false
	}
	if a.roleGrants(meta, false).has[right] {
		return true
	}
	a.log = append(a.log, fmt.Sprintf("User %s does not have doctype access via role permission for document %s",
		bold(a.user.name), bold(meta.Name)))
	return len(a.shared(meta.Name, right)) > 0
}

// childTable is the check on child rows: the right on the parent's DocType.
func (a *access) childTable(meta *docType, right, parentType string) bool {
	parent := a.snap.meta(parentType)
	if parent == nil {
		a.log = append(a.log, "Please specify a valid parent DocType for "+bold(meta.Name))
		return false
	}
	for _, f := range parent.tables() {
		if f.Options == meta.Name {
			if f.PermLevel > 0 && !a.levels(parent, "")[f.PermLevel] {
				a.log = append(a.log, "Insufficient Permission Level for "+bold(parentType))
				return false
			}
			return a.docType(parent, right, "")
		}
	}
	a.log = append(a.log, fmt.Sprintf("%s is not a valid parent DocType for %s", bold(parentType), bold(meta.Name)))
	return false
}

// document reports whether the user has the right on one document.
func (a *access) document(d *document, right string) bool {
	if a.user.isAdmin() {
		return true
	}
	if d.meta.IsTable {
		parent := a.snap.document(a.col, d.get("parenttype").s, d.get("parent").s)
		return parent != nil && a.document(parent, right)
	}
	if a.documentGrants(d)[right] {
		return true
	}
	reason := fmt.Sprintf("User %s does not have access to this document", bold(a.user.name))
	if a.docType(d.meta, "read", "") {
		reason += ": " + d.meta.Name + " - " + d.row.name()
	}
	a.log = append(a.log, reason)
	return slices.Contains(a.shared(d.meta.Name, right), d.row.name())
}

// documentGrants evaluates roles, ownership and user permissions on one document.
func (a *access) documentGrants(d *document) map[string]bool {
	owner := strings.EqualFold(d.get("owner").s, a.user.name)
	g := a.roleGrants(d.meta, owner)
	out := g.has
	if !d.meta.Submittable {
		out["submit"] = false
	}
	if !d.meta.AllowImport {
		out["import"] = false
	}
	if g.ownerRules {
		maps.Copy(out, g.ifOwner)
	}
	switch {
	case !a.controllerAllows(d):
		a.log = append(a.log, "Not allowed via controller permission check")
		return nil
	case a.userPermissionsAllow(d):
		return out
	case owner:
		out = g.ifOwner
		out["create"] = false
		return out
	default:
		return nil
	}
}

// controllerAllows are the checks that some DocTypes add in code.
func (a *access) controllerAllows(d *document) bool {
	switch d.meta.Name {
	case "User":
		// Nobody but the Administrator touches the two built-in users.
		return a.user.isAdmin() || d.row.name() != administrator && d.row.name() != guest
	case "File":
		return a.fileAllowed(d)
	default:
		return true
	}
}

// userPermissionsAllow checks the document's own name and the links of it and its rows.
func (a *access) userPermissionsAllow(d *document) bool {
	perms := a.snap.userPermissions(a.user)
	if len(perms) == 0 {
		return true
	}
	if allowed := allowedDocs(perms[d.meta.Name], d.meta.Name); len(allowed) > 0 && !slices.Contains(allowed, d.row.name()) {
		a.log = append(a.log, fmt.Sprintf("Not allowed for %s: %s", d.meta.Name, d.row.name()))
		return false
	}
	if !a.linksAllow(perms, d.meta, d.row, d.meta.Name, 0) {
		return false
	}
	for _, f := range d.meta.tables() {
		child := a.snap.meta(f.Options)
		for i, r := range d.children[f.Name] {
			// Frappe asks which permissions apply to the row's own DocType.
			if !a.linksAllow(perms, child, r, d.meta.Name, i+1) {
				return false
			}
		}
	}
	return true
}

func (a *access) linksAllow(perms map[string][]userPermission, meta *docType, r *row, doctype string, index int) bool {
	for _, f := range meta.links() {
		list, restricted := perms[f.Options]
		col := meta.column(f.Name)
		if bool(f.IgnoreUserPerm) || !restricted || col < 0 {
			continue
		}
		v := r.vals[col].s
		if v == "" && (!a.snap.strictUserPermissions() || bool(meta.IsSingle)) {
			continue
		}
		allowed := allowedDocs(list, doctype)
		if len(allowed) == 0 || slices.Contains(allowed, v) {
			continue
		}
		label := f.Label
		if label == "" {
			label = f.Name
		}
		if v == "" {
			v = "empty"
		}
		row := ""
		if index > 0 {
			row = fmt.Sprintf("row %d, ", index)
		}
		// The real message names the DocType of the metadata, which is always "DocType".
		a.log = append(a.log, fmt.Sprintf("You are not allowed to access this DocType record because it is linked to %s '%s' in %sfield %s",
			f.Options, v, row, label))
		return false
	}
	return true
}

// allowedDocs are the documents that the permissions allow in documents of a DocType.
func allowedDocs(list []userPermission, doctype string) []string {
	var out []string
	for _, p := range list {
		if p.applicableFor == "" || p.applicableFor == doctype {
			out = append(out, p.doc)
		}
	}
	return out
}

// shared are the names of the documents that are shared with the user, or with
// everyone, for a right.
func (a *access) shared(doctype, right string) []string {
	t := a.snap.tables["DocShare"]
	switch right {
	case "email", "print", "select":
		right = "read"
	case "read", "write", "share", "submit":
	default:
		return nil
	}
	if t == nil || a.user.isGuest() && len(t.rows) == 0 {
		return nil
	}
	m := t.meta
	user, typ, name := m.column("user"), m.column("share_doctype"), m.column("share_name")
	has, everyone := m.column(right), m.column("everyone")
	var out []string
	for _, r := range t.rows {
		if r.vals[typ].s != doctype || !r.vals[has].truthy() {
			continue
		}
		if strings.EqualFold(r.vals[user].s, a.user.name) || r.vals[everyone].truthy() && !a.user.isGuest() {
			out = append(out, r.vals[name].s)
		}
	}
	return out
}

// levels are the permission levels that the user's roles may read on a DocType; child
// rows go by their parent's DocType. Nil stands for all levels.
func (a *access) levels(meta *docType, parentType string) map[int]bool {
	if slices.Contains(coreDocTypes, meta.Name) {
		return nil
	}
	return a.permLevels(meta, parentType, "read")
}

// permLevels is levels for any right, and without the exemption of core DocTypes, which
// holds for lists only.
func (a *access) permLevels(meta *docType, parentType, right string) map[int]bool {
	if a.user.isAdmin() {
		return nil
	}
	perms := meta.Permissions
	if meta.IsTable {
		parent := a.snap.meta(parentType)
		if parent == nil {
			return map[int]bool{}
		}
		perms = parent.Permissions
	}
	if len(perms) == 0 {
		return nil
	}
	out := make(map[int]bool)
	for _, p := range perms {
		if p.rights[right] && a.user.hasRole(p.Role) {
			out[p.PermLevel] = true
		}
	}
	if !out[0] && (right == "read" || right == "select") && len(a.shared(meta.Name, right)) > 0 {
		out[0] = true
	}
	return out
}

// denied is the failure for a check that just came out false, with the reasons.
func (a *access) denied(text, errorMessage string) *wireError {
	f := raised("PermissionError", text)
	if len(a.log) > 0 {
		f.messages = append(f.messages, notice(strings.Join(a.log, "<br>")))
	}
	f.errorMessage = errorMessage
	return f
}

func bold(s string) string { return "<strong>" + s + "</strong>" }

func (s *snapshot) strictUserPermissions() bool {
	return s.systemSetting("apply_strict_user_permissions")
}
func (s *snapshot) sharingDisabled() bool { return s.systemSetting("disable_document_sharing") }

func (s *snapshot) systemSetting(field string) bool {
	return cint(s.singles["System Settings"].get(field)) != 0
}
