package simulator

import (
	"fmt"
	"slices"
)

// DisableUser disables a user as an administrator would: the sessions end and no password
// is taken any more. API keys and tokens go on working, as they do there. To enable the
// user again, Update the document.
func (s *Server) DisableUser(name string) error {
	if err := s.Update("User", map[string]any{"name": name, "enabled": 0}); err != nil {
		return err
	}
	s.EndSessions(name)
	return nil
}

// EndSessions ends the browser sessions of a user, and returns how many there were.
func (s *Server) EndSessions(user string) int { return s.sessions.endAll(user) }

// SetRoles gives a user these roles and no others. Roles that every user of the kind has,
// such as All, stay.
func (s *Server) SetRoles(user string, roles ...string) error {
	rows := make([]map[string]any, len(roles))
	for i, r := range roles {
		rows[i] = map[string]any{"role": r}
	}
	return s.Update("User", map[string]any{"name": user, "roles": rows})
}

// RemoveRole takes a role from a user; one that the user does not have is an error.
func (s *Server) RemoveRole(user, role string) error {
	snap := s.data.Load()
	d := snap.document(s.collation, "User", user)
	if d == nil {
		return fmt.Errorf("simulator: no User %q", user)
	}
	col := snap.tables["Has Role"].meta.column("role")
	var rest []string
	for _, r := range d.children["roles"] {
		rest = append(rest, r.vals[col].s)
	}
	i := slices.Index(rest, role)
	if i < 0 {
		return fmt.Errorf("simulator: user %s does not have the role %q", user, role)
	}
	return s.SetRoles(user, slices.Delete(rest, i, i+1)...)
}
