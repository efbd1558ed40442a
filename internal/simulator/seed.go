package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// update makes the next snapshot. An error leaves the present one in place, so that a
// write that fails half-way leaves no trace.
func (s *Server) update(change func(*snapshot) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	next := s.data.Load().clone()
	if err := change(next); err != nil {
		return err
	}
	s.data.Store(next)
	return nil
}

// AddUser creates a user, or gives an existing one credentials and further roles.
func (s *Server) AddUser(u User) error {
	if u.Name == "" {
		return fmt.Errorf("simulator: a user without name")
	}
	return s.update(func(snap *snapshot) error {
		t := snap.tables["User"]
		if t == nil {
			return fmt.Errorf("simulator: the data set has no DocType User")
		}
		if t.find(s.collation.key(u.Name)) == nil || len(u.Roles) > 0 {
			if err := snap.putUser(s, u); err != nil {
				return err
			}
		}
		snap.refreshUsers()
		a := snap.users[u.Name]
		if a == nil {
			return fmt.Errorf("simulator: user %s has another case in the data set", u.Name)
		}
		if u.APIKey != "" || u.Password != "" {
			with := *a
			a = &with
			snap.users[u.Name] = a
		}
		if u.APIKey != "" {
			a.secret = u.APISecret
			snap.keys[u.APIKey] = a
		}
		if u.Password != "" {
			a.password = u.Password
		}
		for _, token := range u.Bearer {
			snap.bearers[token] = a
		}
		s.secrets.add(append([]string{u.APISecret, u.Password}, u.Bearer...)...)
		return nil
	})
}

func (s *snapshot) putUser(srv *Server, u User) error {
	var doc object
	roles := []any{}
	if d := s.document(srv.collation, "User", u.Name); d != nil {
		doc = d.object(s, nil, true).plain()
		roles = asList(doc.get("roles"))
	} else {
		kind := "System User"
		if u.Website {
			kind = "Website User"
		}
		full := u.FullName
		if full == "" {
			full = u.Name
		}
		now := srv.siteTime()
		doc = object{
			{"name", u.Name},
			{"email", u.Name},
			{"full_name", full},
			{"first_name", full},
			{"enabled", int64(1)},
			{"user_type", kind},
			{"owner", administrator},
			{"modified_by", administrator},
			{"creation", now},
			{"modified", now},
		}
	}
	for _, r := range u.Roles {
		roles = append(roles, object{{"name", srv.newName()}, {"role", r}})
	}
	doc.set("roles", roles)
	return s.put(srv, "User", doc)
}

// plain turns an answer back into a document: rows and values as JSON would bring them.
func (o object) plain() object {
	v, err := decodeJSON(string(encodeJSON(o)))
	if err != nil {
		return nil // what encodeJSON wrote, decodeJSON reads
	}
	out, _ := v.(object)
	return out
}

// put stores a document with its child rows, in place of one of the same name.
func (s *snapshot) put(srv *Server, doctype string, doc object) error {
	t := s.tables[doctype]
	if t == nil {
		return fmt.Errorf("simulator: no DocType %q", doctype)
	}
	if t.meta.IsSingle {
		s.singles[doctype] = doc
		return nil
	}
	if cstr(doc.get("name")) == "" {
		return fmt.Errorf("simulator: a %s without name", doctype)
	}
	srv.secrets.note(doctype, doc)
	if doctype == webhookType {
		s.keepPassword(srv, &doc)
	}
	for _, f := range t.meta.tables() {
		for i, e := range asList(doc.get(f.Name)) {
			if o, ok := e.(object); ok {
				defaultTo(&o, "name", srv.newName())
				for _, k := range []string{"owner", "creation", "modified", "modified_by", "docstatus"} {
					defaultTo(&o, k, doc.get(k))
				}
				asList(doc.get(f.Name))[i] = o
			}
		}
	}
	rows := make(map[string][]*row)
	if err := s.collect(srv.collation, rows, doctype, doc); err != nil {
		return err
	}
	r := rows[doctype][0]
	s.dropRows(t.meta, r.key())
	for name, list := range rows {
		s.tables[name] = s.tables[name].with(list...)
	}
	return nil
}

// dropRows removes the child rows of a document.
func (s *snapshot) dropRows(meta *docType, parentKey string) {
	for _, f := range meta.tables() {
		child := s.tables[f.Options]
		if child == nil {
			continue
		}
		mine := childRows(child, meta.Name, parentKey, f.Name)
		if len(mine) > 0 {
			s.tables[f.Options] = child.without(func(r *row) bool { return slices.Contains(mine, r) })
		}
	}
}

// remove deletes a document with its rows.
func (s *snapshot) remove(meta *docType, key string) {
	s.dropRows(meta, key)
	s.tables[meta.Name] = s.tables[meta.Name].without(func(r *row) bool { return r.key() == key })
}

// newName is a name for rows that have none, in the form of Frappe's.
func (s *Server) newName() string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	n := s.names.Add(1)*2654435761%(1<<50) + 1<<49
	var b [10]byte
	for i := range b {
		b[len(b)-1-i] = digits[n&31]
		n >>= 5
	}
	b[0] = 's'
	return string(b[:])
}

