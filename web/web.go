// Package web serves erpgraph's start page: GraphiQL, bundled and embedded.
//
// The page is self-contained. Scripts, styles, fonts and the editor's workers
// are files of this binary, and a Content-Security-Policy keeps the browser from
// loading anything else or talking to another host. The page takes its settings
// from playground/config.json, because the policy allows no inline script.
//
// The bundle under dist is built from src with npm run build (README.md) and
// committed, so that Go alone builds erpgraph.
package web

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

//go:embed all:dist
var bundle embed.FS

// Paths that Handler answers, relative to where it is mounted. All but the page
// itself lie below PathPrefix, so a router needs just two routes.
const (
	PathPage   = "/"
	PathPrefix = "/playground/"
	PathConfig = PathPrefix + "config.json"
)

// Options are the page's settings. All of them are sent, as JSON, to whoever opens
// the page (src/config.ts reads them): give it no secret.
type Options struct {
	// Title is the product's name in the window title and the start strip.
	// Default "erpgraph".
	Title string `json:"title"`
	// Endpoint is the path that answers queries. Default "/graphql". It must be
	// a path of this host: the page's policy refuses any other.
	Endpoint string `json:"endpoint"`
	// SubscriptionEndpoint is the path that speaks graphql-transport-ws.
	// Default: Endpoint.
	SubscriptionEndpoint string `json:"subscriptionEndpoint"`
	// DocsURL is where the strip's Docs link leads: a path, or an http(s) URL.
	// Empty: no link. It is opened only by a click.
	DocsURL string `json:"docsURL,omitempty"`
	// DefaultQuery is the text of a new tab.
	DefaultQuery string `json:"defaultQuery,omitempty"`
	// Examples are the texts of further tabs beside the first one, for who opens the page
	// for the first time.
	Examples []string `json:"examples,omitempty"`
	// DefaultHeaders are the request headers of a new tab. Outside a demo they
	// must not hold a credential.
	DefaultHeaders map[string]string `json:"defaultHeaders,omitempty"`
	// Users are offered in the strip; a click sets the Authorization header. For
	// a demo with made-up users only: their credentials are public. Default none.
	Users []User `json:"users,omitempty"`
	// SignIn offers "Log in with ERPNext". This host must then answer GET
	// /auth/login?return_to=<path>, GET /auth/session (who is signed in, as JSON)
	// and POST /auth/logout; and a request to Endpoint without an Authorization
	// header carries the session's cookie. Default false: no cookie is ever sent.
	SignIn bool `json:"signIn,omitempty"`
}

// User is a demo user whom the strip offers.
type User struct {
	// Name is the button's text.
	Name string `json:"name"`
	// Description says in a few words what this user may see.
	Description string `json:"description,omitempty"`
	// Authorization is the header's value as it stands: "token key:secret".
	Authorization string `json:"authorization"`
}

// Handler returns a handler of the page (PathPage), its settings (PathConfig)
// and its assets (below PathPrefix); any other path is 404, any method but GET
// and HEAD is 405. It fails on an Endpoint of another host or a DocsURL that is
// no address, naming the option.
func Handler(opts Options) (http.Handler, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(opts)
	if err != nil {
		return nil, fmt.Errorf("web: encoding the page's settings: %w", err)
	}
	dist, err := fs.Sub(bundle, "dist")
	if err != nil {
		return nil, fmt.Errorf("web: opening the bundle: %w", err)
	}
	files, err := loadFiles(dist)
	if err != nil {
		return nil, err
	}
	files[PathConfig] = newFile(PathConfig, settings, cacheNever)
	return &handler{files: files}, nil
}

// complete fills the defaults and checks the addresses.
func (o Options) complete() (Options, error) {
	o.Title = cmp.Or(o.Title, "erpgraph")
	o.Endpoint = cmp.Or(o.Endpoint, "/graphql")
	o.SubscriptionEndpoint = cmp.Or(o.SubscriptionEndpoint, o.Endpoint)
	if err := checkLocalPath(o.Endpoint); err != nil {
		return Options{}, fmt.Errorf("web: Endpoint %q: %w", o.Endpoint, err)
	}
	if err := checkLocalPath(o.SubscriptionEndpoint); err != nil {
		return Options{}, fmt.Errorf("web: SubscriptionEndpoint %q: %w", o.SubscriptionEndpoint, err)
	}
	if o.DocsURL != "" {
		if err := checkLink(o.DocsURL); err != nil {
			return Options{}, fmt.Errorf("web: DocsURL %q: %w", o.DocsURL, err)
		}
	}
	return o, nil
}

var (
	errForeignPath = errors.New("must be a path of this host, such as /graphql")
	errNotALink    = errors.New("must be a path or an http(s) URL")
)

// checkLocalPath refuses what a browser would resolve to another host: an
// absolute URL, "//host/path" and its backslash spellings.
func checkLocalPath(path string) error {
	u, err := url.Parse(path)
	if err != nil {
		return err
	}
	if u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return errForeignPath
	}
	return nil
}

// checkLink refuses schemes that would run as a script when clicked.
func checkLink(link string) error {
	u, err := url.Parse(link)
	if err != nil {
		return err
	}
	if (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return nil
	}
	if checkLocalPath(link) != nil {
		return errNotALink
	}
	return nil
}
