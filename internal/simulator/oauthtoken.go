package simulator

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// OAuthCode is an authorization code that waits to be redeemed. It never expires: the
// original stores no expiry, and looks at none.
type OAuthCode struct {
	Code        string
	ClientID    string
	User        string
	Scopes      string
	RedirectURI string // not compared when the code is redeemed
	Nonce       string
	// Challenge is that of PKCE; empty: none was sent, and none is checked.
	Challenge string
	// ChallengeMethod is "plain" or "S256", which an empty one stands for too.
	ChallengeMethod string
}

// AddOAuthCode makes a code as a consent would have, for tests.
func (s *Server) AddOAuthCode(c OAuthCode) {
	doc := s.owned(c.User, object{
		{"name", c.Code},
		{"authorization_code", c.Code},
		{"client", c.ClientID},
		{"user", c.User},
		{"scopes", c.Scopes},
		{"redirect_uri_bound_to_authorization_code", c.RedirectURI},
		{"validity", "Valid"},
		{"nonce", c.Nonce},
	})
	if c.Challenge != "" {
		doc.set("code_challenge", c.Challenge)
		doc.set("code_challenge_method", strings.ToLower(cmp.Or(c.ChallengeMethod, "S256")))
	}
	if err := s.update(func(snap *snapshot) error { return snap.put(s, codeType, doc) }); err != nil {
		s.logger.Error("simulator: store a code", "error", err) // the DocType is always there
	}
}

// issueToken stores a pair of tokens, which live and die together.
func (s *Server) issueToken(snap *snapshot, client, user, scopes string) (*document, error) {
	access := secretText()
	doc := s.owned(user, object{
		{"name", access},
		{"access_token", access},
		{"refresh_token", secretText()},
		{"client", client},
		{"user", user},
		{"scopes", scopes},
		{"expires_in", int64(s.tokenLife / time.Second)},
		{"expiration_time", s.now().In(s.zone).Add(s.tokenLife).Format(microLayout)},
		{"status", "Active"},
	})
	if err := snap.put(s, tokenType, doc); err != nil {
		return nil, err
	}
	return snap.document(s.collation, tokenType, access), nil
}

// accessToken is the row of an access token, which is its name, nil for none.
func (s *snapshot) accessToken(col *collation, token string) *document {
	d := s.document(col, tokenType, token)
	if d == nil || d.row.name() != token {
		return nil
	}
	return d
}

// refreshToken is the row of a refresh token, nil for none.
func (s *snapshot) refreshToken(col *collation, token string) *document {
	t := s.tables[tokenType]
	c := t.meta.column("refresh_token")
	for r := range t.holding(c, col.text(&t.meta.columns[c], token)) {
		if token != "" && r.vals[c].s == token {
			return s.assemble(t, r)
		}
	}
	return nil
}

// bearer is the user of an access token that is active and not expired, and whose scopes
// its client still has; empty for none. Whether the user is enabled is not asked.
func (s *snapshot) bearer(col *collation, token, siteTime string) string {
	d := s.accessToken(col, token)
	if d == nil || d.get("status").s == "Revoked" {
		return ""
	}
	client := s.document(col, clientType, d.get("client").s)
	end, ok := parseTime(d.get("expiration_time").s)
	now, _ := parseTime(siteTime)
	if client == nil || !ok || !now.Before(end) || !within(strings.Split(d.get("scopes").s, " "), strings.Split(client.get("scopes").s, " ")) {
		return ""
	}
	return d.get("user").s
}

// setField changes one field of a stored document, as db_set does: nothing else moves.
func (s *snapshot) setField(col *collation, d *document, field, v string) {
	t := s.tables[d.meta.Name]
	c := t.meta.column(field)
	next := &row{vals: slices.Clone(d.row.vals)}
	next.vals[c] = col.text(&t.meta.columns[c], v)
	s.tables[d.meta.Name] = t.with(next)
}

// tokensOf are the pairs of tokens of a user for a client, the oldest first. An empty
// client stands for all.
func (s *snapshot) tokensOf(user, client string) []*document {
	t := s.tables[tokenType]
	var out []*document
	for _, r := range t.index(t.meta.column("creation")) {
		d := s.assemble(t, r)
		if d.get("user").s == user && (client == "" || d.get("client").s == client) {
			out = append(out, d)
		}
	}
	return out
}

// dropTokens deletes those, and says how many there were.
func (s *snapshot) dropTokens(user, client string) int {
	tokens := s.tokensOf(user, client)
	for _, d := range tokens {
		s.remove(d.meta, d.row.key())
	}
	return len(tokens)
}

// RevokeTokens takes back what a user has granted to a client, or with an empty clientID
// to all of them, as the page of third-party apps does: the pairs of tokens are deleted.
// Access tokens are then refused with 401, refresh tokens with 404. It returns the number
// of pairs.
func (s *Server) RevokeTokens(user, clientID string) int {
	n := 0
	_ = s.update(func(snap *snapshot) error { // the change never fails
		n = snap.dropTokens(user, clientID)
		return nil
	})
	return n
}

// ActiveTokens counts the pairs of tokens of a user that are not revoked. Expired ones are
// among them: they can still be refreshed.
func (s *Server) ActiveTokens(user string) int {
	n := 0
	for _, t := range s.data.Load().tokensOf(user, "") {
		if t.get("status").s == "Active" {
			n++
		}
	}
	return n
}

// ExpireTokens ends the life of all access tokens that OAuth gave out; refresh tokens go on
// working. Those of Options.Users never expire. It returns the number of tokens.
func (s *Server) ExpireTokens() int {
	n := 0
	_ = s.update(func(snap *snapshot) error { // the change never fails
		t := snap.tables[tokenType]
		n = len(t.rows)
		for _, r := range t.rows {
			snap.setField(s.collation, snap.assemble(t, r), "expiration_time", s.siteTime())
		}
		return nil
	})
	return n
}

// secretText is a random text of thirty characters.
func secretText() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
