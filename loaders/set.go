// Package loaders reads rows for one response: documents by name, child rows by
// parent, lists, reverse links, local rows. A Set belongs to one response and one
// credential, so nothing that one caller may read can reach another. Every method
// takes all names of a level at once and answers with one upstream call (or one SQL
// statement) for each chunk of them: how many calls a query makes follows from its
// shape alone.
//
// Of local types, a Set is the only way to rows, and it gives those only that the caller
// may see by their @access. Roles are those of ERPNext's own answer (Callers). Whether a
// row is visible through a document is ERPNext's decision at each response: the names of
// the documents are asked for with the caller's credential, unless the response has read
// them anyway. What can't be asked is not shown.
package loaders

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/graph-gophers/dataloader/v7"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/snapshot"
)

// Upstream is what a Set needs of the REST client.
type Upstream interface {
	List(ctx context.Context, cred frappe.Credential, q frappe.ListQuery) (*frappe.Table, error)
	Count(ctx context.Context, cred frappe.Credential, doctype string, filters, orFilters []frappe.Filter, distinct bool) (int64, error)
	Document(ctx context.Context, cred frappe.Credential, doctype, name string) (map[string]jsontext.Value, error)
	LinkSearch(ctx context.Context, cred frappe.Credential, q frappe.LinkQuery) ([]frappe.LinkOption, error)
	WorkflowActions(ctx context.Context, cred frappe.Credential, doctype, name string) ([]frappe.WorkflowAction, error)
}

