package loaders

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// store holds the documents of one type that the response has read so far.
type store struct {
	mu   sync.Mutex
	rows map[string]*Row
	// errs says why a name has no row.
	errs map[string]error
	// folded finds a row by a name that differs in case or accents only, which
	// MariaDB takes as equal.
	folded map[string]*Row
	// local tells that these are rows of a local type: all that are here may be read, and
	// their ids are equal only if they are the same, to Postgres.
	local bool
	// stamps tell how many columns of the type were selected when a row was read: they
	// only grow, and a row that was read with fewer is not the whole document.
	stamps map[string]int
}

func (s *Set) store(t *doctype.Type) *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stores[t]
	if st == nil {
		st = &store{rows: map[string]*Row{}, errs: map[string]error{}, folded: map[string]*Row{}, stamps: map[string]int{}, local: t.Source == doctype.Local}
		s.stores[t] = st
	}
	return st
}

func (st *store) fold(name string) string {
	if st.local {
		return name
	}
	return Fold(name)
}

// stamp is the one of rows that are read from now on.
func (s *Set) stamp(t *doctype.Type) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.columns[t])
}

func (st *store) add(rows []*Row, stamp int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, r := range rows {
		if st.rows[r.Key] == nil || st.stamps[r.Key] < stamp {
			st.rows[r.Key], st.stamps[r.Key] = r, stamp
			st.folded[st.fold(r.Key)] = r
		}
	}
}

// has tells whether there is a row that was read with all that is selected by now, or a
// reason why there is none.
func (st *store) has(name string, stamp int) bool {
	r, err := st.get(name)
	if r == nil {
		return err != nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.stamps[r.Key] >= stamp
}

func (st *store) get(name string) (*Row, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if r := st.rows[name]; r != nil {
		return r, nil
	}
	if err := st.errs[name]; err != nil {
		return nil, err
	}
	return st.folded[st.fold(name)], nil
}

// fail says why names that were asked for at a stamp have no row of it. A row that was
// read with fewer columns is no answer then: its missing fields would pass for nulls.
func (st *store) fail(names []string, stamp int, err func(name string) error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, n := range names {
		r := st.rows[n]
		if r == nil {
			r = st.folded[st.fold(n)]
		}
		if r != nil && st.stamps[r.Key] >= stamp {
			continue
		}
		if r != nil {
			delete(st.rows, r.Key)
			delete(st.folded, st.fold(r.Key))
		}
		st.errs[n] = err(n)
	}
}

func (st *store) missing(names []string, stamp int) []string {
	seen := make(map[string]bool, len(names))
	var out []string
	for _, n := range names {
		if n == "" || seen[n] {
			continue
		}
		seen[n] = true
		if !st.has(n, stamp) {
			out = append(out, n)
		}
	}
	return out
}

// Documents reads the documents of t by name, those that the response does not have
// yet, in one call for each chunk of names. Document then finds them.
//
// ERPNext's list leaves out what the caller may not read and what does not exist; it
// does not say which, so such a name fails with FORBIDDEN.
func (s *Set) Documents(ctx context.Context, t *doctype.Type, names []string) {
	st := s.store(t)
	stamp := s.stamp(t)
	names = st.missing(names, stamp)
	if len(names) == 0 {
		return
	}
	if t.Source == doctype.Local {
		s.localByID(ctx, t, names, stamp)
		return
	}
	if t.Source == doctype.Single {
		s.single(ctx, t, stamp)
		return
	}
	parts := chunks(names, s.cfg.ChunkNames)
	_ = parallel(len(parts), func(i int) error {
		table, err := s.list(ctx, t, frappe.ListQuery{
			DocType: t.Key,
			Columns: plain(s.selected(t)),
			Filters: []frappe.Filter{{Field: "name", Op: frappe.OpIn, Value: anys(parts[i])}},
			Limit:   len(parts[i]),
		})
		if err != nil {
			st.fail(parts[i], stamp, func(string) error { return err })
			return nil //nolint:nilerr // each name has it
		}
		st.add(rowsOf(t, table), stamp)
		st.fail(parts[i], stamp, func(name string) error { return notReadable(t, name) })
		return nil
	})
}

// errNotReadable is the cause of the errors of names that a list left out.
var errNotReadable = errors.New("left out of the list")

// notReadable is the error of a name that a list left out.
func notReadable(t *doctype.Type, name string) error {
	return apierror.Wrap(apierror.Forbidden, errNotReadable, "%s %q can't be read with your rights, or no longer exists", t.Key, name).
		About(t.Key, name, "")
}

// IsNotReadable tells whether err is about one name that a list left out, and not about
// a call that failed.
func IsNotReadable(err error) bool { return errors.Is(err, errNotReadable) }

// Document gives what Documents has read: a row, or why there is none.
func (s *Set) Document(t *doctype.Type, name string) (*Row, error) {
	if t.Source == doctype.Single {
		name = t.Key
	}
	row, err := s.store(t).get(name)
	if row == nil && err == nil {
		err = fmt.Errorf("%s %q was not asked for", t.Key, name)
	}
	return row, err
}

// Why asks ERPNext for one document that a list left out, only to learn whether it is
// missing or forbidden: its single read tells them apart.
func (s *Set) Why(ctx context.Context, t *doctype.Type, name string) error {
	if err := s.spend(); err != nil {
		return err
	}
	_, err := s.cfg.Upstream.Document(ctx, s.cred, t.Key, name)
	s.heard(err)
	if err == nil {
		return notReadable(t, name)
	}
	return fmt.Errorf("read %s: %w", t.Key, err)
}

// single reads the one document of a single DocType.
func (s *Set) single(ctx context.Context, t *doctype.Type, stamp int) {
	st := s.store(t)
	row, err := func() (*Row, error) {
		if err := s.spend(); err != nil {
			return nil, err
		}
		doc, err := s.cfg.Upstream.Document(ctx, s.cred, t.Key, t.Key)
		s.heard(err)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", t.Key, err)
		}
		for _, f := range t.Fields {
			// A single read gives 0 for a number above the caller's permlevel. No list of a
			// single DocType could tell it from a true 0, so neither is shown.
			if f.PermLevel > 0 && isZero(doc[f.Column]) {
				delete(doc, f.Column)
			}
		}
		return NewRow(t, t.Key, doc), nil
	}()
	if err != nil {
		st.fail([]string{t.Key}, stamp, func(string) error { return err })
		return
	}
	st.add([]*Row{row}, stamp)
}

func anys[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}
