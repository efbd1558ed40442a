package loaders

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// A page is filled from at most maxWindows windows of rows, the first with a few rows to
// spare, for most lists hide few, and each four times the one before, up to maxWindow
// rows: so many documents one call may have to be asked about.
const (
	maxWindows = 2
	maxWindow  = 2000
)

// firstWindow is how many rows are read in search of so many visible ones.
func firstWindow(want int) int { return want + want/10 + 4 }

// localPage reads a page of a local type as if rows that the caller may not see did not
// exist.
//
// Where ERPNext decides on them, rows of a list as it stands are read first and looked
// through after, for most pages show most of what is there: that is one statement and one
// upstream call. A page that is not full then is filled by those rows only that are in
// the caller's reach. How much is read so tells how many rows are hidden near a place; so
// where the client picks the place, by a where or a position, the reach comes first.
func (s *Set) localPage(ctx context.Context, q PageQuery) (*Page, error) {
	db, err := s.local(ctx, q.Type)
	if err != nil {
		return nil, err
	}
	key := reachKey{typ: q.Type, where: q.Where}
	if q.Where, err = s.localWhere(ctx, q.Where); err != nil {
		return nil, err
	}
	stamp, walk := s.stamp(q.Type), s.localQuery(q)
	var rows []*Row
	done := false
	foretold, err := s.foretell(ctx, q, key)
	if err != nil {
		return nil, err
	}
	if !foretold && guarded(q.Type) {
		if rows, done, err = s.lookThrough(ctx, db, &walk); err != nil {
			return nil, err
		}
	}
	if !done {
		if walk.Where, err = s.narrow(ctx, q.Type, q.Where, key); err != nil {
			return nil, err
		}
		walk.End, walk.Limit = nil, q.Limit+1-len(rows)
		rest, err := db.Rows(ctx, walk)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", q.Type.Name, err)
		}
		rows = walked(rows, localRows(q.Type, rest), q.Backward)
	}
	page := pageInOrder(rows, q.Limit, q.Backward)
	s.store(q.Type).add(page.Rows, stamp)
	s.shown(q.Type, page.Rows)
	return page, nil
}

// foretell finds out the reach of a page's list beforehand, where the client picks the
// rows, and tells whether it is known. It is not where it would take too many calls: more
// than are left for a where, more than one for a position in a list that has none.
func (s *Set) foretell(ctx context.Context, q PageQuery, key reachKey) (bool, error) {
	if _, ok := s.known(key); ok || !guarded(q.Type) {
		return ok, nil
	}
	limit := s.cfg.ChunkNames
	switch {
	case !key.where.IsEmpty():
		limit *= s.cfg.MaxCalls
	case q.After == nil || !ordered(q.Order):
		return false, nil
	}
	_, err := s.reach(ctx, q.Type, q.Where, key, limit)
	if apierror.CodeOf(err) == apierror.CostLimit {
		return false, nil // page by page it may do; if not, that says so
	}
	return err == nil, err
}

// ordered tells that an order compares more than the id.
func ordered(order []criteria.Order) bool {
	return slices.ContainsFunc(order, func(o criteria.Order) bool { return o.Field.Kind != doctype.ID })
}

// lookThrough reads windows of rows and keeps the visible ones, until there are as many
// as q asks for, or no more rows: then it is done. Else q is left where it stopped.
func (s *Set) lookThrough(ctx context.Context, db Local, q *postgres.Query) (rows []*Row, done bool, err error) {
	want := q.Limit
	q.End, q.Limit = endOf(q.Type), firstWindow(want)
	for range maxWindows {
		table, err := db.Rows(ctx, *q)
		if err != nil {
			return nil, false, fmt.Errorf("list %s: %w", q.Type.Name, err)
		}
		found := localRows(q.Type, table)
		seen, err := s.visible(ctx, q.Type, found, question{whole: true, always: true})
		if err != nil {
			return nil, false, err
		}
		rows = walked(rows, seen, q.Backward)
		if len(rows) >= want || len(found) < q.Limit {
			return rows, true, nil
		}
		goOn(q, found)
		q.Limit = min(4*q.Limit, maxWindow)
	}
	return rows, false, nil
}

// goOn cuts a query behind the last of the rows that it found, in its own direction.
func goOn(q *postgres.Query, found []*Row) {
	last := found[len(found)-1]
	if q.Backward {
		last = found[0]
	}
	p := &postgres.Position{Key: last.Key}
	for _, o := range q.Order {
		v := last.Raw(o.Field.Column)
		if v == nil {
			v = jsontext.Value("null")
		}
		p.Values = append(p.Values, v)
	}
	if q.Backward {
		q.Before = p
	} else {
		q.After = p
	}
}

// walked adds the rows that a walk came upon next, keeping list order.
func walked(rows, next []*Row, backward bool) []*Row {
	if backward {
		return slices.Concat(next, rows)
	}
	return append(rows, next...)
}

// pageInOrder is NewPage for rows that already are in list order.
func pageInOrder(rows []*Row, limit int, backward bool) *Page {
	p := &Page{Rows: rows, backward: backward}
	beyond := len(rows) - limit
	switch {
	case beyond <= 0:
	case backward:
		p.Rows, p.peek, p.More = rows[beyond:], rows[beyond-1], true
	default:
		p.Rows, p.peek, p.More = rows[:limit:limit], rows[limit], true
	}
	return p
}

func (s *Set) localQuery(q PageQuery) postgres.Query {
	out := postgres.Query{
		Type: q.Type, Columns: s.localFields(q.Type, orderColumns(q.Order)...),
		Where: q.Where, Order: q.Order, Limit: q.Limit + 1, Backward: q.Backward,
	}
	if q.After != nil {
		p := &postgres.Position{Values: q.After.Values, Key: q.After.Key}
		if q.Backward {
			out.Before = p
		} else {
			out.After = p
		}
	}
	return out
}
