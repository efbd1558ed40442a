package simulator

import (
	"slices"
	"sync"
)

// secretLog remembers what nobody else may store or print.
type secretLog struct {
	mu   sync.Mutex
	list []string
	seen map[string]bool
}

// maxSecrets bounds it, for a demo that runs for long: the oldest are forgotten.
const maxSecrets = 20_000

func newSecretLog() *secretLog { return &secretLog{seen: make(map[string]bool)} }

func (l *secretLog) add(secrets ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range secrets {
		if s == "" || l.seen[s] {
			continue
		}
		if len(l.list) >= maxSecrets {
			for _, old := range l.list[:maxSecrets/2] {
				delete(l.seen, old)
			}
			l.list = slices.Clone(l.list[maxSecrets/2:])
		}
		l.seen[s] = true
		l.list = append(l.list, s)
	}
}

func (l *secretLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

func (l *secretLog) clone() *secretLog {
	out := newSecretLog()
	out.add(l.all()...)
	return out
}

// secretFields are the columns that hold secrets in clear.
var secretFields = map[string][]string{
	clientType: {"client_secret"},
	tokenType:  {"access_token", "refresh_token"},
	codeType:   {"authorization_code"},
}

// note adds the secrets of a document that is being stored.
func (l *secretLog) note(doctype string, doc object) {
	for _, f := range secretFields[doctype] {
		l.add(cstr(doc.get(f)))
	}
}

// noteSecrets adds those of the documents that a data set brought.
func (s *snapshot) noteSecrets(l *secretLog) {
	for doctype, fields := range secretFields {
		t := s.tables[doctype]
		for _, f := range fields {
			col := t.meta.column(f)
			for _, r := range t.rows {
				l.add(r.vals[col].s)
			}
		}
	}
}

// Secrets are all access, refresh and ID tokens, authorization codes, client secrets,
// session ids, passwords and API secrets that the site has issued or been given, those that
// are over included, so that a test can search logs and databases for them. Of very many
// the oldest are forgotten.
func (s *Server) Secrets() []string { return s.secrets.all() }
