package trail

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/event"
	"erpgraph/internal/frappe"
)

// Layout is the form that times are compared in: the log's, where the order of texts is the
// order of times.
const Layout = event.ModifiedLayout

// Earliest is a time before all others, which a database of ERPNext can still hold.
const Earliest = "1900-01-01 00:00:00.000000"

// Stamp brings a time as Frappe writes it into Layout.
func Stamp(text string) (string, error) {
	stamp, err := event.NormalModified(text)
	if err != nil {
		return "", fmt.Errorf("trail: not a time of the site: %.60q", text)
	}
	return stamp, nil
}

// Position is a place in rows ordered by a time and then by name. The zero Position is
// before all rows.
type Position struct {
	Time string // in Layout
	Name string
}

// Walk is a list of all rows in the order of a time.
type Walk struct {
	DocType string
	// Key is the column of the time: "modified" or "creation".
	Key string
	// Columns are the further ones that are read, besides Key and name.
	Columns []string
	Filters []frappe.Filter
	// From is the place after which the walk begins; without a name it is after all rows of
	// that time.
	From Position
	// Again includes the rows of From.Time, whatever their names.
	Again bool
}

// Row is one row: its place, and the texts of Walk.Columns, "" for NULL.
type Row struct {
	Position

	Values []string
}

// Rows hands the rows to page, at most PageSize at a time.
//
// A page ends in the middle of rows of one time where many were written at once, by a
// bulk update say. The next page then begins at the next name of that time, and what is
// next is ERPNext's to say: its collation is not the order of Go's strings.
func (s Site) Rows(ctx context.Context, w Walk, page func([]Row) error) error {
	at, ties := w.From, !w.Again && w.From.Name != ""
	filters := w.later(at, w.Again)
	if ties {
		filters = w.tied(at)
	}
	for {
		rows, err := s.page(ctx, w, filters)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			if err := page(rows); err != nil {
				return err
			}
		}
		switch {
		case len(rows) >= PageSize:
			last := rows[len(rows)-1].Position
			if last == at || last.Time < at.Time {
				return fmt.Errorf("trail: the list of %s does not go forward at %s", w.DocType, at.Time)
			}
			at, ties = last, true
			filters = w.tied(at)
		case ties:
			ties = false
			filters = w.later(at, false)
		default:
			return nil
		}
	}
}

// tied are the rows of a position's time that come after its name.
func (w Walk) tied(at Position) []frappe.Filter {
	return append(slices.Clip(w.Filters),
		frappe.Filter{Field: w.Key, Op: frappe.OpEq, Value: at.Time},
		frappe.Filter{Field: "name", Op: frappe.OpGt, Value: at.Name})
}

// later are the rows after a position's time, or from it on.
func (w Walk) later(at Position, from bool) []frappe.Filter {
	if at.Time == "" {
		return w.Filters
	}
	op := frappe.OpGt
	if from {
		op = frappe.OpGte
	}
	return append(slices.Clip(w.Filters), frappe.Filter{Field: w.Key, Op: op, Value: at.Time})
}

func (s Site) page(ctx context.Context, w Walk, filters []frappe.Filter) ([]Row, error) {
	columns := []frappe.Column{{Field: w.Key}, {Field: "name"}}
	for _, c := range w.Columns {
		columns = append(columns, frappe.Column{Field: c})
	}
	table, err := s.Upstream.List(ctx, s.Credential, frappe.ListQuery{
		DocType: w.DocType, Columns: columns, Filters: filters, Limit: PageSize,
		OrderBy: []frappe.Order{{Field: w.Key}, {Field: "name"}},
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", w.DocType, err)
	}
	return rowsOf(w.DocType, table)
}

// Newest is the position of the newest row whose time is not after until; the zero
// Position where there is none.
func (s Site) Newest(ctx context.Context, w Walk, until string) (Position, error) {
	table, err := s.Upstream.List(ctx, s.Credential, frappe.ListQuery{
		DocType: w.DocType, Columns: []frappe.Column{{Field: w.Key}, {Field: "name"}}, Limit: 1,
		Filters: append(slices.Clip(w.Filters), frappe.Filter{Field: w.Key, Op: frappe.OpLte, Value: until}),
		OrderBy: []frappe.Order{{Field: w.Key, Desc: true}, {Field: "name", Desc: true}},
	})
	if err != nil {
		return Position{}, fmt.Errorf("list %s: %w", w.DocType, err)
	}
	rows, err := rowsOf(w.DocType, table)
	if err != nil || len(rows) == 0 {
		return Position{}, err
	}
	return rows[0].Position, nil
}

// rowsOf reads rows whose first columns are a time and the name.
func rowsOf(doctype string, table *frappe.Table) ([]Row, error) {
	rows := make([]Row, 0, len(table.Rows))
	for _, cells := range table.Rows {
		stamp, err := Stamp(Text(cells[0]))
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", doctype, err)
		}
		row := Row{Position: Position{Time: stamp, Name: Text(cells[1])}}
		if row.Name == "" {
			return nil, fmt.Errorf("trail: a row of %s without a name", doctype)
		}
		for _, cell := range cells[2:] {
			row.Values = append(row.Values, Text(cell))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Text is a JSON value as text of its own memory: a string's content, "" for NULL and for
// a value that did not come, anything else as it stands (the names of some DocTypes are
// numbers).
func Text(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(text)
	case 'n', jsontext.KindInvalid:
		return ""
	default:
		return string(v)
	}
}
