package loaders

import (
	"context"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/postgres"
)

// maxStatements bounds the SQL statements of one operation, as MaxCalls does the calls to
// ERPNext. A where can nest hundreds of conditions on rows of other types, each of which
// needs a statement of its own to find out whose rows count.
const maxStatements = 200

// metered is the database, for as many statements as an operation has left.
type metered struct {
	db Local
	s  *Set
}

// statement takes one statement from the operation's budget.
func (s *Set) statement() error {
	if s.statements.Add(1) <= maxStatements {
		return nil
	}
	e := apierror.New(apierror.CostLimit,
		"the operation needs more than %d SQL statements: ask for fewer levels or types at once, or for fewer conditions on rows of other types", maxStatements)
	e.Extensions = map[string]any{"limit": maxStatements}
	return e
}

func (m metered) Rows(ctx context.Context, q postgres.Query) (*postgres.Table, error) {
	if err := m.s.statement(); err != nil {
		return nil, err
	}
	return m.db.Rows(ctx, q)
}

func (m metered) RowsByKeys(ctx context.Context, q postgres.KeysQuery) (*postgres.Table, error) {
	if err := m.s.statement(); err != nil {
		return nil, err
	}
	return m.db.RowsByKeys(ctx, q)
}

func (m metered) RowsByParent(ctx context.Context, q postgres.ReverseQuery) (*postgres.ParentTable, error) {
	if err := m.s.statement(); err != nil {
		return nil, err
	}
	return m.db.RowsByParent(ctx, q)
}

func (m metered) Count(ctx context.Context, q postgres.Query) (int64, error) {
	if err := m.s.statement(); err != nil {
		return 0, err
	}
	return m.db.Count(ctx, q)
}

func (m metered) CountByParent(ctx context.Context, q postgres.ReverseQuery) ([]int64, error) {
	if err := m.s.statement(); err != nil {
		return nil, err
	}
	return m.db.CountByParent(ctx, q)
}

func (m metered) Aggregate(ctx context.Context, q criteria.Aggregate) (*postgres.Table, error) {
	if err := m.s.statement(); err != nil {
		return nil, err
	}
	return m.db.Aggregate(ctx, q)
}

func (m metered) Ends(ctx context.Context, q postgres.EndsQuery) ([]string, error) {
	if err := m.s.statement(); err != nil {
		return nil, err
	}
	return m.db.Ends(ctx, q)
}
