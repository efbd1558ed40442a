package simulator

import (
	"slices"
	"strings"
)

const (
	administrator = "Administrator"
	guest         = "Guest"
)

// account is a user with the roles that count: those of the User document and the ones
// that every user has.
type account struct {
	name     string
	fullName string
	roles    []string
	desk     bool
	secret   string // of the API key
	password string
}

func (a *account) isAdmin() bool            { return a.name == administrator }
func (a *account) isGuest() bool            { return a.name == guest }
func (a *account) hasRole(role string) bool { return slices.Contains(a.roles, role) }

var guestAccount = account{name: guest, fullName: guest, roles: []string{guest}}

// newAccount derives the account from a User document.
func (s *snapshot) newAccount(d *document) *account {
	a := &account{name: d.row.name(), fullName: d.get("full_name").s, desk: d.get("user_type").s == "System User"}
	if a.isAdmin() {
		if t := s.tables["Role"]; t != nil {
			for _, r := range t.rows {
				a.roles = append(a.roles, r.name())
			}
		}
	}
	role := -1
	if t := s.tables["Has Role"]; t != nil {
		role = t.meta.column("role")
	}
	for _, r := range d.children["roles"] {
		if name := r.vals[role].s; !slices.Contains(a.roles, name) {
			a.roles = append(a.roles, name)
		}
	}
	implied := []string{"All", guest}
	if a.desk || a.isAdmin() {
		implied = append(implied, "Desk User")
	}
	for _, name := range implied {
		if !slices.Contains(a.roles, name) {
			a.roles = append(a.roles, name)
		}
	}
	return a
}

// refreshUsers derives all accounts anew, after the users or their roles changed.
// Credentials stay with the name.
func (s *snapshot) refreshUsers() {
	t := s.tables["User"]
	old := s.users
	s.users = make(map[string]*account, len(t.rows))
	for _, r := range t.rows {
		a := s.newAccount(s.assemble(t, r))
		if o := old[a.name]; o != nil {
			a.secret, a.password = o.secret, o.password
		}
		s.users[a.name] = a
	}
	for _, index := range []map[string]*account{s.keys, s.bearers} {
		for k, a := range index {
			if now := s.users[a.name]; now != nil {
				index[k] = now
			} else {
				delete(index, k)
			}
		}
	}
}

// userPermission restricts a user to one document of a DocType, wherever it is linked.
type userPermission struct {
	doc           string
	applicableFor string // empty: for all DocTypes
	isDefault     bool
	derived       bool // a descendant of the document in the row
}

// userPermissions are the user's restrictions by DocType. The descendants of a tree's
// node are allowed with it, unless the row hides them.
func (s *snapshot) userPermissions(a *account) map[string][]userPermission {
	t := s.tables["User Permission"]
	if t == nil || len(t.rows) == 0 || a.isAdmin() || a.isGuest() {
		return nil
	}
	m := t.meta
	user, allow, forValue := m.column("user"), m.column("allow"), m.column("for_value")
	applicable, isDefault, hide := m.column("applicable_for"), m.column("is_default"), m.column("hide_descendants")
	var out map[string][]userPermission
	for _, r := range t.rows {
		if !strings.EqualFold(r.vals[user].s, a.name) {
			continue
		}
		if out == nil {
			out = make(map[string][]userPermission)
		}
		doctype := r.vals[allow].s
		p := userPermission{doc: r.vals[forValue].s, applicableFor: r.vals[applicable].s, isDefault: r.vals[isDefault].truthy()}
		out[doctype] = append(out[doctype], p)
		if r.vals[hide].truthy() || s.meta(doctype) == nil || !bool(s.meta(doctype).IsTree) {
			continue
		}
		below := s.descendants(doctype, r.vals[forValue])
		slices.Reverse(below)
		for _, name := range below {
			out[doctype] = append(out[doctype], userPermission{doc: name, applicableFor: p.applicableFor, derived: true})
		}
	}
	return out
}

// descendants are the names below a node of a tree, in the order of lft.
func (s *snapshot) descendants(doctype string, node value) []string {
	return s.relatives(doctype, node, func(lft, rgt, l, r int64) bool { return l > lft && r < rgt })
}

// ancestors are the names above a node of a tree.
func (s *snapshot) ancestors(doctype string, node value) []string {
	return s.relatives(doctype, node, func(lft, rgt, l, r int64) bool { return l < lft && r > rgt })
}

func (s *snapshot) relatives(doctype string, node value, is func(lft, rgt, l, r int64) bool) []string {
	t := s.tables[doctype]
	if t == nil {
		return nil
	}
	lft, rgt := t.meta.column("lft"), t.meta.column("rgt")
	r := t.find(node.key)
	if lft < 0 || rgt < 0 || r == nil {
		return nil
	}
	from, to := r.vals[lft].n, r.vals[rgt].n
	var out []string
	for _, o := range t.index(lft) {
		if is(from, to, o.vals[lft].n, o.vals[rgt].n) {
			out = append(out, o.name())
		}
	}
	return out
}
