package httpapi

import (
	"context"
	"net/http"
	"time"

	"erpgraph/internal/auth"
)

// identifyTime bounds how long it may take to find out who calls: a session is looked up
// before the request has a place among the operations.
const identifyTime = 5 * time.Second

// callers decides who a request is from and whether he may come in. It is the same for
// every transport.
type callers struct {
	authenticate func(*http.Request) (auth.Identity, error)
	admission    func(context.Context, auth.Identity) error
	// user names the caller; nil where nobody can.
	user    func(context.Context, auth.Identity) (string, error)
	origins *origins
}

func newCallers(o Options, from *origins) *callers {
	c := &callers{authenticate: o.Authenticate, admission: o.Admit, user: o.User, origins: from}
	if c.authenticate == nil {
		c.authenticate = func(r *http.Request) (auth.Identity, error) { return auth.FromHeader(r.Header) }
	}
	return c
}

// identify finds the caller of a request; where that is a browser's session, check says
// whether a page may have made the browser send it.
func (c *callers) identify(r *http.Request, check func(*http.Request) error) (auth.Identity, error) {
	ctx, cancel := context.WithTimeout(r.Context(), identifyTime)
	defer cancel()
	id, err := c.authenticate(r.WithContext(ctx))
	if err != nil {
		return auth.Identity{}, err
	}
	if id.FromSession() {
		if err := check(r); err != nil {
			return auth.Identity{}, err
		}
	}
	return id, nil
}

// admit refuses callers who may not come in. Nobody is let in here: what he may do is
// decided where it is done.
func (c *callers) admit(ctx context.Context, id auth.Identity) error {
	if c.admission == nil || id.IsZero() {
		return nil
	}
	return c.admission(ctx, id)
}
