package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// querier is what a read needs of a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Rows reads the rows of one list in one statement.
//
// Errors are coded: BAD_USER_INPUT for a value that a column can't hold or a cursor of
// another list, UPSTREAM_UNAVAILABLE, UPSTREAM_TIMEOUT.
func (db *DB) Rows(ctx context.Context, q Query) (*Table, error) {
	b := db.builder(ctx)
	fields, err := b.rowsStatement(q)
	if err != nil {
		return nil, convert(err, nil)
	}
	rows, _, err := db.read(ctx, "rows", q.Type, b, false)
	if err != nil {
		return nil, err
	}
	if q.Backward {
		slices.Reverse(rows)
	}
	return &Table{Columns: columnNames(fields, q.End), Rows: rows}, nil
}

// RowsByParent reads the rows of all parents in one statement. A parent that is given
// twice has its rows under its first place. It knows no End. Errors as Rows.
func (db *DB) RowsByParent(ctx context.Context, q ReverseQuery) (*ParentTable, error) {
	b := db.builder(ctx)
	parents, place := distinct(q.Parents)
	q.Parents = parents
	fields, err := b.rowsByParentStatement(q)
	if err != nil {
		return nil, convert(err, nil)
	}
	out := &ParentTable{Table: Table{Columns: columnNames(fields, nil)}}
	if len(parents) == 0 {
		return out, nil
	}
	rows, ordinals, err := db.read(ctx, "rowsByParent", q.Type, b, true)
	if err != nil {
		return nil, err
	}
	out.Rows, out.Parent = rows, make([]int, len(rows))
	for i, n := range ordinals {
		out.Parent[i] = place[n-1]
	}
	return out, nil
}

// KeysQuery asks for the rows that hold one of Keys in KeyField.
type KeysQuery struct {
	Type    *doctype.Type
	Columns []*doctype.Field
	// KeyField is the field to look in; nil is the id.
	KeyField *doctype.Field
	Keys     []string
	// Where narrows the rows further.
	Where *criteria.Expr
	// End is that of Query.
	End []doctype.Hop
}

// RowsByKeys reads rows by their keys in one statement, in the order of their ids. A key
// that no row has, or that the column can't hold ("x" for a uuid), has no row in the
// answer. Errors as Rows.
func (db *DB) RowsByKeys(ctx context.Context, q KeysQuery) (*Table, error) {
	b := db.builder(ctx)
	q.Keys, _ = distinct(q.Keys)
	fields, err := b.rowsByKeysStatement(q)
	if err != nil {
		return nil, convert(err, nil)
	}
	out := &Table{Columns: columnNames(fields, q.End)}
	if len(q.Keys) == 0 {
		return out, nil
	}
	out.Rows, _, err = db.read(ctx, "rowsByKeys", q.Type, b, false)
	return out, err
}

// Count counts the rows that q.Where matches; order, cut and limit don't matter. Errors
// as Rows.
func (db *DB) Count(ctx context.Context, q Query) (int64, error) {
	b := db.builder(ctx)
	if err := b.countStatement(q); err != nil {
		return 0, convert(err, nil)
	}
	rows, _, err := db.read(ctx, "count", q.Type, b, false)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(rows[0][0]), 10, 64)
}

// CountByParent counts each parent's rows in one statement; the answer stands in the
// order of q.Parents. Errors as Rows.
func (db *DB) CountByParent(ctx context.Context, q ReverseQuery) ([]int64, error) {
	out := make([]int64, len(q.Parents))
	if len(q.Parents) == 0 {
		return out, nil
	}
	b := db.builder(ctx)
	all := q.Parents
	var place []int
	q.Parents, place = distinct(all)
	if err := b.countByParentStatement(q); err != nil {
		return nil, convert(err, nil)
	}
	rows, ordinals, err := db.read(ctx, "countByParent", q.Type, b, true)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int64, len(rows))
	for i, n := range ordinals {
		if counts[all[place[n-1]]], err = strconv.ParseInt(string(rows[i][0]), 10, 64); err != nil {
			return nil, fmt.Errorf("postgres: count: %w", err)
		}
	}
	for i, parent := range all {
		out[i] = counts[parent]
	}
	return out, nil
}

