package resolvers

import (
	"context"

	"erpgraph/graph"
	"erpgraph/internal/engine"
)

// CompleteServiceVisit is the resolver for the completeServiceVisit field.
func (r *mutationResolver) CompleteServiceVisit(ctx context.Context, id string, report string, invoice bool) (*engine.Result, error) {
	w, err := r.Engine.Writer(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Close(ctx)
	visit, err := completeVisit(ctx, w, completion{ID: engine.RowID(serviceVisit, id), Report: report, Invoice: invoice})
	return r.showVisit(ctx, visit, err)
}

// RetryServiceVisitInvoice is the resolver for the retryServiceVisitInvoice field.
func (r *mutationResolver) RetryServiceVisitInvoice(ctx context.Context, id string) (*engine.Result, error) {
	w, err := r.Engine.Writer(ctx)
	if err != nil {
		return nil, err
	}
	defer w.Close(ctx)
	visit, err := retryInvoice(ctx, w, engine.RowID(serviceVisit, id))
	return r.showVisit(ctx, visit, err)
}

// Mutation returns graph.MutationResolver implementation.
func (r *Resolver) Mutation() graph.MutationResolver { return &mutationResolver{r} }

type mutationResolver struct{ *Resolver }
