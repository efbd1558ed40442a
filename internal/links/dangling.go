package links

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/doctype"
)

// Dangling is a link of a local row to a document that is gone.
type Dangling struct {
	// Type is the Key of the local type, Row the row's id, and Field the link's name in the
	// graph.
	Type, Row, Field string
	// DocType and Name say what the link leads to.
	DocType, Name string
	// Since is when it was noticed.
	Since time.Time
}

// scanPage is how many marks are looked at in one go.
const scanPage = 500

// Dangling lists dangling links of the local types, given by their Keys, in the order of
// Type, Row and Field: up to limit of them after the place of one that was given before,
// the zero Dangling for the first page. A mark counts only while the row still holds the
// name. It does not ask who may see the rows.
func (k *Keeper) Dangling(ctx context.Context, pool *pgxpool.Pool, types []string, after Dangling, limit int) ([]Dangling, error) {
	var out []Dangling
	for len(out) < limit {
		page, err := marks(ctx, pool, types, after)
		if err != nil {
			return nil, err
		}
		valid, err := k.valid(ctx, pool, page)
		if err != nil {
			return nil, err
		}
		out = append(out, valid...)
		if len(page) < scanPage {
			break
		}
		after = page[len(page)-1]
	}
	return out[:min(limit, len(out))], nil
}

func marks(ctx context.Context, pool *pgxpool.Pool, types []string, after Dangling) ([]Dangling, error) {
	rows, err := pool.Query(ctx, `select type, row_id, field, doctype, name, since from link_dangling
		where type = any($1) and (type, row_id, field) > ($2, $3, $4) order by type, row_id, field limit $5`,
		types, after.Type, after.Row, after.Field, scanPage)
	if err != nil {
		return nil, fmt.Errorf("list dangling links: %w", err)
	}
	page, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Dangling])
	if err != nil {
		return nil, fmt.Errorf("list dangling links: %w", err)
	}
	return page, nil
}

// valid leaves out marks of rows and links that changed since, in one query for each field.
func (k *Keeper) valid(ctx context.Context, pool *pgxpool.Pool, page []Dangling) ([]Dangling, error) {
	type field struct{ typ, name string }
	byField := map[field][]string{}
	for _, d := range page {
		f := field{d.Type, d.Field}
		byField[f] = append(byField[f], d.Row)
	}
	type cell struct {
		field
		row string
	}
	held := map[cell]string{}
	for f, rows := range byField {
		l, ok := k.link(f.typ, f.name)
		if !ok {
			continue // of a field that the schema had before
		}
		n := namesOf(l)
		found, err := pool.Query(ctx, fmt.Sprintf(`select %s::text, %s from %s where %s = any($1) and %s is not null`,
			n.id, n.column, n.table, n.id, n.column), rows)
		if err != nil {
			return nil, fmt.Errorf("rows of %s: %w", f.typ, err)
		}
		var id, name string
		if _, err := pgx.ForEachRow(found, []any{&id, &name}, func() error {
			held[cell{f, id}] = name
			return nil
		}); err != nil {
			return nil, fmt.Errorf("rows of %s: %w", f.typ, err)
		}
	}
	var out []Dangling
	for _, d := range page {
		if held[cell{field{d.Type, d.Field}, d.Row}] == d.Name {
			out = append(out, d)
		}
	}
	return out, nil
}

// link finds a local link to an upstream DocType.
func (k *Keeper) link(typ, field string) (doctype.LocalLink, bool) {
	t := k.registry.ByKey(typ)
	if t == nil || t.Source != doctype.Local {
		return doctype.LocalLink{}, false
	}
	f := t.Field(field)
	if f == nil || f.Kind != doctype.Link {
		return doctype.LocalLink{}, false
	}
	if target := k.registry.ByKey(f.Target); target == nil || target.Source == doctype.Local {
		return doctype.LocalLink{}, false
	}
	return doctype.LocalLink{Type: t, Field: f}, true
}