// Aggregate computes figures of groups in one statement. Errors as Rows.
func (db *DB) Aggregate(ctx context.Context, q criteria.Aggregate) (*Table, error) {
	b := db.builder(ctx)
	names, err := b.aggregateStatement(q)
	if err != nil {
		return nil, convert(err, nil)
	}
	rows, _, err := db.read(ctx, "aggregate", q.Type, b, false)
	if err != nil {
		return nil, err
	}
	return &Table{Columns: names, Rows: rows}, nil
}

// builder makes a builder that knows the database's tables.
func (db *DB) builder(ctx context.Context) *builder {
	return &builder{columns: func(t *doctype.Type) (map[string]column, error) {
		return db.catalog.table(ctx, db.pool, t)
	}}
}

// maxPrepared is the longest text of a statement that stays prepared on its connection.
// Longer ones are a client's own conditions, hardly ever asked twice, and Postgres would
// keep the plan of each.
const maxPrepared = 4 << 10

// execMode is how a statement is sent. Postgres plans a statement that stays prepared once
// for all values after some runs, and then compares row by row with the names of "any"
// (or "all"): what these hold is looked at only when they are planned anew, as CacheDescribe
// makes it.
func execMode(sql string) pgx.QueryExecMode {
	switch {
	case len(sql) > maxPrepared:
		return pgx.QueryExecModeDescribeExec
	case strings.Contains(sql, " any("), strings.Contains(sql, " all("):
		return pgx.QueryExecModeCacheDescribe
	default:
		return pgx.QueryExecModeCacheStatement
	}
}

// read runs a statement and turns its rows into JSON; with ordinal the first column is
// a number apart.
func (db *DB) read(ctx context.Context, name string, t *doctype.Type, b *builder, ordinal bool) (rows [][]jsontext.Value, ordinals []int, err error) {
	start := time.Now()
	defer func() {
		observed(ctx, Statement{Name: name, Type: t.Key, Rows: len(rows), Duration: time.Since(start), Err: err})
	}()
	sql := b.sql.String()
	args := append([]any{execMode(sql), pgx.QueryResultFormats{pgx.TextFormatCode}}, b.args...)
	found, err := db.pool.Query(ctx, sql, args...)
	if err == nil {
		rows, ordinals, err = collect(found, ordinal)
	}
	if err != nil {
		return nil, nil, convert(fmt.Errorf("%s of %s: %w", name, t.Key, err), b.paths)
	}
	return rows, ordinals, nil
}

func collect(found pgx.Rows, ordinal bool) (rows [][]jsontext.Value, ordinals []int, err error) {
	defer found.Close()
	formats := formatsOf(found.FieldDescriptions())
	var a arena
	for found.Next() {
		raw, formats := found.RawValues(), formats
		if ordinal {
			n, err := strconv.Atoi(string(raw[0]))
			if err != nil {
				return nil, nil, fmt.Errorf("parent number: %w", err)
			}
			ordinals, raw, formats = append(ordinals, n), raw[1:], formats[1:]
		}
		row := a.row(len(raw))
		for i := range raw {
			if row[i], err = a.value(formats[i], raw[i]); err != nil {
				return nil, nil, fmt.Errorf("column %d: %w", i+1, err)
			}
		}
		rows = append(rows, row)
	}
	return rows, ordinals, found.Err()
}

// distinct gives each text once, with the index at which it first stood.
func distinct(texts []string) (out []string, place []int) {
	seen := make(map[string]bool, len(texts))
	for i, s := range texts {
		if !seen[s] {
			seen[s] = true
			out, place = append(out, s), append(place, i)
		}
	}
	return out, place
}
