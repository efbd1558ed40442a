package simulator

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
)

// OAuthClient is an application that may ask for tokens: an OAuth Client document, made
// without REST.
type OAuthClient struct {
	ID     string // the document's name, made up if empty
	Secret string // made up if empty
	Name   string // shown to users who are asked for consent; ID if empty
	// RedirectURI is where codes may be sent. Several are separated by one blank each; the
	// first is the default.
	RedirectURI string
	Scopes      string   // separated by blanks, such as "all openid"
	Trusted     bool     // no consent is asked
	Roles       []string // one of which a user must have; Desk User if empty
}

// AddClient makes a client, or replaces the one of the same ID.
func (s *Server) AddClient(c OAuthClient) error {
	roles := []any{}
	for _, r := range c.Roles {
		roles = append(roles, object{{"role", r}})
	}
	id := cmp.Or(c.ID, s.newName())
	doc := s.owned(administrator, object{
		{"name", id},
		{"app_name", cmp.Or(c.Name, id)},
		{"client_secret", c.Secret},
		{"skip_authorization", cint(c.Trusted)},
		{"scopes", c.Scopes},
		{"redirect_uris", c.RedirectURI},
		{"default_redirect_uri", firstURI(c.RedirectURI)},
		{"grant_type", "Authorization Code"},
		{"response_type", "Code"},
		{"allowed_roles", roles},
	})
	completeClient(&doc)
	return s.update(func(snap *snapshot) error { return snap.put(s, clientType, doc) })
}

func firstURI(list string) string {
	first, _, _ := strings.Cut(list, " ")
	return first
}

// owned adds the columns that every document has.
func (s *Server) owned(user string, doc object) object {
	now := s.stamp()
	return append(doc, object{
		{"owner", user},
		{"creation", now},
		{"modified", now},
		{"modified_by", user},
		{"docstatus", int64(0)},
		{"idx", int64(0)},
	}...)
}

// completeClient fills in what the site decides about a client by itself. Whatever a
// caller sends as client_id, it is the document's name.
func completeClient(doc *object) {
	doc.set("client_id", doc.get("name"))
	if cstr(doc.get("client_secret")) == "" {
		var b [5]byte
		_, _ = rand.Read(b[:]) // never fails
		doc.set("client_secret", hex.EncodeToString(b[:]))
	}
	if len(asList(doc.get("allowed_roles"))) == 0 {
		doc.set("allowed_roles", []any{object{{"role", "Desk User"}}})
	}
}

// checkClient is the code of the DocType OAuth Client.
func (d *draft) checkClient() error {
	if d.meta.Name != clientType {
		return nil
	}
	completeClient(&d.doc)
	grant, response := cstr(d.doc.get("grant_type")), cstr(d.doc.get("response_type"))
	if grant == "Authorization Code" && response != "Code" || grant == "Implicit" && response != "Token" {
		return thrown("ValidationError", "Combination of Grant Type (<code>"+grant+"</code>) and Response Type (<code>"+response+"</code>) not allowed")
	}
	return nil
}

// client is the OAuth Client of that ID, nil for none.
func (q *call) client(id string) *document { return q.snap.document(q.s.collation, clientType, id) }

// mayUse reports whether the caller has one of the client's roles.
func (q *call) mayUse(client *document) bool {
	role := q.snap.tables[clientRoleType].meta.column("role")
	return slices.ContainsFunc(client.children["allowed_roles"], func(r *row) bool { return q.user.hasRole(r.vals[role].s) })
}

// redirects reports whether a client has registered the URI, to the byte. URIs are
// separated by a blank: one that stands on a line of its own is a part of its neighbour.
func redirects(list, uri string) bool { return slices.Contains(strings.Split(list, " "), uri) }

// within reports whether all scopes are among the allowed ones.
func within(scopes, allowed []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(allowed, s) })
}
