package loaders

import (
	"context"
	"fmt"
	"time"

	"erpgraph/internal/doctype"
	"erpgraph/internal/snapshot"
)

// LinkedDocument says which document a link leads to.
type LinkedDocument = snapshot.Document

// Snapshot is what is kept of a document.
type Snapshot = snapshot.Snapshot

// Snapshots gives what is kept of documents that local rows link to, in one SQL statement:
// those of which something is. It knows nothing of who may see it: whoever asks has rows that
// the caller sees, with links that keep a snapshot, and asks for what these lead to alone.
func (s *Set) Snapshots(ctx context.Context, documents []snapshot.Document) (map[snapshot.Document]snapshot.Snapshot, error) {
	if s.cfg.Snapshots == nil || len(documents) == 0 {
		return map[snapshot.Document]snapshot.Snapshot{}, nil
	}
	if err := s.statement(); err != nil {
		return nil, err
	}
	kept, err := s.cfg.Snapshots(ctx, documents)
	if err != nil {
		return nil, fmt.Errorf("link snapshots: %w", err)
	}
	return kept, nil
}

// Unasked tells that this response could not list documents of a DocType: ERPNext did not
// answer, or was not asked for want of budget. A refusal is an answer.
func (s *Set) Unasked(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unasked[key]
}

func (s *Set) setUnasked(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unasked[key] = true
}

// seenTitle is a title, "" for none, and when it was asked for.
type seenTitle struct {
	title string
	began time.Time
}

// titleOf is the column of the titles that snapshots of a DocType keep, if any.
func (s *Set) titleOf(t *doctype.Type) []string {
	if title := t.SnapshotTitle(); title != "" && s.cfg.Registry.KeepsSnapshots(t.Key) {
		return []string{title}
	}
	return nil
}

// noteTitles keeps the titles of documents until a row that links to them is stored. One that
// the caller may not read, though he may the document, is not known.
func (s *Set) noteTitles(t *doctype.Type, rows []*Row, began time.Time) {
	if !s.cfg.Registry.KeepsSnapshots(t.Key) {
		return
	}
	column := t.SnapshotTitle()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		if column == "" || r.Raw(column) != nil {
			s.titles[snapshot.Document{DocType: t.Key, Name: r.Key}] = seenTitle{r.Text(column), began}
		}
	}
}

// SeenTitle gives the title of a document, by its real name, that Readable has brought: what a
// link that keeps a snapshot is to keep of it.
func (s *Set) SeenTitle(d snapshot.Document) (seen snapshot.Seen, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.titles[d]
	if !ok {
		return snapshot.Seen{}, false
	}
	seen = snapshot.Seen{Document: d, Began: t.began}
	if t.title != "" {
		seen.Title = &t.title
	}
	return seen, true
}
