package auth

import (
	"context"

	"erpgraph/internal/apierror"
)

type identityKey struct{}

// With returns a context that carries the caller's identity.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// FromContext returns the caller's identity, or an UNAUTHENTICATED
// *apierror.Error that tells the caller what to send when there is none.
func FromContext(ctx context.Context) (Identity, error) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	if !ok || id.IsZero() {
		return Identity{}, apierror.New(apierror.Unauthenticated,
			"this needs an ERPNext credential: send the header Authorization: Bearer TOKEN, or Authorization: token KEY:SECRET")
	}
	return id, nil
}
