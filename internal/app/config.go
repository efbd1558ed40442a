package app

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"erpgraph/internal/frappe"
)

// Config is every setting of `serve`: an environment variable and a flag each. The
// help texts are the reference; docs/configuration.md shows them.
type Config struct {
	ERPNextURL string `name:"erpnext-url" env:"ERPNEXT_URL" help:"The ERPNext site, such as https://erp.example.com. Required."`
	ServiceKey string `name:"erpnext-service-key" env:"ERPNEXT_SERVICE_KEY" help:"API key of a service account, key:secret. Optional: it is only used to ask for the site's version at start."`

	DatabaseURL string `name:"database-url" env:"DATABASE_URL" help:"PostgreSQL of the custom app, postgres://user:password@host/db. Optional: without it an embedded PostgreSQL runs in the data directory."`
	DataDir     string `name:"data-dir" env:"DATA_DIR" default:".erpgraph" help:"Where the embedded PostgreSQL keeps its data."`

	Listen    string `name:"listen" env:"LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	PublicURL string `name:"public-url" env:"PUBLIC_URL" help:"The address that clients use, such as https://graph.example.com, for links to files. Default: http:// and the listen address."`

	Introspection bool `name:"introspection" env:"INTROSPECTION" help:"Let clients ask for the schema (GraphiQL and code generators need it)."`

	MaxUpstream      int           `name:"max-upstream" env:"MAX_UPSTREAM" default:"8" help:"Calls to ERPNext at the same time, for this process. ERPNext has few workers."`
	MaxUpstreamCalls int           `name:"max-upstream-calls" env:"MAX_UPSTREAM_CALLS" default:"60" help:"Calls to ERPNext that one operation may need."`
	UpstreamTimeout  time.Duration `name:"upstream-timeout" env:"UPSTREAM_TIMEOUT" default:"20s" help:"Time limit of one call to ERPNext, waiting and retries included."`
	OperationTimeout time.Duration `name:"operation-timeout" env:"OPERATION_TIMEOUT" default:"30s" help:"Time limit of one operation."`
	MaxPage          int           `name:"max-page" env:"MAX_PAGE" default:"500" help:"The largest first or last of a list."`
	MaxCost          int           `name:"max-cost" env:"MAX_COST" default:"100000" help:"The largest cost of an operation: each field counts 1, below a list times its page size."`
	MaxDepth         int           `name:"max-depth" env:"MAX_DEPTH" default:"15" help:"How deep the fields of an operation may nest."`
	MaxBody          int64         `name:"max-body" env:"MAX_BODY" default:"1048576" help:"Largest request body in bytes."`

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
	for name, value := range map[string]string{"ERPNEXT_URL": c.ERPNextURL, "PUBLIC_URL": c.PublicURL} {
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return &SettingError{name, "must be an address that begins with http:// or https://"}
		}
		if u.User != nil {
			return &SettingError{name, "must not contain a user or password"}
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
	c.PublicURL, c.ERPNextURL = strings.TrimRight(c.PublicURL, "/"), strings.TrimRight(c.ERPNextURL, "/")
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
	base := c.ERPNextURL
	if strings.HasPrefix(path, "/private/") {
		base = c.PublicURL
	}
	return base + (&url.URL{Path: path}).EscapedPath()
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
