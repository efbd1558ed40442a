package app

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"erpgraph/internal/frappe"
	"erpgraph/internal/origin"
	"erpgraph/internal/session"
)

// Config is every setting of `serve`: an environment variable and a flag each. The
// help texts are the reference; docs/configuration.md shows them.
type Config struct {
	ERPNextURL string `name:"erpnext-url" env:"ERPNEXT_URL" help:"The ERPNext site, such as https://erp.example.com. Required."`
	// SiteURL is where browsers find the site, which in a cluster may be another address
	// than the one that calls go to.
	SiteURL    string `name:"erpnext-public-url" env:"ERPNEXT_PUBLIC_URL" help:"The ERPNext site as browsers reach it, where users sign in. Default: ERPNEXT_URL."`
	ServiceKey string `name:"erpnext-service-key" env:"ERPNEXT_SERVICE_KEY" help:"API key of a service account, key:secret. Optional: with it erpgraph finds the changes that webhooks miss, asks for the site's version, and refuses users who were disabled in ERPNext."`

	ClientID     string `name:"erpnext-oauth-client-id" env:"ERPNEXT_OAUTH_CLIENT_ID" help:"OAuth Client of the site that users sign in with; erpgraph setup makes one. Optional: without it there is no sign-in, and callers bring a credential of their own."`
	ClientSecret string `name:"erpnext-oauth-client-secret" env:"ERPNEXT_OAUTH_CLIENT_SECRET" help:"The secret of that OAuth Client."`
	// SessionKeys seal the tokens of sessions; the newest comes first.
	SessionKeys     string        `name:"session-keys" env:"SESSION_KEYS" help:"Keys that encrypt the tokens of signed-in users: 32 random bytes in base64 each, separated by commas, the newest first. Required with sign-in and DATABASE_URL; else one is made and kept in the data directory."`
	SessionLifetime time.Duration `name:"session-lifetime" env:"SESSION_LIFETIME" default:"168h" help:"How long a sign-in lasts at most."`
	SessionIdle     time.Duration `name:"session-idle" env:"SESSION_IDLE" default:"24h" help:"How long a sign-in lasts without being used."`

	DatabaseURL string `name:"database-url" env:"DATABASE_URL" help:"PostgreSQL of the custom app, postgres://user:password@host/db. Optional: without it an embedded PostgreSQL runs in the data directory."`
	DataDir     string `name:"data-dir" env:"DATA_DIR" default:".erpgraph" help:"Where the embedded PostgreSQL keeps its data, and a session key that was made."`

	Listen    string `name:"listen" env:"LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	PublicURL string `name:"public-url" env:"PUBLIC_URL" help:"The address that clients use, such as https://graph.example.com, for links to files and the way back from signing in. Default: http:// and the listen address."`
	// Origins are the foreign pages that may read answers with their user's session.
	Origins []string `name:"cors-origins" env:"CORS_ORIGINS" sep:"," help:"Origins of browser apps on other hosts that may call the graph, such as https://app.example.com, separated by commas. Default: none."`

	WebhookSecrets []string      `name:"erpnext-webhook-secrets" env:"ERPNEXT_WEBHOOK_SECRETS" sep:"," help:"Secrets of the site's Webhooks, separated by commas, the newest first; erpgraph setup makes them. Default: none, and every webhook is refused."`
	EventRetention time.Duration `name:"event-retention" env:"EVENT_RETENTION" default:"72h" help:"How long the event log keeps what changed: a client that was away for longer has to read anew."`
	EventRows      int64         `name:"event-rows" env:"EVENT_ROWS" default:"1000000" help:"How many events the log keeps at most."`
	CatchupEvery   time.Duration `name:"catchup-interval" env:"CATCHUP_INTERVAL" default:"1m" help:"How often ERPNext is asked for changes that no webhook told of. It needs ERPNEXT_SERVICE_KEY."`

	Introspection bool `name:"introspection" env:"INTROSPECTION" help:"Let clients ask for the schema (GraphiQL and code generators need it)."`

	MaxUpstream      int           `name:"max-upstream" env:"MAX_UPSTREAM" default:"8" help:"Calls to ERPNext at the same time, for this process. ERPNext has few workers."`
	MaxUpstreamCalls int           `name:"max-upstream-calls" env:"MAX_UPSTREAM_CALLS" default:"60" help:"Calls to ERPNext that one operation may need."`
	UpstreamTimeout  time.Duration `name:"upstream-timeout" env:"UPSTREAM_TIMEOUT" default:"20s" help:"Time limit of one call to ERPNext, waiting and retries included."`
	UpstreamBusy     time.Duration `name:"upstream-busy" env:"UPSTREAM_BUSY" default:"120s" help:"How long ERPNext may go on with a request that nobody waits for any more: the timeout of its gunicorn. A write without an answer is looked for only after that."`
	OperationTimeout time.Duration `name:"operation-timeout" env:"OPERATION_TIMEOUT" default:"30s" help:"Time limit of one operation."`
	MaxPage          int           `name:"max-page" env:"MAX_PAGE" default:"500" help:"The largest first or last of a list."`
	MaxCost          int           `name:"max-cost" env:"MAX_COST" default:"100000" help:"The largest cost of an operation: each field counts 1, below a list times its page size."`
	MaxDepth         int           `name:"max-depth" env:"MAX_DEPTH" default:"15" help:"How deep the fields of an operation may nest."`
	MaxBody          int64         `name:"max-body" env:"MAX_BODY" default:"1048576" help:"Largest request body in bytes."`

	MaxUpload           int64         `name:"max-upload" env:"MAX_UPLOAD" default:"134217728" help:"Largest request with files in bytes. ERPNext has a limit of its own (max_file_size)."`
	MaxSockets          int           `name:"max-sockets" env:"MAX_SOCKETS" default:"10000" help:"Open WebSockets and event streams of this process."`
	MaxSocketsPerCaller int           `name:"max-sockets-per-caller" env:"MAX_SOCKETS_PER_CALLER" default:"200" help:"Those of one credential."`
	SocketLifetime      time.Duration `name:"socket-lifetime" env:"SOCKET_LIFETIME" default:"12h" help:"How long a WebSocket or event stream may stay open; clients come back with their cursor."`

	UploadDir string `name:"upload-dir" env:"UPLOAD_DIR" help:"Where files wait on their way to ERPNext, for a moment. Default: the system's folder for temporary files."`

	LogFormat string `name:"log-format" env:"LOG_FORMAT" default:"text" enum:"text,json" help:"Log lines as text or json."`
	LogLevel  string `name:"log-level" env:"LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"The least level that is logged."`
}

