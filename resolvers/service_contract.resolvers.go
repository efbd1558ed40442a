package resolvers

import (
	"context"
	"time"

	"erpgraph/graph"
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

// ServiceContract returns graph.ServiceContractResolver implementation.
func (r *Resolver) ServiceContract() graph.ServiceContractResolver {
	return &serviceContractResolver{r}
}

type serviceContractResolver struct{ *Resolver }
