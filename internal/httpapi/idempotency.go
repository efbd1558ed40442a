package httpapi

import (
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

const (
	idempotencyHeader = "Idempotency-Key"
	// maxIdempotencyKey bounds a key in bytes; a UUID has 36.
	maxIdempotencyKey = 255
)

type idempotencyKey struct{}

// IdempotencyKey returns the Idempotency-Key header of the request that ctx belongs to:
// 1 to 255 visible ASCII characters, exactly as sent. It is "" where there was none, in
// an operation that is no mutation, and over a WebSocket, whose handshake's header would
// be one key for many operations.
func IdempotencyKey(ctx context.Context) string {
	if graphql.HasOperationContext(ctx) {
		op := graphql.GetOperationContext(ctx).Operation
		if op != nil && op.Operation != ast.Mutation {
			return ""
		}
	}
	key, _ := ctx.Value(idempotencyKey{}).(string)
	return key
}

// withIdempotencyKey takes the header over. One that can't be a key is refused whatever
// the operation is: a client that believes to be protected must not be mistaken. The
// error is a *requestError with status 400.
func withIdempotencyKey(ctx context.Context, h http.Header) (context.Context, error) {
	switch given := h.Values(idempotencyHeader); {
	case len(given) == 0:
		return ctx, nil
	case len(given) > 1:
		return nil, badRequest("the request has %d %s headers; send one", len(given), idempotencyHeader)
	case !isIdempotencyKey(given[0]):
		return nil, badRequest("the header %s is not 1 to %d visible ASCII characters", idempotencyHeader, maxIdempotencyKey)
	default:
		return context.WithValue(ctx, idempotencyKey{}, given[0]), nil
	}
}

func isIdempotencyKey(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxIdempotencyKey
}
