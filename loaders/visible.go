package loaders

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
)

// A local row that is read through a document is visible to those who may read that
// document, and only ERPNext knows who they are. What it has said in this response is
// remembered in two places: documents that were read, or left out, are in the stores;
// names that were only asked about are among the verdicts.

// verdict tells whether the caller may read a document, as far as that is known. Only
// the very spelling of the name counts here: two names that Fold takes as equal need not
// be one document.
func (s *Set) verdict(t *doctype.Type, name string) (readable, known bool) {
	if name == "" {
		return false, true
	}
	s.mu.Lock()
	readable, known = s.verdicts[t][name]
	s.mu.Unlock()
	if known {
		return readable, true
	}
	return s.store(t).verdict(name)
}

func (st *store) verdict(name string) (readable, known bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.rows[name] != nil {
		return true, true
	}
	return false, IsNotReadable(st.errs[name])
}

func (s *Set) setVerdicts(t *doctype.Type, verdicts map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verdicts[t] == nil {
		s.verdicts[t] = map[string]bool{}
	}
	maps.Copy(s.verdicts[t], verdicts)
}

// undecided are the names of which nothing is known yet, each once.
func (s *Set) undecided(t *doctype.Type, names []string) []string {
	seen := make(map[string]bool, len(names))
	var out []string
	for _, n := range names {
		if seen[n] {
			continue
		}
		seen[n] = true
		if _, known := s.verdict(t, n); !known {
			out = append(out, n)
		}
	}
	return out
}

// decide makes ERPNext say which of the names the caller may read, in one call for each
// chunk of those that are not known yet. whole reads the documents with all that the
// operation selects of them, so that showing them costs no further call.
func (s *Set) decide(ctx context.Context, t *doctype.Type, names []string, whole bool) error {
	parts := chunks(s.undecided(t, names), s.cfg.ChunkNames)
	return parallel(len(parts), func(i int) error { return s.decideChunk(ctx, t, parts[i], whole) })
}

func (s *Set) decideChunk(ctx context.Context, t *doctype.Type, names []string, whole bool) error {
	stamp, columns := s.stamp(t), []string{"name"}
	if whole {
		columns = s.selected(t)
	}
	rows, err := s.namesOf(ctx, t, frappe.ListQuery{
		DocType: t.Key, Columns: plain(columns), Limit: len(names),
		Filters: []frappe.Filter{{Field: "name", Op: frappe.OpIn, Value: anys(names)}},
	})
	if err != nil {
		return err
	}
	if whole {
		st := s.store(t)
		st.add(rows, stamp)
		st.fail(names, stamp, func(name string) error { return notReadable(t, name) })
	}
	s.setVerdicts(t, matches(names, keysOf(rows)))
	return nil
}

// namesOf is a list that is empty for a caller who has no right to the DocType at all:
// he may read none of its documents.
func (s *Set) namesOf(ctx context.Context, t *doctype.Type, q frappe.ListQuery) ([]*Row, error) {
	table, err := s.list(ctx, t, q)
	switch {
	case apierror.CodeOf(err) == apierror.Forbidden:
		return nil, nil
	case err != nil:
		return nil, err
	default:
		return rowsOf(t, table), nil
	}
}

func keysOf(rows []*Row) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Key
	}
	return out
}

// matches tells for each name that was asked for whether one that ERPNext answered is
// the same to MariaDB, which takes names as equal that differ in case or accents.
//
// Fold takes more for equal than MariaDB does (vowel signs of Indian scripts, which it
// drops as accents), and a row must not be shown for another document's sake. So a name
// that is equal by Fold alone counts only where no other one asked for could have
// brought the answer.
func matches(asked, answered []string) map[string]bool {
	same, alike := spellings(answered)
	rivals := make(map[string]int, len(asked))
	for _, name := range asked {
		rivals[Fold(name)]++
	}
	out := make(map[string]bool, len(asked))
	for _, name := range asked {
		out[name] = same[plainFold(name)] || rivals[Fold(name)] == 1 && alike[Fold(name)]
	}
	return out
}

// spellings are the names by what MariaDB surely takes for equal, and by Fold.
func spellings(names []string) (same, alike map[string]bool) {
	same, alike = make(map[string]bool, len(names)), make(map[string]bool, len(names))
	for _, name := range names {
		same[plainFold(name)], alike[Fold(name)] = true, true
	}
	return same, alike
}

// plainFold maps names to one text that are equal in every collation that ignores case
// and pads with blanks: letters beyond ASCII stay as they are.
func plainFold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.TrimRight(name, " "))
}

// visible leaves out the rows of a local type, read with the ends of their chains, that
// the caller may not see. It costs one upstream call for each chunk of documents that are
// not known yet.
func (s *Set) visible(ctx context.Context, t *doctype.Type, rows []*Row) ([]*Row, error) {
	end := t.Access.End()
	ends := make([]string, len(rows))
	for i, r := range rows {
		ends[i] = r.Text(postgres.EndColumn)
	}
	if err := s.decide(ctx, end, ends, true); err != nil {
		return nil, err
	}
	out := rows[:0:0]
	for i, r := range rows {
		if readable, _ := s.verdict(end, ends[i]); readable {
			out = append(out, r)
		}
	}
	return out, nil
}

// guarded tells that ERPNext decides which rows of the type are visible.
func guarded(t *doctype.Type) bool {
	end := t.Access.End()
	return end != nil && end.Source != doctype.Local
}

// chainOf is the chain of links that a local type is read through, if any.
func chainOf(t *doctype.Type) []doctype.Hop {
	if t.Access == nil {
		return nil
	}
	return t.Access.Chain
}

// endOf is the chain to read with rows of which the visible ones are wanted.
func endOf(t *doctype.Type) []doctype.Hop {
	if !guarded(t) {
		return nil
	}
	return t.Access.Chain
}

// visibleParents are those of the parents that the caller may read. They nearly always
// are rows of this response, and cost nothing then.
func (s *Set) visibleParents(ctx context.Context, t *doctype.Type, parents []string) ([]string, error) {
	open := s.undecided(t, parents)
	var err error
	switch {
	case len(open) == 0:
	case t.Source == doctype.Local:
		s.Documents(ctx, t, open)
		for _, id := range open {
			if _, e := s.Document(t, id); apierror.CodeOf(e) != apierror.NotFound {
				err = errors.Join(err, e)
			}
		}
	default:
		err = s.decide(ctx, t, open, true)
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(parents), func(name string) bool {
		readable, _ := s.verdict(t, name)
		return !readable
	}), nil
}
