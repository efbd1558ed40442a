package frappe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"erpgraph/internal/apierror"
)

// request is one call, ready to be sent as often as needed.
type request struct {
	name    string // for observers, errors and logs
	doctype string
	docname string
	fields  []string
	cred    Credential
	guest   bool // may go without a credential
	plain   bool // the answer is passed on as it comes: not to be compressed
	write   bool // changes something: never sent again once it may have arrived
	// declared says that name is a method of the configuration, which the site may lack.
	declared bool

	verb        string
	path        string // escaped, from the base URL
	query       url.Values
	body        []byte
	stream      *uploadBody // instead of body
	contentType string
}

const (
	contentJSON = "application/json"
	contentForm = "application/x-www-form-urlencoded"
)

// decoder reads the body of a success and tells its number of rows.
type decoder func(body []byte) (rows int, err error)

// call sends a request until it succeeds, fails for good, or can't succeed within
// the deadline, and decodes the answer. Errors are *Error, or coded ones of the
// credential's source.
func (c *Client) call(ctx context.Context, r request, decode decoder) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.repeat(ctx, r, func(auth authorization, again bool) *Error {
		return c.try(ctx, r, auth, again, decode)
	})
}

func (r request) checkCredential() error {
	if r.cred.IsZero() && !r.guest {
		return apierror.New(apierror.Unauthenticated, "a credential for ERPNext is needed: sign in, or send a valid token")
	}
	return nil
}

// try makes one HTTP call and tells the observer of it.
func (c *Client) try(ctx context.Context, r request, auth authorization, again bool, decode decoder) *Error {
	return c.tryIn(ctx, c.calls, r, auth, again, decode)
}

// tryIn is try with the places of a limiter.
func (c *Client) tryIn(
	ctx context.Context, places *limiter, r request, auth authorization, again bool, decode decoder,
) *Error {
	if err := places.acquire(ctx, r.cred.Key()); err != nil {
		return r.about(placeError(ctx, err))
	}
	call := Call{Method: r.name, DocType: r.doctype, Fields: r.fields, Retry: again}
	start := time.Now()
	body, e := c.exchange(ctx, r, auth, &call)
	call.Duration = time.Since(start)
	places.release()
	if e == nil {
		rows, err := decode(body)
		call.Rows = rows
		if err != nil {
			e = &Error{Code: apierror.UpstreamUnavailable, Status: call.Status, Err: fmt.Errorf("%w: %w", ErrMalformed, err)}
		}
	}
	if e != nil {
		if r.stream != nil && r.stream.failure() != nil {
			e = &Error{Code: apierror.Internal, Err: r.stream.failure()}
		}
		e = r.about(e)
		e.Uncertain = r.write && e.uncertain() && (r.stream == nil || r.stream.sent())
		call.Code, call.Err = e.Code, e
	}
	observerOf(ctx)(call)
	return e
}

func placeError(ctx context.Context, err error) *Error {
	if errors.Is(err, errQueueFull) {
		return &Error{Code: apierror.RateLimited, RetryAfter: time.Second, Err: err}
	}
	return transportError(ctx, err)
}

// about completes an error with what was asked.
func (r request) about(e *Error) *Error {
	e.Method, e.DocType, e.DocName = r.name, r.doctype, r.docname
	return e
}

// exchange sends the request and reads the whole answer.
func (c *Client) exchange(ctx context.Context, r request, auth authorization, call *Call) ([]byte, *Error) {
	response, e := c.send(ctx, r, auth)
	if e != nil {
		return nil, e
	}
	defer func() { _ = response.Body.Close() }() // it was read; nothing is left to fail
	call.Status = response.StatusCode
	good := response.StatusCode == http.StatusOK
	limit := c.maxBytes
	if !good {
		limit = min(limit, maxErrorBody)
	}
	body, err := readAll(response, limit)
	call.Bytes = int64(len(body))
	switch {
	case !good:
		return nil, failure(r, response, body) // what came of the body is enough
	case errors.Is(err, ErrTooLarge):
		return nil, &Error{Code: apierror.UpstreamUnavailable, Status: response.StatusCode, Err: err}
	case err != nil:
		return nil, transportError(ctx, err)
	case looksLikeHTML(response.Header, body):
		return nil, &Error{
			Code: apierror.UpstreamUnavailable, Status: response.StatusCode,
			Err: fmt.Errorf("%w: it is a web page", ErrMalformed),
		}
	}
	return body, nil
}

// failure is the error of an answer that is not 200: other successes are not those of
// the calls made here.
func failure(r request, response *http.Response, body []byte) *Error {
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		return &Error{Code: apierror.UpstreamUnavailable, Status: response.StatusCode, Err: ErrRedirect}
	}
	return statusError(r, response.StatusCode, response.Header, body, time.Now())
}

// send makes the HTTP request. The caller closes the answer's body.
func (c *Client) send(ctx context.Context, r request, auth authorization) (*http.Response, *Error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.verb, target, body)
	if err != nil {
		return nil, &Error{Code: apierror.Internal, Err: errors.New("the request can't be made")}
	}
	if r.stream != nil {
		if err := r.stream.attach(req); err != nil {
			return nil, &Error{Code: apierror.Internal, Err: err}
		}
	}
	req.Header.Set("Accept", contentJSON)
	req.Header.Set("User-Agent", "erpgraph")
	if !r.write {
		// To net/http this means "may be repeated", and an empty one is not sent: a POST
		// on a kept connection that the site has just closed goes again at once.
		req.Header["Idempotency-Key"] = []string{}
	}
	if r.plain {
		req.Header.Set("Accept-Encoding", "identity") // otherwise net/http asks for gzip
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if auth.header != "" {
		req.Header.Set("Authorization", auth.header)
	}
	response, err := c.http.Do(req)
	if err != nil {
		return nil, transportError(ctx, withoutURL(err))
	}
	return response, nil
}

// withoutURL drops the address that net/http puts into errors: it may hold docnames.
func withoutURL(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err
	}
	return err
}

// readAll reads a body of at most limit bytes; ErrTooLarge when there is more.
// net/http has decompressed it by then, so a small body can't become a large one.
func readAll(response *http.Response, limit int64) ([]byte, error) {
	if response.ContentLength > limit {
		return nil, ErrTooLarge
	}
	var buf bytes.Buffer
	if n := response.ContentLength; n > 0 {
		// ReadFrom wants room beyond the end, to see the end. A length that the body
		// does not keep costs 1 MiB at most.
		buf.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(io.LimitReader(response.Body, limit+1)); err != nil {
		return buf.Bytes(), err
	}
	if int64(buf.Len()) > limit {
		return buf.Bytes()[:limit], ErrTooLarge
	}
	return buf.Bytes(), nil
}

// logFailure writes what only the operator should see. Refusals that are part of
// normal life, such as FORBIDDEN, are told by the log of the operation.
func (c *Client) logFailure(ctx context.Context, e *Error, retries int) {
	outage := e.Code == apierror.UpstreamUnavailable || e.Code == apierror.UpstreamTimeout
	if !outage && e.Status < http.StatusInternalServerError { // a write that crashes ERPNext's code is VALIDATION
		return
	}
	if errors.Is(e, context.Canceled) {
		return
	}
	c.log.LogAttrs(ctx, slog.LevelWarn, "erpnext call failed",
		slog.String("method", e.Method), slog.String("doctype", e.DocType),
		slog.Int("status", e.Status), slog.String("code", string(e.Code)),
		slog.String("exception", e.ExcType), slog.Int("retries", retries),
		slog.String("cause", errorText(e.Err)), slog.String("trace", e.Trace))
}