// Config is what all Sets of a process share.
type Config struct {
	Registry *doctype.Registry
	Upstream Upstream
	// Local reads the custom app's tables; nil where there are none.
	Local Local
	// Site knows the site's time zone.
	Site *Site
	// Callers tells who asks. Nobody reads local rows without: they are for people whom
	// ERPNext knows, by the roles that it gives them.
	Callers Callers
	// Snapshots gives what is kept of documents that local rows link to, in one SQL statement;
	// nil where nothing is.
	Snapshots func(ctx context.Context, documents []snapshot.Document) (map[snapshot.Document]snapshot.Snapshot, error)
	// ChunkNames is how many names one call carries at most. 0 means 1000: about
	// 40 kB of body, far below what Frappe, gunicorn and MariaDB accept.
	ChunkNames int
	// MaxCalls bounds the upstream calls of one operation. 0 means 60.
	MaxCalls int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Set is the loader set of one response. Its methods may run at the same time.
type Set struct {
	cfg  Config
	cred frappe.Credential

	// shared is what the sets of one response have in common; see Fresh.
	*shared

	ask     sync.Once
	caller  *frappe.User // what came of ask
	unknown error

	mu      sync.Mutex
	columns map[*doctype.Type][]string
	stores  map[*doctype.Type]*store
	gone    map[*doctype.Type]map[string]error
	lookups map[string]*dataloader.Loader[string, *Row]
	// verdicts tell by name which documents the caller may read, every all of them.
	verdicts map[*doctype.Type]map[string]bool
	every    map[*doctype.Type]*everyName
	// listable are the DocTypes of which ERPNext has answered a list.
	listable map[string]bool
	// unasked are the DocTypes of which a list failed otherwise than by a refusal.
	unasked map[string]bool
	// titles are those that Readable has brought.
	titles map[snapshot.Document]seenTitle
	// vouched are the ids of local rows that rows lead to which the caller sees.
	vouched map[*doctype.Type]map[string]bool
	reached map[reachKey][]string
}

// shared are the budget of one response and what it has learnt of the credential.
type shared struct {
	calls      atomic.Int64
	statements atomic.Int64
	denied     atomic.Pointer[error] // ERPNext's refusal of the credential itself
}

// Fresh makes a set for the same caller and response that has read nothing yet: what comes
// after a write must not be answered with what was read before. The budget of calls and
// statements goes on.
func (s *Set) Fresh() *Set {
	fresh := NewSet(s.cfg, s.cred)
	fresh.shared = s.shared
	return fresh
}

// NewSet makes the loader set of one response for one credential.
func NewSet(cfg Config, cred frappe.Credential) *Set {
	if cfg.ChunkNames <= 0 {
		cfg.ChunkNames = 1000
	}
	if cfg.MaxCalls <= 0 {
		cfg.MaxCalls = 60
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Set{
		cfg: cfg, cred: cred, shared: &shared{},
		columns: map[*doctype.Type][]string{},
		stores:  map[*doctype.Type]*store{},
		gone:    map[*doctype.Type]map[string]error{},

		verdicts: map[*doctype.Type]map[string]bool{},
		every:    map[*doctype.Type]*everyName{},
		listable: map[string]bool{},
		unasked:  map[string]bool{},
		titles:   map[snapshot.Document]seenTitle{},
		vouched:  map[*doctype.Type]map[string]bool{},
		reached:  map[reachKey][]string{},
	}
}

// Select adds columns to what is read of a type: the planner unites the fields
// selected anywhere in the operation, so that a document is read once. Of the documents
// that a local type is read through, their owner is read: it tells that they may be read.
func (s *Set) Select(t *doctype.Type, columns ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addColumns(t, columns)
	if guarded(t) {
		s.addColumns(t.Access.End(), []string{ownerColumn})
	}
}

func (s *Set) addColumns(t *doctype.Type, columns []string) {
	have := s.columns[t]
	for _, c := range columns {
		if c != "" && !slices.Contains(have, c) {
			have = append(have, c)
		}
	}
	s.columns[t] = have
}

// selected gives the columns to read of t: name first, extra ones last, those that
// the site turned out to lack left out.
func (s *Set) selected(t *doctype.Type, extra ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{"name"}
	for _, c := range slices.Concat(s.columns[t], extra) {
		if s.gone[t][c] == nil && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// Gone tells whether the site turned out to lack a column of t, and how it said so.
func (s *Set) Gone(t *doctype.Type, column string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone[t][column]
}

func (s *Set) setGone(t *doctype.Type, column string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone[t] == nil {
		s.gone[t] = map[string]error{}
	}
	s.gone[t][column] = err
}

// Calls is how many upstream calls the set has made.
func (s *Set) Calls() int { return int(s.calls.Load()) }

// MaxCalls is the bound on them.
func (s *Set) MaxCalls() int { return s.cfg.MaxCalls }

// Site gives what is known of the ERPNext site.
func (s *Set) Site() *Site { return s.cfg.Site }

// spend takes one call from the operation's budget.
func (s *Set) spend() error {
	if n := s.calls.Add(1); n > int64(s.cfg.MaxCalls) {
		return tooManyCalls(int(n), s.cfg.MaxCalls)
	}
	return nil
}

func tooManyCalls(n, limit int) error {
	e := apierror.New(apierror.CostLimit,
		"the operation needs more than %d calls to ERPNext: ask for fewer levels or DocTypes at once, or smaller pages", limit)
	e.Extensions = map[string]any{"limit": limit, "upstreamCalls": n}
	return e
}

// TooManyCalls is the error of an operation whose plan exceeds the limit.
func (s *Set) TooManyCalls(planned int) error { return tooManyCalls(planned, s.cfg.MaxCalls) }

// maxDropped bounds the columns that one list drops, a call for each: a schema that far
// from the site needs a new pull.
const maxDropped = 10

// list is one upstream list call. Columns that the site no longer has are dropped
// from the call and remembered, so that the rest of the answer stands.
func (s *Set) list(ctx context.Context, t *doctype.Type, q frappe.ListQuery) (*frappe.Table, error) {
	table, err := s.listDropping(ctx, t, q)
	if err != nil && apierror.CodeOf(err) != apierror.Forbidden {
		s.setUnasked(q.DocType)
	}
	return table, err
}

func (s *Set) listDropping(ctx context.Context, t *doctype.Type, q frappe.ListQuery) (*frappe.Table, error) {
	for dropped := 0; ; dropped++ {
		if err := s.spend(); err != nil {
			return nil, err
		}
		table, err := s.cfg.Upstream.List(ctx, s.cred, q)
		s.heard(err)
		if err == nil {
			s.setListable(q.DocType)
			return table, nil
		}
		column, ok := frappe.UnknownField(err)
		at := slices.IndexFunc(q.Columns, func(c frappe.Column) bool {
			return c.Field == column && c.Func == "" && c.DocType == ""
		})
		if !ok || at < 0 || column == "name" || used(q, column) || dropped >= maxDropped {
			return nil, fmt.Errorf("list %s: %w", q.DocType, err)
		}
		s.setGone(t, column, err)
		q.Columns = slices.Delete(slices.Clone(q.Columns), at, at+1)
	}
}

func (s *Set) setListable(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listable[key] = true
}

// used tells whether a query filters or orders by a column, where it can't be left out.
func used(q frappe.ListQuery, column string) bool {
	for _, f := range slices.Concat(q.Filters, q.OrFilters) {
		if f.Field == column && (f.DocType == "" || f.DocType == q.DocType) {
			return true
		}
	}
	return slices.ContainsFunc(q.OrderBy, func(o frappe.Order) bool { return o.Field == column && !o.Alias })
}

// rows turns a table of documents of t into rows.
func rowsOf(t *doctype.Type, table *frappe.Table) []*Row {
	h := newHeader(table.Columns)
	name, ok := h.index["name"]
	rows := make([]Row, len(table.Rows))
	out := make([]*Row, len(table.Rows))
	for i, values := range table.Rows {
		rows[i] = Row{Type: t, header: h, values: values}
		if ok && name < len(values) {
			rows[i].Key = textOf(values[name])
		}
		out[i] = &rows[i]
	}
	return out
}

func plain(columns []string) []frappe.Column {
	out := make([]frappe.Column, len(columns))
	for i, c := range columns {
		out[i] = frappe.Column{Field: c}
	}
	return out
}

// chunks cuts names into pieces that one call carries.
func chunks[T any](names []T, size int) [][]T {
	var out [][]T
	for piece := range slices.Chunk(names, size) {
		out = append(out, piece)
	}
	return out
}

// parallel runs the parts of one read at the same time and waits for all of them;
// the errors of all are joined.
func parallel(n int, part func(i int) error) error { return errors.Join(Parallel(n, part)...) }

// Parallel runs n parts at the same time, waits for all, and gives the error of each.
// A panic in one is that part's error.
func Parallel(n int, part func(i int) error) []error {
	errs := make([]error, n)
	safely := func(i int) {
		defer func() {
			if p := recover(); p != nil {
				errs[i] = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		errs[i] = part(i)
	}
	if n == 1 {
		safely(0)
		return errs
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { safely(i) })
	}
	wg.Wait()
	return errs
}
