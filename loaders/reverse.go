package loaders

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// parentColumn is the alias under which a row that links through a child table tells
// which document it links to.
const parentColumn = "linked_parent"

// minReverseRows is the least that one reverse call asks for: small pages of few
// parents then nearly always fit into one call.
const minReverseRows = 500

// ReverseQuery asks for the rows of From that link to each of Parents: Customer.salesOrders
// for all customers of a level.
type ReverseQuery struct {
	Link    *doctype.Reverse
	To      *doctype.Type // the parents' type
	From    *doctype.Type // the type of the rows
	Parents []string
	Where   *criteria.Expr
	Order   []criteria.Order
	Limit   int
	// After and Backward as in PageQuery; a position is meant for every parent alike.
	After    *Position
	Backward bool
}

// Reverse reads the first rows of each parent.
//
// One call brings the rows of all parents, ordered as asked, with room for every
// parent's page. When one parent's many rows fill that call, the first rows of each
// parent are still right (the order is that of the whole), and only parents whose page
// is not full yet are asked for again.
func (s *Set) Reverse(ctx context.Context, q ReverseQuery) (map[string]*Page, error) {
	if q.From.Source == doctype.Local {
		return s.localReverse(ctx, q)
	}
	if q.After != nil {
		return s.reverseAfter(ctx, q)
	}
	out := make(map[string]*Page, len(q.Parents))
	parts := chunks(q.Parents, s.cfg.ChunkNames)
	pages := make([]map[string]*Page, len(parts))
	err := parallel(len(parts), func(i int) error {
		part := q
		part.Parents = parts[i]
		var err error
		pages[i], err = s.reverseChunk(ctx, part)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, m := range pages {
		maps.Copy(out, m)
	}
	return out, nil
}

func (s *Set) reverseChunk(ctx context.Context, q ReverseQuery) (map[string]*Page, error) {
	base, err := s.filters(ctx, q.Where)
	if err != nil {
		return nil, err
	}
	stamp := s.stamp(q.From)
	out := make(map[string]*Page, len(q.Parents))
	folded := make(map[string]string, len(q.Parents))
	for _, p := range q.Parents {
		out[p] = &Page{}
		folded[Fold(p)] = p
	}
	parentOf := func(r *Row) string {
		name := r.Text(q.linkColumn())
		if out[name] != nil {
			return name
		}
		return folded[Fold(name)]
	}
	todo := q.Parents
	for len(todo) > 0 {
		list := s.reverseList(q, base, todo)
		table, err := s.list(ctx, q.From, list)
		if err != nil {
			return nil, err
		}
		for _, p := range todo {
			out[p].Rows = nil
		}
		rows := rowsOf(q.From, table)
		for _, r := range rows {
			page := out[parentOf(r)]
			if page != nil && len(page.Rows) <= q.Limit {
				page.Rows = append(page.Rows, r)
			}
		}
		if len(rows) < list.Limit {
			break
		}
		left := slices.DeleteFunc(slices.Clone(todo), func(p string) bool { return len(out[p].Rows) > q.Limit })
		if len(left) == len(todo) {
			return nil, fmt.Errorf("list %s: its rows link to none of the %d documents by a name known here", q.From.Key, len(todo))
		}
		todo = left
	}
	for parent, page := range out {
		out[parent] = NewPage(page.Rows, q.Limit, q.Backward)
		s.store(q.From).add(out[parent].Rows, stamp)
	}
	return out, nil
}

func (q ReverseQuery) linkColumn() string {
	if q.Link.Through != "" {
		return parentColumn
	}
	return q.Link.Field
}

// reverseList is the call that reads the rows of several parents.
func (s *Set) reverseList(q ReverseQuery, base filters, parents []string) frappe.ListQuery {
	// With more than n*(limit+1) rows, a full answer means that some parent's page is
	// full, so each further call has fewer parents. The one row more tells a full answer
	// from one that just fits.
	list := frappe.ListQuery{
		DocType:   q.From.Key,
		OrFilters: base.or,
		OrderBy:   orderBy(walkKeys(PageQuery{Type: q.From, Order: q.Order, Backward: q.Backward})),
		Limit:     max(len(parents)*(q.Limit+1), minReverseRows) + 1,
	}
	link, columns := q.linkFilters(parents)
	list.Filters = slices.Concat(link, base.and)
	extra := orderColumns(q.Order)
	if q.Link.Through == "" {
		extra = append(extra, q.Link.Field)
	}
	list.Columns = append(plain(s.selected(q.From, extra...)), columns...)
	// A joined child table repeats rows, which would fill the call without filling a page.
	switch {
	case q.Link.Through != "":
		list.GroupBy = []frappe.Column{{DocType: q.Link.Through, Field: "link_name"}, {Field: "name"}}
	case base.joins:
		list.GroupBy = []frappe.Column{{Field: "name"}}
	}
	return list
}

// linkFilters are the filters that pick the rows of the parents, and the column that
// tells them apart where the link sits in a child table.
func (q ReverseQuery) linkFilters(parents []string) ([]frappe.Filter, []frappe.Column) {
	if q.Link.Through == "" {
		return []frappe.Filter{{Field: q.Link.Field, Op: frappe.OpIn, Value: anys(parents)}}, nil
	}
	return []frappe.Filter{
		{DocType: q.Link.Through, Field: "link_doctype", Op: frappe.OpEq, Value: q.To.Key},
		{DocType: q.Link.Through, Field: "link_name", Op: frappe.OpIn, Value: anys(parents)},
	}, []frappe.Column{{DocType: q.Link.Through, Field: "link_name", As: parentColumn}}
}

// maxPagedParents bounds the parents whose lists are paged through at once: each is a
// call of its own.
const maxPagedParents = 5

// reverseAfter reads further pages, a parent at a time: a cursor belongs to the list
// of one parent, so there is rarely more than one.
func (s *Set) reverseAfter(ctx context.Context, q ReverseQuery) (map[string]*Page, error) {
	if len(q.Parents) > maxPagedParents {
		return nil, apierror.New(apierror.BadUserInput,
			"%s: after and before page the list of one document; here are the lists of %d at once, and %d are allowed",
			q.Link.Name, len(q.Parents), maxPagedParents).About(q.From.Key, "", "after")
	}
	out := make(map[string]*Page, len(q.Parents))
	for _, parent := range q.Parents {
		page, err := s.Page(ctx, PageQuery{
			Type: q.From, Where: &criteria.Expr{And: append(s.linkExpr(q, parent), whereOf(q.Where)...)},
			Order: q.Order, Limit: q.Limit, After: q.After, Backward: q.Backward,
		})
		if err != nil {
			return nil, err
		}
		out[parent] = page
	}
	return out, nil
}

func whereOf(e *criteria.Expr) []*criteria.Expr {
	if e == nil {
		return nil
	}
	return []*criteria.Expr{e}
}

func (s *Set) linkExpr(q ReverseQuery, parent string) []*criteria.Expr {
	is := func(f *doctype.Field, value string) *criteria.Expr {
		return &criteria.Expr{Cond: &criteria.Cond{Field: f, Op: criteria.Eq, Value: value}}
	}
	if q.Link.Through == "" {
		return []*criteria.Expr{is(q.From.ByColumn(q.Link.Field), parent)}
	}
	return []*criteria.Expr{{Rows: &criteria.RowsExpr{
		Of: &doctype.Type{Key: q.Link.Through},
		Where: &criteria.Expr{And: []*criteria.Expr{
			is(&doctype.Field{Column: "link_doctype"}, q.To.Key),
			is(&doctype.Field{Column: "link_name"}, parent),
		}},
	}}}
}

// ReverseCounts counts each parent's rows, in one call for each chunk of parents.
func (s *Set) ReverseCounts(ctx context.Context, q ReverseQuery) (map[string]int64, error) {
	if q.From.Source == doctype.Local {
		return s.localReverseCounts(ctx, q)
	}
	base, err := s.filters(ctx, q.Where)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(q.Parents))
	folded := make(map[string]string, len(q.Parents))
	for _, p := range q.Parents {
		out[p], folded[Fold(p)] = 0, p
	}
	for _, part := range chunks(q.Parents, s.cfg.ChunkNames) {
		table, err := s.list(ctx, q.From, q.countList(base, part))
		if err != nil {
			return nil, err
		}
		for _, r := range rowsOf(q.From, table) {
			parent := r.Text(q.linkColumn())
			if _, ok := out[parent]; !ok {
				parent = folded[Fold(parent)]
			}
			if n := r.Raw(countColumn); n != nil {
				out[parent] += int64(number(n))
			} else {
				out[parent]++
			}
		}
	}
	return out, nil
}

// countColumn is the alias of a count.
const countColumn = "n"

// countList is the call that counts several parents' rows: a count for each parent, or
// where a child table is joined, which repeats rows, each parent's names once.
func (q ReverseQuery) countList(base filters, parents []string) frappe.ListQuery {
	link, joined := q.linkFilters(parents)
	list := frappe.ListQuery{DocType: q.From.Key, Filters: append(link, base.and...), OrFilters: base.or}
	switch {
	case q.Link.Through != "":
		list.Columns = append(plain([]string{"name"}), joined...)
		list.GroupBy = []frappe.Column{{DocType: q.Link.Through, Field: "link_name"}, {Field: "name"}}
	case base.joins:
		list.Columns = plain([]string{"name", q.Link.Field})
		list.GroupBy = plain([]string{q.Link.Field, "name"})
	default:
		list.Columns = append(plain([]string{q.Link.Field}), frappe.Column{Func: frappe.FuncCount, Field: "name", As: countColumn})
		list.GroupBy = plain([]string{q.Link.Field})
	}
	return list
}
