package frappe

import (
	"context"
	"fmt"

	"erpgraph/internal/apierror"
)

// TokenSource gives the access token of a credential whose token changes while it
// lives: that of a browser's session, which is renewed at ERPNext now and then. It must
// be safe for use by several goroutines, and return when ctx ends.
//
// Errors that are coded (apierror) are what the call fails with; others count as
// UPSTREAM_UNAVAILABLE. Both are logged: they must not quote a token.
type TokenSource interface {
	// Token is the token to send now. It is asked once for each call.
	Token(ctx context.Context) (string, error)
	// Renew is asked once for each call that ERPNext refused with 401 although the
	// token was thought good, so by many calls at a time for the same token. It gives
	// the token that replaces refused, or an UNAUTHENTICATED error when there is none.
	Renew(ctx context.Context, refused string) (string, error)
}

// Renewable is a credential of a bearer token that source gives. id tells it from all
// others and stays the same while its tokens change; it is hashed into [Credential.Key].
// Without an id or a source it is the zero Credential.
func Renewable(id string, source TokenSource) Credential {
	if id == "" || source == nil {
		return Credential{} // one key for all of those would mix up their owners
	}
	return Credential{secret: &secret{source: &source, key: keyOf("renewable credential", id)}}
}

// authorization is the header of a call, and the token in it where that can be renewed.
type authorization struct {
	header string
	token  string
}

// authorize gives the header to send. It is the only way to the secret.
func (c Credential) authorize(ctx context.Context) (authorization, error) {
	switch {
	case c.secret == nil:
		return authorization{}, nil
	case c.secret.source == nil:
		return authorization{header: *c.secret.header}, nil
	}
	token, err := (*c.secret.source).Token(ctx)
	if err != nil {
		return authorization{}, fmt.Errorf("the session's token: %w", err)
	}
	return bearer(token)
}

// renew gives the header that replaces one that was refused, of a renewable credential.
func (c Credential) renew(ctx context.Context, refused authorization) (authorization, error) {
	token, err := (*c.secret.source).Renew(ctx, refused.token)
	if err != nil {
		return authorization{}, fmt.Errorf("renew the session's token: %w", err)
	}
	return bearer(token)
}

// bearer is strict for the same reason as [ParseAuthorization]: what is not one word
// runs as Guest.
func bearer(token string) (authorization, error) {
	if token == "" || len(token) > maxAuthorization || !visibleASCII(token) {
		return authorization{}, apierror.New(apierror.Unauthenticated, "the session has no usable token: sign in again")
	}
	return authorization{header: "Bearer " + token, token: token}, nil
}
