package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"

	"golang.org/x/oauth2"

	"erpgraph/internal/apierror"
)

// What a caller decides by, with errors.Is.
var (
	// ErrRevoked: the site does not know the refresh token (any more): the user or an
	// administrator took the grant back.
	ErrRevoked = errors.New("oauth: the grant was revoked")
	// ErrDenied: the site does not take the code.
	ErrDenied = errors.New("oauth: the code was refused")
	// ErrUntrusted: the id_token is missing, or is not for us or not for this sign-in.
	ErrUntrusted = errors.New("oauth: the id_token can't be trusted")
	// ErrStray: the site gave tokens that can't be used and did not take them back.
	// Their refresh token lives on.
	ErrStray = errors.New("oauth: tokens that nobody has were not revoked")
)

// Public texts.
const (
	unavailable = "ERPNext is not available for sign-in"
	noAnswer    = "ERPNext did not answer in time"
	unknown     = "ERPNext does not know this app; check ERPNEXT_OAUTH_CLIENT_ID"
)

// excMissing is Frappe's class of error for a document that is not there.
const excMissing = "DoesNotExistError"

// Names that answers give to errors, as far as they are repeated: no digits, so that
// what is a token can't be among them.
var (
	errorCode  = regexp.MustCompile(`^[a-z_]{1,40}$`)
	errorClass = regexp.MustCompile(`^[A-Za-z]{1,60}$`)
)

// failure turns x/oauth2's error into ours. refused is what a site's refusal means.
// The original is dropped: it holds the answer's body.
func (c *Client) failure(ctx context.Context, op string, err, refused error) error {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return unanswered(ctx, op, err)
	}
	class := excType(answer.Response, answer.Body)
	cause := fmt.Errorf("oauth: %s: HTTP %d %s", op, answer.Response.StatusCode, firstMatch(answer.ErrorCode, class))
	status := answer.Response.StatusCode
	switch {
	case !isJSON(answer.Response):
		// A proxy's page, whatever its status is.
	case status == http.StatusBadRequest && answer.ErrorCode == "invalid_grant":
		return fmt.Errorf("%w: %w", refused, cause)
	case status == http.StatusNotFound && class == excMissing && (*c.settings).missesClient(answer.Body):
		return apierror.Wrap(apierror.UpstreamUnavailable, cause, unknown)
	case status == http.StatusNotFound && class == excMissing && errors.Is(refused, ErrRevoked):
		return fmt.Errorf("%w: %w", refused, cause)
	case status == http.StatusNotFound && class == excMissing:
		return apierror.Wrap(apierror.UpstreamUnavailable, cause, unknown)
	}
	return apierror.Wrap(apierror.UpstreamUnavailable, cause, unavailable)
}

// missesClient tells whether it is the OAuth Client that a site does not have, which says
// nothing about the grant. Only a site that speaks English tells the two apart.
func (s *settings) missesClient(body []byte) bool {
	return bytes.Contains(body, []byte("OAuth Client "+s.oauth.ClientID+" not found"))
}

// unanswered is a call that got no answer, or one that is none.
func unanswered(ctx context.Context, op string, err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the address
	}
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return apierror.Wrap(apierror.UpstreamTimeout, fmt.Errorf("oauth: %s: %w", op, ctx.Err()), noAnswer)
	case errors.As(err, &timeout) && timeout.Timeout():
		return apierror.Wrap(apierror.UpstreamTimeout, fmt.Errorf("oauth: %s: timeout", op), noAnswer)
	case errors.Is(err, errNotJSON):
		return apierror.Wrap(apierror.UpstreamUnavailable, fmt.Errorf("oauth: %s: %w", op, errNotJSON), unavailable)
	}
	if at, ok := errors.AsType[*net.OpError](err); ok {
		return apierror.Wrap(apierror.UpstreamUnavailable, fmt.Errorf("oauth: %s: %w", op, at), unavailable)
	}
	return malformed(op) // x/oauth2's text may quote the body
}

// excType is Frappe's class of an error, "" where the body does not tell.
func excType(answer *http.Response, body []byte) string {
	var of struct {
		Type string `json:"exc_type"`
	}
	if !isJSON(answer) || json.Unmarshal(body, &of) != nil || !errorClass.MatchString(of.Type) {
		return ""
	}
	return of.Type
}

func firstMatch(code, class string) string {
	if errorCode.MatchString(code) {
		return code
	}
	return class
}

func isJSON(answer *http.Response) bool {
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}
