package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// readTime bounds how long a body may take to arrive.
const readTime = 15 * time.Second

// statusClientClosed is what the log shows for a client that left: nginx's 499.
const statusClientClosed = 499

// transport serves GraphQL over HTTP: one operation for each POST or GET.
type transport struct {
	*live

	// uploads are the places of requests that carry files, which go to uploadDir.
	uploads   *slots
	uploadDir string
}

// varyGraphQL names the request headers that an answer depends on.
const varyGraphQL = "Accept, Authorization, Cookie, Origin"

// ServeHTTP answers one operation and writes its log line.
func (t *transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, log := withOperationLog(r.Context())
	status := http.StatusInternalServerError // of a panic, which the router answers
	defer func() { log.write(ctx, t.exec.presenter.log, status) }()

	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", varyGraphQL)
	mediaType, acceptable := negotiate(r.Header.Values("Accept"))
	if !acceptable {
		mediaType = plainJSON
	}
	result, err := t.serve(ctx, w, r, acceptable)
	if err != nil {
		result, status = t.refusal(ctx, w, err)
	} else {
		status = result.status(mediaType)
	}
	noteErrors(ctx, result.errors)
	body, err := result.encode()
	if err != nil {
		panic(err) // an extension that is no JSON: a bug, answered as any panic
	}
	writeBody(w, status, mediaType, body)
	if errors.Is(r.Context().Err(), context.Canceled) {
		status = statusClientClosed
	}
}

// serve runs the request; an error is answered by refusal.
func (t *transport) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, acceptable bool) (*answer, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return nil, notAllowed("GET, POST", "the method is not served here; send GET or POST")
	}
	if !acceptable {
		return nil, &requestError{status: http.StatusNotAcceptable, err: apierror.New(apierror.BadUserInput,
			"the Accept header allows neither %s nor %s in utf-8", graphqlJSON, plainJSON)}
	}
	id, err := t.callers.identify(r, t.callers.origins.checkForgery)
	if err != nil {
		return nil, err
	}
	noteUser(ctx, id)
	ctx = auth.With(ctx, id)
	ctx = context.WithValue(ctx, traceKey{}, asksForTrace(r))
	if ctx, err = withIdempotencyKey(ctx, r.Header); err != nil {
		return nil, err
	}
	if isMultipart(r) {
		return t.serveUpload(ctx, w, r, id)
	}
	params, err := t.read(w, r)
	if err != nil {
		return nil, err
	}
	return t.run(ctx, r, id, params, t.limits.Time)
}

// run executes the operation once there is a slot for it, within the time given.
func (t *transport) run(ctx context.Context, r *http.Request, id auth.Identity, params *graphql.RawParams, limit time.Duration) (*answer, error) {
	release, err := t.slots.take(ctx, id.Key())
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := t.callers.admit(ctx, id); err != nil {
		return nil, err
	}
	return t.execute(context.WithValue(ctx, readOnlyKey{}, r.Method == http.MethodGet), params)
}

// read takes the parameters, from a client that may be slow but not for ever.
func (t *transport) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, error) {
	started := graphql.Now()
	control := http.NewResponseController(w)
	// Not every writer has deadlines; those that have none are tests.
	_ = control.SetReadDeadline(time.Now().Add(readTime))
	var params *graphql.RawParams
	var err error
	if r.Method == http.MethodGet {
		params, err = readGET(r.URL.RawQuery)
	} else {
		params, err = readPOST(w, r, t.limits.BodyBytes)
	}
	if err != nil {
		return nil, err
	}
	_ = control.SetReadDeadline(time.Time{})
	params.ReadTime = graphql.TraceTiming{Start: started, End: graphql.Now()}
	return params, nil
}

func (t *transport) execute(ctx context.Context, params *graphql.RawParams) (*answer, error) {
	ctx = graphql.StartOperationTrace(ctx)
	op, errs := t.exec.CreateOperationContext(ctx, params)
	if len(errs) > 0 {
		if refused, ok := errors.AsType[*requestError](errs[0]); ok {
			return nil, refused
		}
		return &answer{errors: errs}, nil
	}
	if op.Operation.Operation == ast.Subscription {
		return nil, &requestError{status: http.StatusBadRequest, err: apierror.New(apierror.BadUserInput,
			"a subscription needs a stream; open a WebSocket here, subprotocol %s, or accept %s", subprotocol, eventStreamType)}
	}
	responses, ctx := t.exec.DispatchOperation(ctx, op)
	response := responses(ctx)
	if response == nil {
		err := ctx.Err()
		if err == nil {
			err = errors.New("the executor gave no response")
		}
		return &answer{errors: gqlerror.List{t.exec.presenter.present(ctx, err)}}, nil
	}
	out := &answer{errors: response.Errors, data: response.Data, extensions: response.Extensions}
	if out.data == nil {
		out.data = json.RawMessage("null") // executed, so there is a data member
	}
	return out, nil
}

func notAllowed(allow, message string) *requestError {
	return &requestError{
		status: http.StatusMethodNotAllowed, allow: allow,
		err: apierror.New(apierror.BadUserInput, "%s", message),
	}
}

// refusal is the answer to a request that was not executed for a reason outside
// of GraphQL.
func (t *transport) refusal(ctx context.Context, w http.ResponseWriter, err error) (*answer, int) {
	var status int
	refused, ok := errors.AsType[*requestError](err)
	switch {
	case ok:
		status = refused.status
		if refused.allow != "" {
			w.Header().Set("Allow", refused.allow)
		}
		switch status {
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "1")
		case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
			w.Header().Set("Connection", "close") // rather than read the rest
		}
	case ctx.Err() != nil:
		status = http.StatusServiceUnavailable
	case errors.Is(err, errSeat):
		status = apierror.CodeOf(err).HTTPStatus()
		w.Header().Set("Retry-After", "1")
	default:
		status = apierror.CodeOf(err).HTTPStatus()
	}
	return &answer{errors: gqlerror.List{t.exec.presenter.present(ctx, err)}}, status
}
