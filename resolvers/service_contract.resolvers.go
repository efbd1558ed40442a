package resolvers

import (
	"context"
	"time"

	"erpgraph/graph"
	"erpgraph/internal/engine"
	"erpgraph/loaders"
)

// DaysLeft is the resolver for the daysLeft field.
func (r *serviceContractResolver) DaysLeft(ctx context.Context, obj *loaders.Row) (*int, error) {
	end, ok, err := obj.Date("endDate")
	if err != nil || !ok {
		return nil, err
	}
	year, month, day := r.Now().Date()
	days := int(end.Sub(time.Date(year, month, day, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour))
	return &days, nil
}

// Territory is the resolver for the territory field.
func (r *serviceContractResolver) Territory(ctx context.Context, obj *loaders.Row) (*engine.Ref, error) {
	name, err := obj.String("customer")
	if err != nil {
		return nil, err
	}
	set, err := loaders.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	// The lookups of all contracts of a level are one call; so is the engine's read of
	// the territories that they come to.
	customer, err := set.Lookup(ctx, "Customer", name, "territory")
	if err != nil {
		return nil, err
	}
	territory, err := customer.String("territory")
	if err != nil || territory == "" {
		return nil, err
	}
	return &engine.Ref{Type: "Territory", Name: territory}, nil
}

// ServiceContract returns graph.ServiceContractResolver implementation.
func (r *Resolver) ServiceContract() graph.ServiceContractResolver {
	return &serviceContractResolver{r}
}

type serviceContractResolver struct{ *Resolver }
