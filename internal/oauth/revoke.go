package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"erpgraph/internal/apierror"
)

// Revoke ends an access token and the refresh token that came with it. A token that the
// site does not know is none any more: no error. Errors are UPSTREAM_*.
func (c *Client) Revoke(ctx context.Context, access string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s := *c.settings
	form := url.Values{
		"token": {access}, "token_type_hint": {"access_token"},
		"client_id": {s.oauth.ClientID}, "client_secret": {s.oauth.ClientSecret},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.revokeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("oauth: revoke: the request can't be made")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.http.Do(r)
	if err != nil {
		return unanswered(ctx, "revoke", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read; nothing is left to fail
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return unanswered(ctx, "revoke", err)
	}
	class := excType(answer, body)
	switch {
	case answer.StatusCode == http.StatusOK:
		return nil
	case answer.StatusCode == http.StatusNotFound && class == excMissing && s.missesClient(body):
		return apierror.Wrap(apierror.UpstreamUnavailable, fmt.Errorf("oauth: revoke: HTTP %d %s", answer.StatusCode, class), unknown)
	case answer.StatusCode == http.StatusNotFound && class == excMissing:
		return nil
	}
	return apierror.Wrap(apierror.UpstreamUnavailable, fmt.Errorf("oauth: revoke: HTTP %d %s", answer.StatusCode, class), unavailable)
}
