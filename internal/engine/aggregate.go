package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// maxGroups bounds the groups of one aggregate when first is not given.
const maxGroups = 500

// aggregateTask reads the figures of groups of rows.
type aggregateTask struct {
	rootField
	typ    *doctype.Type
	query  criteria.Aggregate
	err    error
	fields []*aggregateField
	rows   []*loaders.Row
	done   bool
	// open: the client named no first, so all groups are meant.
	open bool
	keys map[*aggregateField][]*object
}

// aggregateField is a selected field of a group: keys, count, sum, avg, min, max.
type aggregateField struct {
	graphql.CollectedField
	keys    *selection
	figures []*figureField
}

// figureField is one figure, such as sum { grandTotal }.
type figureField struct {
	graphql.CollectedField
	def *doctype.Field
	as  string
}

func (x *execution) aggregate(t *doctype.Type, f graphql.CollectedField) (task, error) {
	a := &aggregateTask{rootField: rootField{x, f}, typ: t, keys: map[*aggregateField][]*object{}}
	a.open = f.Arguments.ForName("first") == nil
	a.query.Type = t
	if err := a.selectFields(); err != nil {
		return nil, err
	}
	a.err = a.arguments(argumentsOf(f, x.op.Variables))
	return a, nil
}

func (a *aggregateTask) selectFields() error {
	x := a.x
	for _, cf := range graphql.CollectFields(x.op, a.f.Selections, []string{a.typ.Name + "Aggregate"}) {
		out := &aggregateField{CollectedField: cf}
		a.fields = append(a.fields, out)
		switch cf.Name {
		case "keys":
			sel, err := x.comp.object(a.typ, a.typ.Name+"AggregateKeys", cf)
			if err != nil {
				return err
			}
			out.keys = sel
		case "count":
			a.figure(criteria.Count, nil)
		case "sum", "avg", "min", "max":
			for _, ff := range graphql.CollectFields(x.op, cf.Selections, []string{figureType(a.typ, cf.Name)}) {
				fig := &figureField{CollectedField: ff, def: a.typ.Field(ff.Name)}
				out.figures = append(out.figures, fig)
				if fig.def != nil {
					fig.as = a.figure(criteria.Func(cf.Name), fig.def)
				}
			}
		}
	}
	return nil
}

func figureType(t *doctype.Type, name string) string {
	switch name {
	case "sum":
		return t.Name + "AggregateSum"
	case "avg":
		return t.Name + "AggregateAverage"
	default:
		return t.Name + "AggregateExtremes"
	}
}

// figure asks for a figure and gives its alias.
func (a *aggregateTask) figure(fn criteria.Func, f *doctype.Field) string {
	as := "figure_" + string(fn)
	if f != nil {
		as += "_" + f.Column
	}
	for _, have := range a.query.Figures {
		if have.As == as {
			return as
		}
	}
	a.query.Figures = append(a.query.Figures, criteria.Figure{Func: fn, Field: f, As: as})
	return as
}

func (a *aggregateTask) arguments(args arguments) (err error) {
	if a.query.Where, err = a.x.engine.whereArgument(a.typ, args["where"]); err != nil {
		return err
	}
	for i, v := range args.list("groupBy") {
		name, _ := v.(string)
		f := fieldByEnum(a.typ, name)
		if f == nil {
			return badInput(fmt.Sprintf("groupBy.%d", i), "%s can't be grouped by %q", a.typ.Name, name)
		}
		a.query.GroupBy = append(a.query.GroupBy, f)
	}
	for i, v := range args.list("orderBy") {
		if err := a.orderBy(fmt.Sprintf("orderBy.%d", i), v); err != nil {
			return err
		}
	}
	a.query.Limit = maxGroups
	n, ok, err := args.int("first")
	if err != nil {
		return err
	}
	if ok {
		a.query.Limit = n
	}
	if a.query.Limit < 1 || a.query.Limit > maxGroups {
		return badInput("first", "must be between 1 and %d", maxGroups)
	}
	if len(a.query.Figures) == 0 {
		a.figure(criteria.Count, nil) // a query of keys alone still groups
	}
	return nil
}

// orderBy reads { by: SUM, field: GRAND_TOTAL, direction: DESC }.
func (a *aggregateTask) orderBy(path string, v any) error {
	object, _ := v.(map[string]any)
	by, _ := object["by"].(string)
	desc, err := descending(path, object)
	if err != nil {
		return err
	}
	order := criteria.AggregateOrder{Desc: desc}
	name, _ := object["field"].(string)
	f := fieldByEnum(a.typ, name)
	switch {
	case by == "COUNT":
		order.As = a.figure(criteria.Count, nil)
	case f == nil:
		return badInput(path+".field", "must name a field to order by")
	case by == "KEY":
		for _, key := range a.query.GroupBy {
			if key == f {
				order.Key = f
			}
		}
		if order.Key == nil {
			return badInput(path+".field", "%s is not in groupBy", name)
		}
	case !isNumeric(f) && (by == "SUM" || by == "AVG"):
		return badInput(path+".field", "%s is not a number", name)
	default:
		order.As = a.figure(criteria.Func(strings.ToLower(by)), f)
	}
	a.query.Order = append(a.query.Order, order)
	return nil
}

