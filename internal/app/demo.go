package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"erpgraph/internal/frappe"
	"erpgraph/internal/httpapi"
	"erpgraph/internal/session"
	"erpgraph/internal/setup"
	"erpgraph/internal/simulator"
	"erpgraph/web"
)

// demoConfig is the command line of `demo`.
type demoConfig struct {
	Listen        string `name:"listen" default:"127.0.0.1:8080" help:"Address of the graph."`
	ERPNextListen string `name:"erpnext-listen" default:"127.0.0.1:8081" help:"Address of the simulated ERPNext."`
	DataDir       string `name:"data-dir" default:".erpgraph" help:"Where the embedded PostgreSQL keeps its data."`
	Verbose       bool   `name:"verbose" short:"v" help:"Log each operation."`
}

// demoQuery is preloaded in GraphiQL and stands in the README.
const demoQuery = `# The newest orders, each with its customer, its items,
# and what the custom app knows of the customer: one call
# to ERPNext for each level and DocType, one SQL statement.
query Orders {
  salesOrders(first: 5, orderBy: [{ field: TRANSACTION_DATE, direction: DESC }]) {
    totalCount
    nodes {
      name
      status
      transactionDate
      grandTotal
      customer {
        customerName
        territory { name }
        serviceContracts(first: 3) {
          nodes { status monthlyFee daysLeft item { itemName } }
        }
      }
      items { qty rate item: itemCode { itemName itemGroup { name } } }
    }
  }
}
`

// demoSubscription stands in a tab of its own: something happens there every few seconds.
const demoSubscription = `# Orders as they come and change, as their reader sees them.
subscription Orders {
  salesOrderChanged {
    kind
    at
    name
    document {
      status
      grandTotal
      customer { customerName }
    }
  }
}
`

// demoUser is a user whom the demo offers.
type demoUser struct{ key, user, sees string }

var demoUsers = []demoUser{
	{"sales", "sales@example.com", "sells: customers, orders, items"},
	{"manager", "manager@example.com", "manages sales, purchase, accounts, stock"},
	{"north", "sales-north@example.com", "sells in the territory North only"},
	{"stock", "stock@example.com", "keeps the stock: items, warehouses"},
	{"nobody", "nobody@example.com", "no roles at all"},
}

// runDemo runs the simulated ERPNext and the real App over it, until ctx ends.
func runDemo(ctx context.Context, cfg demoConfig, stdout, stderr io.Writer) error {
	level := "warn"
	if cfg.Verbose {
		level = "info"
	}
	listener, err := listen(ctx, "--listen", cfg.Listen)
	if err != nil {
		return err
	}
	graph := "http://" + listener.Addr().String()
	site, err := startSite(ctx, cfg.ERPNextListen, graph)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	settings, err := DefaultConfig()
	if err != nil {
		return err
	}
	settings.ERPNextURL, settings.ServiceKey, settings.PublicURL = site.url, "service:demo", graph
	settings.ClientID, settings.ClientSecret = site.client.ID, site.client.Secret
	settings.Listen, settings.DataDir, settings.Introspection = listener.Addr().String(), cfg.DataDir, true
	settings.LogLevel = level
	secret := rand.Text()
	settings.WebhookSecrets = []string{secret}
	log := NewLogger(stderr, settings)
	fmt.Fprintf(stdout, "Starting PostgreSQL in %s (the first start downloads it) ...\n", cfg.DataDir)
	a, err := New(ctx, settings, log, Options{Playground: demoPage(), Progress: progress(stdout)})
	if err != nil {
		return errors.Join(err, site.listener.Close(), listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return httpapi.Serve(ctx, site.listener, site.handler, drainTime, log) })
	group.Go(func() error { return site.server.DeliverWebhooks(ctx) })
	group.Go(func() error { return a.Run(ctx, listener) })
	group.Go(func() error {
		if err := a.seedDemo(ctx); err != nil {
			return fmt.Errorf("write the example rows: %w", err)
		}
		if err := a.meetSite(ctx); err != nil {
			return err
		}
		if err := a.watchDemo(ctx, site, secret); err != nil {
			return fmt.Errorf("set up the site's Webhooks: %w", err)
		}
		announce(stdout, graph, site.url)
		life, err := frappe.ParseAuthorization("token service:demo")
		if err != nil {
			return fmt.Errorf("the demo's life: %w", err)
		}
		return runLife(ctx, a.frappe, life, lifeEvery, log)
	})
	err = group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, a.Close())
}

