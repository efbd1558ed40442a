package frappe

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Config is how to reach a site. The zero value of each field but BaseURL means its
// default.
type Config struct {
	// BaseURL is the site, "https://erp.example.com"; a path is allowed, for a site
	// behind a proxy that strips it.
	BaseURL string
	// HTTPClient gives the Transport; its cookie jar, redirect policy and timeout are
	// not used. Default: a pool of connections that fits MaxConcurrent.
	HTTPClient *http.Client
	// MaxConcurrent bounds the calls in flight. Default 8: a small site serves 50 to
	// 80 reads a second with 4 workers, so more only queue there instead of here.
	// File downloads have as many places of their own.
	MaxConcurrent int
	// MaxQueued bounds the calls that wait for a place, for each credential; calls
	// beyond fail as RATE_LIMITED. Default 1024.
	MaxQueued int
	// MaxResponseBytes bounds an answer, after decompression. Default 64 MiB.
	MaxResponseBytes int64
	// Timeout bounds a call of this package as a whole: waiting for a place, retries
	// and reading the answer. For a file it ends with the headers. Default 30 s.
	Timeout time.Duration
	// Retries is how often a read is tried again. Default 2; negative means never.
	Retries int
	// Logger gets failures of the site with Frappe's traceback. Default slog.Default.
	Logger *slog.Logger
}

// Client calls one Frappe site. It is safe for concurrent use.
type Client struct {
	base     string // without a slash at the end
	http     *http.Client
	calls    *limiter
	files    *limiter
	maxBytes int64
	timeout  time.Duration
	retries  int
	log      *slog.Logger
	dialect  atomic.Int32
}

// New makes a Client for a site of Frappe 15; [Client.SetVersion] tells it otherwise.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	places := cmp.Or(max(cfg.MaxConcurrent, 0), 8)
	queued := cmp.Or(max(cfg.MaxQueued, 0), 1024)
	c := &Client{
		base:     base,
		http:     httpClient(cfg.HTTPClient, places),
		calls:    newLimiter(places, queued),
		files:    newLimiter(places, queued),
		maxBytes: cmp.Or(max(cfg.MaxResponseBytes, 0), 64<<20),
		timeout:  cmp.Or(max(cfg.Timeout, 0), 30*time.Second),
		retries:  max(cmp.Or(cfg.Retries, 2), 0),
		log:      cmp.Or(cfg.Logger, slog.Default()),
	}
	c.dialect.Store(int32(dialect15))
	return c, nil
}

// parseBase checks the site's address. User and password in it would be a second,
// silent credential.
func parseBase(raw string) (string, error) {
	base, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("frappe: the base URL can't be read") // err quotes it, and it may hold a password
	}
	switch {
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return "", fmt.Errorf("frappe: the base URL must begin with http:// or https:// and name a host: %s", base.Redacted())
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return "", fmt.Errorf("frappe: the base URL can't have a user, a query or a fragment: %s", base.Redacted())
	}
	return strings.TrimRight(base.String(), "/"), nil
}

// httpClient keeps of the given client only its Transport. Redirects are answers: a
// credential goes to the configured site only. No Timeout either: a context bounds
// every call, and a download may take its time.
func httpClient(given *http.Client, places int) *http.Client {
	c := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if given != nil && given.Transport != nil {
		c.Transport = given.Transport
		return c
	}
	c.Transport = &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConns:           2 * places, // one site: calls and files
		MaxIdleConnsPerHost:    2 * places,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
	return c
}

// Close ends idle connections. Calls in flight end with their contexts.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// SetVersion chooses how requests are written, by the version of Frappe that
// [Client.Versions] tells. It may be called at any time, also while calls are made.
func (c *Client) SetVersion(v Versions) { c.dialect.Store(int32(dialectOf(v.Frappe))) }
