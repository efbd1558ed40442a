package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"erpgraph/internal/apierror"
)

const (
	redacted = "[redacted]"
	// endpoints is the path of Frappe's OAuth methods on a site.
	endpoints = "/api/method/frappe.integrations.oauth2."
	// callTimeout bounds a call to the site, the answer included.
	callTimeout = 10 * time.Second
)

// scopes are what erpgraph asks for: all that the user may do, and who they are.
func scopes() []string { return []string{"all", "openid"} }

// Config says which client of which site this is.
type Config struct {
	// SiteURL is the site as erpgraph reaches it, "https://erp.example.com"; a path is
	// allowed.
	SiteURL string
	// PublicSiteURL is the site as browsers reach it. Default: SiteURL.
	PublicSiteURL string
	// ClientID and ClientSecret are those of the site's OAuth Client. Both are needed:
	// the secret signs id_tokens.
	ClientID, ClientSecret string
	// RedirectURL is where the site sends the browser back to. Frappe compares it byte
	// for byte with those of the OAuth Client.
	RedirectURL string
	// HTTPClient gives the Transport; its cookie jar, redirect policy and timeout are
	// not used. nil: a Transport of its own.
	HTTPClient *http.Client
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Format never shows the secret.
func (Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue never shows the secret.
func (Config) LogValue() slog.Value { return slog.StringValue(redacted) }

// Client calls one site as one OAuth client. It is safe for concurrent use.
type Client struct {
	// A pointer to what is itself a pointer inside, so that fmt does not reach the
	// secret through the unexported field of a foreign struct.
	settings **settings
	http     *http.Client
	now      func() time.Time
}

type settings struct {
	oauth     oauth2.Config
	revokeURL string
}

// New checks the configuration and makes a Client. It calls nobody.
func New(cfg Config) (*Client, error) {
	site, err := parseSite("the site's address", cfg.SiteURL)
	if err != nil {
		return nil, err
	}
	public, err := parseSite("the site's public address", cmp.Or(cfg.PublicSiteURL, cfg.SiteURL))
	if err != nil {
		return nil, err
	}
	back, err := url.Parse(cfg.RedirectURL)
	switch {
	case err != nil || back.Host == "" || back.Fragment != "" || back.User != nil:
		return nil, errors.New("oauth: the redirect URL must be an absolute address")
	case cfg.ClientID == "":
		return nil, errors.New("oauth: the client's id is missing")
	case cfg.ClientSecret == "":
		return nil, errors.New("oauth: the client's secret is missing; it is what id_tokens are checked with")
	}
	c := &Client{http: httpClient(cfg.HTTPClient), now: cfg.Now}
	if c.now == nil {
		c.now = time.Now
	}
	s := &settings{
		oauth: oauth2.Config{
			ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, RedirectURL: cfg.RedirectURL, Scopes: scopes(),
			Endpoint: oauth2.Endpoint{
				AuthURL:   public + endpoints + "authorize",
				TokenURL:  site + endpoints + "get_token",
				AuthStyle: oauth2.AuthStyleInParams,
			},
		},
		revokeURL: site + endpoints + "revoke_token",
	}
	c.settings = &s
	return c, nil
}

// parseSite checks an address and gives it without a slash at the end. Its errors do
// not quote the address: it may hold a password.
func parseSite(what, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("oauth: %s must begin with http:// or https:// and name a host", what)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("oauth: %s can't have a user, a query or a fragment", what)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Format never shows the secret.
func (*Client) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[oauth client]")) }

// Verifier makes a new secret of PKCE, state or nonce: 32 random bytes in base64url.
func Verifier() string { return oauth2.GenerateVerifier() }

// AuthCodeURL is where to send a browser that shall sign in: the site's page, which
// asks the user and then redirects to the RedirectURL with a code and the state. Frappe
// repeats the nonce in the id_token.
func (c *Client) AuthCodeURL(state, nonce, verifier string) string {
	address := (*c.settings).oauth.AuthCodeURL(state, oauth2.SetAuthURLParam("nonce", nonce), oauth2.S256ChallengeOption(verifier))
	// In a query as it is made here every + stands for a blank, and oauthlib, which
	// Frappe hands the scope to, knows only %20.
	return strings.ReplaceAll(address, "+", "%20")
}

// Exchange redeems a code for tokens and checks the id_token that comes with them. The
// error is [ErrDenied] when the site does not take the code (used, expired, of another
// client or of another verifier), [ErrUntrusted] when the id_token is missing or wrong,
// and UPSTREAM_* else. Tokens that came with an error were revoked, or the error is
// [ErrStray] too.
func (c *Client) Exchange(ctx context.Context, code, verifier, nonce string) (*Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	heard := &listener{base: c.http.Transport}
	answer, err := (*c.settings).oauth.Exchange(c.with(ctx, heard), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, errors.Join(c.failure(ctx, "exchange", err, ErrDenied), c.takeBack(ctx, heard.accessToken()))
	}
	tokens, err := c.tokens(answer)
	if err == nil {
		tokens.Claims, err = c.verify(answer, nonce)
	}
	if err != nil {
		return nil, errors.Join(err, c.takeBack(ctx, answer.AccessToken))
	}
	return tokens, nil
}

// Refresh gets a new pair of tokens. The old pair stays valid until it is revoked or
// expires. The error is [ErrRevoked] when the site does not know the grant any more,
// and UPSTREAM_* else. Tokens that came with an error were revoked, or the error is
// [ErrStray] too. The new pair has no Claims.
func (c *Client) Refresh(ctx context.Context, refresh string) (*Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	heard := &listener{base: c.http.Transport}
	answer, err := (*c.settings).oauth.TokenSource(c.with(ctx, heard), &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return nil, errors.Join(c.failure(ctx, "refresh", err, ErrRevoked), c.takeBack(ctx, heard.accessToken()))
	}
	tokens, err := c.tokens(answer)
	if err != nil {
		return nil, errors.Join(err, c.takeBack(ctx, answer.AccessToken))
	}
	return tokens, nil
}

// takeBack revokes a token that nobody will get, whether the request goes on or not.
func (c *Client) takeBack(ctx context.Context, access string) error {
	if access == "" {
		return nil
	}
	if err := c.Revoke(context.WithoutCancel(ctx), access); err != nil {
		return fmt.Errorf("%w: %w", ErrStray, err)
	}
	return nil
}

// with hands x/oauth2 the HTTP client to use.
func (c *Client) with(ctx context.Context, heard *listener) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: heard, CheckRedirect: c.http.CheckRedirect})
}

// tokens checks what every answer must have. Frappe always tells the life of a token,
// and a token without an end would never be refreshed.
func (c *Client) tokens(answer *oauth2.Token) (*Tokens, error) {
	if answer.RefreshToken == "" || answer.ExpiresIn <= 0 || answer.Type() != "Bearer" {
		return nil, malformed("get_token")
	}
	return newTokens(answer.AccessToken, answer.RefreshToken, c.now().Add(time.Duration(answer.ExpiresIn)*time.Second)), nil
}

func malformed(op string) error {
	return apierror.Wrap(apierror.UpstreamUnavailable, fmt.Errorf("oauth: %s: the answer can't be read", op), unavailable)
}