// Insert stores a document as a test's setup does: no permission, no validation, no
// naming. It must have a name, and replaces a document that has it already; owner and
// times are filled in if absent. An active Workflow takes effect at once: its DocType gets
// the field of the state, and its documents their first state.
func (s *Server) Insert(doctype string, doc map[string]any) error {
	return s.update(func(snap *snapshot) error {
		o, err := fromMap(doc)
		if err != nil {
			return err
		}
		now := s.stamp()
		for k, v := range map[string]any{"owner": administrator, "modified_by": administrator, "creation": now, "modified": now} {
			defaultTo(&o, k, v)
		}
		if err := snap.put(s, doctype, o); err != nil {
			return err
		}
		snap.settle(s, doctype)
		if doctype == "Workflow" {
			return snap.settleWorkflow(s, cstr(o.get("name")))
		}
		return nil
	})
}

// Update changes fields of a document and its time of change.
func (s *Server) Update(doctype string, doc map[string]any) error {
	return s.update(func(snap *snapshot) error {
		o, err := fromMap(doc)
		if err != nil {
			return err
		}
		d := snap.document(s.collation, doctype, cstr(o.get("name")))
		if d == nil {
			return fmt.Errorf("simulator: no %s %q", doctype, cstr(o.get("name")))
		}
		full := d.object(snap, nil, true).plain()
		full.set("modified", s.stamp())
		for _, m := range o {
			full.set(m.key, m.value)
		}
		full.set("name", d.row.name())
		if err := snap.put(s, doctype, full); err != nil {
			return err
		}
		snap.settle(s, doctype)
		return nil
	})
}

// Delete removes a document; deleting none is an error.
func (s *Server) Delete(doctype, name string) error {
	return s.update(func(snap *snapshot) error {
		d := snap.document(s.collation, doctype, name)
		if d == nil {
			return fmt.Errorf("simulator: no %s %q", doctype, name)
		}
		snap.remove(d.meta, d.row.key())
		snap.settle(s, doctype)
		return nil
	})
}

// settle brings what is derived from documents up to date.
func (s *snapshot) settle(srv *Server, doctype string) {
	switch doctype {
	case "User", "Role":
		s.refreshUsers()
	case webhookType:
		s.refreshWebhooks(srv.collation)
	}
}

func fromMap(doc map[string]any) (object, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	v, err := decodeJSON(string(b))
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	o, _ := v.(object)
	return o, nil
}

// UserPermission restricts a user to a document of a DocType, wherever it is linked.
type UserPermission struct {
	User, Allow, ForValue string
	ApplicableFor         string // a DocType; empty: all
	HideDescendants       bool
}

// AddUserPermission adds a restriction.
func (s *Server) AddUserPermission(p UserPermission) error {
	hide := 0
	if p.HideDescendants {
		hide = 1
	}
	return s.Insert("User Permission", map[string]any{
		"name": s.newName(), "user": p.User, "allow": p.Allow, "for_value": p.ForValue,
		"applicable_for": p.ApplicableFor, "hide_descendants": hide,
	})
}

// Share shares a document with a user, who may then read it and, with write, change it.
func (s *Server) Share(doctype, name, user string, write bool) error {
	w := 0
	if write {
		w = 1
	}
	return s.Insert("DocShare", map[string]any{
		"name": s.newName(), "user": user, "share_doctype": doctype, "share_name": name, "read": 1, "write": w,
	})
}

// SetFile stores the contents of a file under the URL of its File document, such as
// "/private/files/a.pdf".
func (s *Server) SetFile(url string, content []byte) error {
	return s.update(func(snap *snapshot) error {
		snap.files[url] = memoryBlob(slices.Clone(content))
		return nil
	})
}

// AddDocType adds metadata, in the shape in which getdoctype answers it, or replaces it:
// the documents stay, less the columns that are gone.
func (s *Server) AddDocType(meta []byte) error {
	return s.update(func(snap *snapshot) error {
		d, err := parseDocType(meta)
		if err != nil {
			return fmt.Errorf("simulator: %w", err)
		}
		snap.replaceMeta(s.collation, d)
		return nil
	})
}

// RemoveField takes a field out of a DocType, as an upgrade or an administrator may.
func (s *Server) RemoveField(doctype, field string) error {
	return s.update(func(snap *snapshot) error {
		old := snap.meta(doctype)
		if old == nil || old.field(field) == nil {
			return fmt.Errorf("simulator: no field %s of %s", field, doctype)
		}
		raw := slices.Clone(old.raw)
		fields := slices.DeleteFunc(slices.Clone(asList(raw.get("fields"))), func(f any) bool {
			o, _ := f.(object)
			return cstr(o.get("fieldname")) == field
		})
		raw.set("fields", fields)
		d, err := parseDocType(encodeJSON(raw))
		if err != nil {
			return fmt.Errorf("simulator: %w", err)
		}
		snap.replaceMeta(s.collation, d)
		return nil
	})
}

func (s *snapshot) replaceMeta(col *collation, d *docType) {
	var rows []*row
	if t := s.tables[d.Name]; t != nil {
		for _, r := range t.rows {
			doc := appendColumns(nil, t.meta, r, nil, true)
			rows = append(rows, col.newRow(d, doc.plain()))
		}
	}
	s.tables[d.Name] = newTable(d, rows)
	s.describeDocTypes(col)
}

// Names lists the names of a DocType's documents, for tests.
func (s *Server) Names(doctype string) []string {
	t := s.data.Load().tables[doctype]
	if t == nil {
		return nil
	}
	out := make([]string, len(t.rows))
	for i, r := range t.rows {
		out[i] = strings.Clone(r.name())
	}
	return out
}