// SettingError is a setting that is missing or can't be used. Its text says what the
// setting is for and how to mend it.
type SettingError struct{ Setting, Message string }

// Error names the setting first.
func (e *SettingError) Error() string { return e.Setting + ": " + e.Message }

func (c *Config) check() error {
	if c.ERPNextURL == "" {
		return &SettingError{"ERPNEXT_URL", "is not set; it is the address of the ERPNext site that documents are read from, such as https://erp.example.com"}
	}
	for name, value := range map[string]string{"ERPNEXT_URL": c.ERPNextURL, "ERPNEXT_PUBLIC_URL": c.SiteURL, "PUBLIC_URL": c.PublicURL} {
		if value == "" {
			continue
		}
		if err := checkAddress(name, value); err != nil {
			return err
		}
	}
	if c.ServiceKey != "" {
		if _, err := frappe.ParseAuthorization("token " + c.ServiceKey); err != nil {
			return &SettingError{"ERPNEXT_SERVICE_KEY", "must be key:secret, as ERPNext shows them when it makes an API key"}
		}
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + reachable(c.Listen)
	}
	if c.SiteURL == "" {
		c.SiteURL = c.ERPNextURL
	}
	for _, address := range []*string{&c.PublicURL, &c.ERPNextURL, &c.SiteURL} {
		*address = strings.TrimRight(*address, "/")
	}
	for _, page := range c.Origins {
		if !origin.Is(page) {
			return &SettingError{"CORS_ORIGINS", fmt.Sprintf("%q is no origin; write scheme and host as the browser does, such as https://app.example.com, without a path or a slash at the end", page)}
		}
	}
	if err := c.checkEvents(); err != nil {
		return err
	}
	return c.checkSignIn()
}

// leastSecret is the least length of a webhook's secret: who guesses it can make erpgraph
// read documents again and again.
const leastSecret = 16