func isNumeric(f *doctype.Field) bool {
	switch f.Kind {
	case doctype.Int, doctype.Float, doctype.Decimal, doctype.Duration, doctype.Rating:
		return true
	default:
		return false
	}
}

// uses are the fields whose values the figures, keys and filters show.
func (a *aggregateTask) uses() []loaders.Use {
	out := usesOf(a.typ, a.query.Where, nil)
	for _, f := range a.query.GroupBy {
		out = append(out, loaders.Use{Type: a.typ, Field: f})
	}
	for _, fig := range a.query.Figures {
		if fig.Field != nil {
			out = append(out, loaders.Use{Type: a.typ, Field: fig.Field})
		}
	}
	return out
}

func (a *aggregateTask) start() {
	if a.err != nil {
		a.x.fail(a.err, a.at())
		return
	}
	var err error
	a.x.next.others = append(a.x.next.others, call{
		local: a.typ.Source == doctype.Local,
		late:  loaders.Guarded(a.typ, a.query.Where),
		run: func(ctx context.Context) {
			if err = a.x.set.CheckReadable(ctx, a.uses()); err == nil {
				a.rows, err = a.read(ctx)
			}
		},
		deliver: func() {
			if err != nil {
				a.x.fail(err, a.at())
				return
			}
			a.done = true
			for _, f := range a.fields {
				if f.keys == nil {
					continue
				}
				for i, row := range a.rows {
					at := place{field: a.f.Field, index: i, leaf: f.Alias}
					a.keys[f] = append(a.keys[f], a.x.object(row, f.keys, at))
				}
			}
		},
	})
}

// read asks for one group more than allowed, so that none is left out unsaid.
func (a *aggregateTask) read(ctx context.Context) ([]*loaders.Row, error) {
	q := a.query
	q.Limit++
	rows, err := a.x.set.Aggregate(ctx, q)
	if len(rows) <= a.query.Limit {
		return rows, err
	}
	if a.open {
		return nil, badInput("first", "there are more than %d groups: narrow where, or say by orderBy and first which groups you want", maxGroups)
	}
	return rows[:a.query.Limit], nil
}

func (a *aggregateTask) plan(p *plan) {
	p.add(0, a.typ, nil, "aggregate "+a.f.Alias)
	for _, f := range a.fields {
		if f.keys != nil {
			p.selection(1, f.keys)
		}
	}
}

func (a *aggregateTask) write(w *writer) *Result {
	if !a.done {
		return nil
	}
	w.b = append(w.b, '[')
	for i, row := range a.rows {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if !a.group(w, i, row) {
			return nil
		}
	}
	w.b = append(w.b, ']')
	return a.finish(w, true)
}

func (a *aggregateTask) group(w *writer, i int, row *loaders.Row) bool {
	w.b = append(w.b, '{')
	first := true
	for _, f := range a.fields {
		w.key(&first, f.Alias)
		switch f.Name {
		case "__typename":
			w.b = appendQuoted(w.b, a.typ.Name+"Aggregate")
		case "keys":
			if !w.object(a.keys[f][i]) {
				return false
			}
		case "count":
			a.figureValue(w, i, f, &doctype.Field{Name: "count", Kind: doctype.Int}, row, "figure_count")
		default:
			a.figures(w, i, f, row)
		}
	}
	w.b = append(w.b, '}')
	return true
}

func (a *aggregateTask) figures(w *writer, i int, f *aggregateField, row *loaders.Row) {
	w.b = append(w.b, '{')
	first := true
	for _, fig := range f.figures {
		w.key(&first, fig.Alias)
		if fig.def == nil {
			w.b = appendQuoted(w.b, figureType(a.typ, f.Name))
			continue
		}
		def := fig.def
		if f.Name == "avg" && (def.Kind == doctype.Int || def.Kind == doctype.Duration) {
			def = &doctype.Field{Name: def.Name, Kind: doctype.Float}
		}
		a.figureValue(w, i, f, def, row, fig.as)
	}
	w.b = append(w.b, '}')
}

func (a *aggregateTask) figureValue(w *writer, i int, f *aggregateField, def *doctype.Field, row *loaders.Row, as string) {
	var err error
	if w.b, err = a.x.engine.appendScalar(w.b, def, a.typ.Source == doctype.Local, row.Raw(as), w.x.location); err != nil {
		a.x.fail(err, place{field: a.f.Field, index: i, leaf: f.Alias})
	}
}
