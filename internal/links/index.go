package links

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/doctype"
)

// Unindexed gives the links of local types whose column no index begins with: whenever what
// they link to is deleted or renamed, all rows of their table are read, in the transaction
// that logs it. An index of the rows that link at all (where column is not null) will do.
func (k *Keeper) Unindexed(ctx context.Context, pool *pgxpool.Pool) ([]doctype.LocalLink, error) {
	var links []doctype.LocalLink
	var tables, columns []string
	for _, t := range k.registry.Types() {
		for _, l := range k.registry.LinksTo(t.Key) {
			links = append(links, l)
			tables, columns = append(tables, identifier(l.Type.Table)), append(columns, l.Field.Column)
		}
	}
	rows, err := pool.Query(ctx, `select u.place - 1 from unnest($1::text[], $2::text[]) with ordinality u (name, col, place)
		join pg_class t on t.oid = to_regclass(u.name) and t.relkind in ('r', 'p')
		where not exists (
			select from pg_index i
			join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
			join pg_class c on c.oid = i.indexrelid
			join pg_am m on m.oid = c.relam
			where i.indrelid = t.oid and a.attname = u.col and i.indisvalid and m.amname in ('btree', 'hash')
				and i.indcollation[0] = a.attcollation
				and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', u.col)))
		order by u.place`, tables, columns)
	if err != nil {
		return nil, fmt.Errorf("indexes of links: %w", err)
	}
	places, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("indexes of links: %w", err)
	}
	out := make([]doctype.LocalLink, len(places))
	for i, place := range places {
		out[i] = links[place]
	}
	return out, nil
}

// WarnUnindexed puts a line into the log for each link that lacks an index.
func (k *Keeper) WarnUnindexed(ctx context.Context, pool *pgxpool.Pool) error {
	bare, err := k.Unindexed(ctx, pool)
	if err != nil {
		return err
	}
	for _, l := range bare {
		k.logger.WarnContext(ctx, "a link has no index: whatever it leads to, its deletion or new name reads the whole table",
			"type", l.Type.Name, "field", l.Field.Name, "table", l.Type.Table, "column", l.Field.Column, "target", l.Field.Target)
	}
	return nil
}