// checkEvents holds the settings of events to what makes sense. A stream that was open all
// the time must still find its place in the log when it comes back.
func (c *Config) checkEvents() error {
	for _, secret := range c.WebhookSecrets {
		if len(secret) < leastSecret {
			return &SettingError{"ERPNEXT_WEBHOOK_SECRETS", fmt.Sprintf("has a secret shorter than %d characters; erpgraph setup makes good ones", leastSecret)}
		}
	}
	switch {
	case c.EventRetention <= c.SocketLifetime:
		return &SettingError{"EVENT_RETENTION", "must be longer than SOCKET_LIFETIME, so that a stream finds its place in the log when it comes back"}
	case c.SocketLifetime <= 0:
		return &SettingError{"SOCKET_LIFETIME", "must be longer than nothing"}
	case c.EventRows < 1:
		return &SettingError{"EVENT_ROWS", "must be at least 1"}
	case c.CatchupEvery <= 0:
		return &SettingError{"CATCHUP_INTERVAL", "must be longer than nothing; without ERPNEXT_SERVICE_KEY there is no catch-up"}
	}
	return nil
}

// checkAddress holds an address to what can be called and shown.
func checkAddress(setting, value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return &SettingError{setting, "must be an address that begins with http:// or https://"}
	case u.User != nil:
		return &SettingError{setting, "must not contain a user or password"}
	case setting == "PUBLIC_URL" && origin.Of(u) == "":
		return &SettingError{setting, "must have its host as browsers send it: names in ASCII (xn--mnchen-3ya.example for münchen.example), addresses in full"}
	}
	return nil
}

// signIn tells whether users can sign in with ERPNext.
func (c *Config) signIn() bool { return c.ClientID != "" }

// checkSignIn holds the settings of sign-in together: half of them would look as if it
// worked.
func (c *Config) checkSignIn() error {
	switch {
	case c.ClientID == "" && c.ClientSecret == "":
		return nil
	case c.ClientID == "":
		return &SettingError{"ERPNEXT_OAUTH_CLIENT_ID", "is not set, but ERPNEXT_OAUTH_CLIENT_SECRET is; sign-in needs both"}
	case c.ClientSecret == "":
		return &SettingError{"ERPNEXT_OAUTH_CLIENT_SECRET", "is not set, but ERPNEXT_OAUTH_CLIENT_ID is; sign-in needs both"}
	case c.SessionKeys == "" && c.DatabaseURL != "":
		return &SettingError{"SESSION_KEYS", "is not set; with DATABASE_URL other processes read the same sessions, so all need the same key, made with: openssl rand -base64 32"}
	case c.SessionLifetime <= 0 || c.SessionIdle <= 0:
		return &SettingError{"SESSION_LIFETIME, SESSION_IDLE", "must be longer than nothing"}
	}
	if c.SessionKeys != "" {
		if _, err := session.ParseKeys(c.SessionKeys); err != nil {
			return &SettingError{"SESSION_KEYS", err.Error()}
		}
	}
	if !origin.Is(c.PublicURL) {
		return &SettingError{"PUBLIC_URL", "must be scheme and host as browsers write them for sign-in: in lower case, without a path and without the scheme's own port"}
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Scheme != "https" && !origin.IsLoopback(u.Hostname()) {
		return &SettingError{"PUBLIC_URL", "must begin with https:// for sign-in: the browser keeps the session's cookie for encrypted connections only (http:// is allowed on this machine alone)"}
	}
	return nil
}

// reachable is a listen address as a client on this machine writes it.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// fileURL makes the absolute address of an attached file. Private files are served by
// erpgraph with the caller's credential; public ones are ERPNext's own.
func (c *Config) fileURL(path string) string {
	base := c.SiteURL
	if strings.HasPrefix(path, "/private/") {
		base = c.PublicURL
	}
	return base + (&url.URL{Path: path}).EscapedPath()
}

// filePath is the way back from fileURL: the path of a file under either address.
func (c *Config) filePath(address string) (string, bool) {
	for _, at := range []struct {
		base    string
		private bool
	}{{c.PublicURL, true}, {c.SiteURL, false}} { // which may be one
		rest, ok := strings.CutPrefix(address, at.base+"/")
		if !ok {
			continue
		}
		path, err := url.PathUnescape("/" + rest)
		if err == nil && strings.HasPrefix(path, "/private/files/") == at.private && strings.HasPrefix(strings.TrimPrefix(path, "/private"), "/files/") {
			return path, true
		}
	}
	return "", false
}

// DefaultConfig is every setting's default, as `serve` has them without flags and
// environment. The defaults live in the struct tags only, so that help, docs and code
// agree.
func DefaultConfig() (Config, error) {
	var c Config
	if err := kong.ApplyDefaults(&c); err != nil {
		return Config{}, fmt.Errorf("the defaults of Config: %w", err)
	}
	return c, nil
}
