package loaders

import (
	"context"
	"maps"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// A local row that is read through a document is visible to those who may read that
// document, and only ERPNext knows who they are. What it has said in this response is
// remembered: documents that were read, or left out, are in the stores; names that were
// only asked about are among the verdicts; and so may be all names of a DocType.

// ownerColumn tells a document that may be read from one that may only be linked to.
// ERPNext's list brings the documents of a DocType for the right "select" as well, and
// leaves the standard columns but the name out then (facts of frappe.model.db_query and
// frappe.model.get_permitted_fields). A document without an owner counts as unreadable.
const ownerColumn = "owner"

// noSuchName is a docname that no document has, as long as a docname can be. It is asked for
// where all names are known: a read that picks its rows by what a client asks makes a
// call then too, so that the number of calls tells nothing of rows that are hidden.
const noSuchName = "K7wQ0vZr2mXc9TfLh4NsBy6GdPa1JeUoRi8Vk3WxMt5SgHbYq0ClDn7AzFu2EpOjIw9KvTr4XmZc6LfQh1NsBy8GdPa3JeUoRi5Vk0WxMt7SgHbYq2ClDn9AzFu4EpOjIw6TzXkQ4mRb"

// question is how names are asked about.
type question struct {
	// whole reads the documents with all that the operation selects of them, so that
	// showing them costs no further call.
	whole bool
	// always makes a call also when all names are known.
	always bool
}

// everyName are all names of a DocType that the caller may read, or when they are too
// many, the first of them.
type everyName struct {
	same, alike map[string]bool // by plainFold, by Fold
	complete    bool
}

// verdict tells whether the caller may read a document, as far as that is known. Only
// the very spelling of the name counts here: two names that Fold takes as equal need not
// be one document.
func (s *Set) verdict(t *doctype.Type, name string) (readable, known bool) {
	if name == "" {
		return false, true
	}
	s.mu.Lock()
	readable, known = s.verdicts[t][name]
	all := s.every[t]
	s.mu.Unlock()
	if known {
		return readable, true
	}
	if readable, known = s.store(t).verdict(name); known || all == nil {
		return readable, known
	}
	readable = all.same[plainFold(name)]
	return readable, readable || all.complete && !all.alike[Fold(name)]
}

func (st *store) verdict(name string) (readable, known bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if r := st.rows[name]; r != nil && (st.local || r.Text(ownerColumn) != "") {
		return true, true
	}
	return false, IsNotReadable(st.errs[name])
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

// knowsAll tells that no further call can say more of a DocType's names. That is so for
// rows that are hidden and for others alike.
func (s *Set) knowsAll(t *doctype.Type) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.every[t] != nil && s.every[t].complete
}

// decide makes ERPNext say which of the names the caller may read, in one call for each
// chunk of those that are not known yet.
func (s *Set) decide(ctx context.Context, t *doctype.Type, names []string, q question) error {
	open := s.undecided(t, names)
	if len(open) == 0 && q.always && !s.knowsAll(t) {
		open = []string{noSuchName}
	}
	stamp, columns := s.stamp(t), []string{"name", ownerColumn}
	if q.whole {
		columns = s.selected(t, ownerColumn)
	}
	parts := chunks(open, s.cfg.ChunkNames)
	rows, refusals := make([][]*Row, len(parts)), make([]error, len(parts))
	err := parallel(len(parts), func(i int) (err error) {
		rows[i], refusals[i], err = s.listed(ctx, t, frappe.ListQuery{
			DocType: t.Key, Columns: plain(columns), Limit: len(parts[i]),
			Filters: []frappe.Filter{{Field: "name", Op: frappe.OpIn, Value: anys(parts[i])}},
		})
		return err
	})
	if err == nil {
		err = s.noRightAtAll(t, refusals)
	}
	if err != nil {
		return err
	}
	for i, asked := range parts {
		if q.whole {
			st := s.store(t)
			st.add(rows[i], stamp)
			st.fail(asked, stamp, func(name string) error { return notReadable(t, name) })
		}
		s.setVerdicts(t, matches(asked, keysOf(owned(rows[i]))))
	}
	return nil
}

func (s *Set) setVerdicts(t *doctype.Type, verdicts map[string]bool) {
	delete(verdicts, noSuchName)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verdicts[t] == nil {
		s.verdicts[t] = map[string]bool{}
	}
	maps.Copy(s.verdicts[t], verdicts)
}

// decideByAll asks once for all names of a DocType that the caller may read, and tells
// whether that was a call. Of more than it asks for, only those that came are decided; so
// are not the names that equal one by Fold alone.
func (s *Set) decideByAll(ctx context.Context, t *doctype.Type) (called bool, err error) {
	s.mu.Lock()
	asked := s.every[t] != nil
	s.mu.Unlock()
	if asked {
		return false, nil
	}
	rows, refused, err := s.listed(ctx, t, frappe.ListQuery{
		DocType: t.Key, Columns: plain([]string{"name", ownerColumn}), Limit: maxNames + 1, OrderBy: []frappe.Order{{Field: "name"}},
	})
	if err == nil {
		err = s.noRightAtAll(t, []error{refused})
	}
	if err != nil {
		return true, err
	}
	all := &everyName{complete: len(rows) <= maxNames}
	all.same, all.alike = spellings(keysOf(owned(rows)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.every[t] = all
	return true, nil
}

// listed is a list that gives a refusal apart from other errors.
func (s *Set) listed(ctx context.Context, t *doctype.Type, q frappe.ListQuery) (rows []*Row, refused, err error) {
	table, err := s.list(ctx, t, q)
	switch {
	case apierror.CodeOf(err) == apierror.Forbidden:
		return nil, err, nil
	case err != nil:
		return nil, nil, err
	default:
		return rowsOf(t, table), nil, nil
	}
}

// noRightAtAll takes refusals for the answer that the caller may read no document of a
// DocType: that is what they say. Where other lists of it were not refused they can't
// mean that, and are errors.
func (s *Set) noRightAtAll(t *doctype.Type, refusals []error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.listable[t.Key] {
		return nil
	}
	for _, err := range refusals {
		if err != nil {
			return err
		}
	}
	return nil
}

// owned are the rows that have an owner.
func owned(rows []*Row) []*Row {
	out := rows[:0:0]
	for _, r := range rows {
		if r.Text(ownerColumn) != "" {
			out = append(out, r)
		}
	}
	return out
}

func keysOf(rows []*Row) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Key
	}
	return out
}
