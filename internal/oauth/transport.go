package oauth

import (
	"bytes"
	"encoding/json"
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

// listener keeps what one call was answered with success: x/oauth2 drops an answer that
// it can't read, and with it tokens that the site has made.
type listener struct {
	base http.RoundTripper
	body []byte
}

// RoundTrip reads the whole answer.
func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.base.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	l.body, err = io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(l.body))
	return answer, nil
}

// accessToken is the one in the answer, "" where there is none to be seen.
func (l *listener) accessToken() string {
	var of struct {
		Access string `json:"access_token"`
	}
	if json.Unmarshal(l.body, &of) != nil {
		return ""
	}
	return of.Access
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