// lifeEvery is how often something happens at the simulated site.
const lifeEvery = 3 * time.Second

// watchDemo sets the site's Webhooks up as an administrator does.
func (a *App) watchDemo(ctx context.Context, site demoSite, secret string) error {
	admin, err := frappe.ParseAuthorization("token admin:demo")
	if err != nil {
		return fmt.Errorf("the administrator's key: %w", err)
	}
	return setup.Run(ctx, setup.Options{ //nolint:wrapcheck // says it all
		Upstream: a.frappe, Credential: admin, ERPNextURL: site.url, PublicURL: a.cfg.PublicURL, CallbackPath: session.CallbackPath,
		AppName: site.client.Name, ClientID: site.client.ID, Trusted: site.client.Trusted,
		Webhooks: true, WebhookURL: a.cfg.PublicURL + webhookPath, WebhookPath: webhookPath,
		Watched: watchedDocTypes(&Graph{Registry: a.registry}), WebhookSecrets: secret,
		Settings: io.Discard, Messages: io.Discard,
	})
}

// demoSite is the simulated ERPNext on its port.
type demoSite struct {
	server   *simulator.Server
	listener net.Listener
	handler  http.Handler
	url      string
	client   simulator.OAuthClient // what erpgraph signs users in with
}

// startSite starts the simulated ERPNext, which lets the graph sign users in.
func startSite(ctx context.Context, address, graph string) (demoSite, error) {
	options, err := simulator.Demo()
	if err != nil {
		return demoSite{}, fmt.Errorf("load the demo's documents: %w", err)
	}
	options.Logger = slog.New(slog.DiscardHandler)
	options.Clients[0].RedirectURI = graph + session.CallbackPath
	server, err := simulator.New(options)
	if err != nil {
		return demoSite{}, fmt.Errorf("simulate ERPNext: %w", err)
	}
	listener, err := listen(ctx, "--erpnext-listen", address)
	if err != nil {
		return demoSite{}, err
	}
	return demoSite{server: server, listener: listener, handler: server.Handler(), url: "http://" + listener.Addr().String(), client: options.Clients[0]}, nil
}

func demoPage() web.Options {
	page := web.Options{
		DefaultQuery:   demoQuery,
		Examples:       []string{demoSubscription},
		SignIn:         true,
		DefaultHeaders: map[string]string{"Authorization": "token " + demoUsers[0].key + ":demo", "X-Erpgraph-Trace": "1"},
	}
	for _, u := range demoUsers {
		page.Users = append(page.Users, web.User{Name: u.key, Description: u.sees, Authorization: "token " + u.key + ":demo"})
	}
	return page
}

// announce tells where everything is, and gives a query that works as it stands.
func announce(w io.Writer, graph, erpnext string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\nerpgraph is ready.\n\n  Graph     %s/graphql\n  GraphiQL  %s/\n  ERPNext   %s (simulated)\n\n", graph, graph, erpnext)
	b.WriteString("Users, each with an Authorization header that works as it stands:\n\n")
	for _, u := range demoUsers {
		fmt.Fprintf(&b, "  %-24s %-20s %s\n", u.user, "token "+u.key+":demo", u.sees)
	}
	b.WriteString("\nOr log in with ERPNext in GraphiQL, as one of them, password demo.\n")
	fmt.Fprintf(&b, "\nTry:\n\n  curl -s %s/graphql -H 'Content-Type: application/json' -H 'Authorization: token sales:demo' \\\n", graph)
	b.WriteString(`    -d '{"query":"{ salesOrders(first: 2) { nodes { name grandTotal customer { customerName } } } }"}'` + "\n\n")
	fmt.Fprintf(&b, "Something happens there every few seconds. Watch it:\n\n  curl -sN %s/graphql -H 'Accept: text/event-stream' -H 'Content-Type: application/json' \\\n", graph)
	b.WriteString(`    -H 'Authorization: token manager:demo' -d '{"query":"subscription { documentChanged { kind doctype name } }"}'` + "\n\nStop with Ctrl-C.\n")
	_, _ = io.WriteString(w, b.String())
}

// seedTime bounds how long the demo waits for its own parts.
const seedTime = 2 * time.Minute
