package resolvers

import (
	"context"

	"erpgraph/internal/write"
)

// CompleteVisit is the body of completeServiceVisit.
func CompleteVisit(ctx context.Context, w *write.Writer, id, report string, invoice bool) (*write.Result, error) {
	return completeVisit(ctx, w, completion{ID: id, Report: report, Invoice: invoice})
}
