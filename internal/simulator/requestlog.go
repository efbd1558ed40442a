package simulator

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// maxRequestLog bounds the Webhook Request Log, of which the original keeps 30 days.
const maxRequestLog = 5_000

// requestLog are rows of the Webhook Request Log that are not in the store yet: they get
// there when somebody asks, for a busy site writes thousands a second.
type requestLog struct {
	mu   sync.Mutex
	rows []object
}

// add notes a try (log_request). The headers hold a signature, but no secret.
func (l *requestLog) add(j *delivery, now, answer, complaint string) {
	row := object{
		{"owner", j.user},
		{"modified_by", j.user},
		{"creation", now},
		{"modified", now},
		{"webhook", j.hook},
		{"reference_doctype", j.doctype},
		{"reference_document", j.name},
		{"user", j.user},
		{"data", string(j.body)},
		{"response", answer},
		{"error", complaint},
	}
	if j.request != nil {
		row.set("url", j.request.url)
		row.set("headers", headersJSON(j.request.header))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rows) >= maxRequestLog {
		l.rows = slices.Delete(l.rows, 0, maxRequestLog/2)
	}
	l.rows = append(l.rows, row)
}

func (l *requestLog) take() []object {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := l.rows
	l.rows = nil
	return rows
}

func headersJSON(h http.Header) string {
	var o object
	for _, k := range sortedKeys(h) {
		if k != "Accept" && k != "Accept-Encoding" && k != "User-Agent" { // those are of the library
			o.set(k, h.Get(k))
		}
	}
	return string(encodeJSON(o))
}

// showRequestLog puts the rows into the store if a call is about them.
func (s *Server) showRequestLog(q *call) {
	if !strings.EqualFold(q.doctype(), requestLogType) {
		return
	}
	rows := s.deliveries.log.take()
	if len(rows) == 0 {
		return
	}
	// Only a DocType that is not there could make this fail, and this one is built in.
	_ = s.update(func(snap *snapshot) error {
		t := snap.tables[requestLogType]
		list := make([]*row, len(rows))
		for i, r := range rows {
			r.set("name", s.newName())
			list[i] = s.collation.newRow(t.meta, r)
		}
		t = t.with(list...)
		if over := len(t.rows) - maxRequestLog; over > 0 {
			kept := t.index(t.meta.column("creation"))[over:]
			kept = slices.Clone(kept)
			sortRows(kept)
			t = newTable(t.meta, kept)
		}
		snap.tables[requestLogType] = t
		return nil
	})
}
