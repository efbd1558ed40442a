package oauth

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// maxAnswer bounds an answer in bytes; one with an id_token has about 2 kB.
const maxAnswer = 64 << 10

// errNotJSON says that something else than Frappe answered.
var errNotJSON = errors.New("the answer is not JSON")

// httpClient keeps of the given client only its Transport. Redirects are answers, as
// forms with secrets go to the configured site only.
func httpClient(given *http.Client) *http.Client {
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if given != nil && given.Transport != nil {
		c.Transport = &transport{base: given.Transport}
		return c
	}
	c.Transport = &transport{base: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}}
	return c
}

// transport makes x/oauth2's requests what Frappe needs, and its answers small JSON.
type transport struct{ base http.RoundTripper }

// RoundTrip asks for JSON: otherwise Frappe describes errors in 300 kB of HTML.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "erpgraph")
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 && !isJSON(answer) {
		// x/oauth2 reads text as a form.
		return nil, errors.Join(errNotJSON, answer.Body.Close())
	}
	answer.Body = limited{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}

type limited struct {
	io.Reader
	io.Closer
}

// CloseIdleConnections is what http.Client.CloseIdleConnections asks for.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Close ends idle connections. Calls in flight end with their contexts.
func (c *Client) Close() { c.http.CloseIdleConnections() }
