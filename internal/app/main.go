package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/alecthomas/kong"

	"erpgraph/web"
)

// commands is the command line.
type commands struct {
	Serve Config      `cmd:"" help:"Serve the graph over an ERPNext site."`
	Setup setupConfig `cmd:"" help:"Let users sign in with ERPNext: create or update its OAuth Client for this service."`
	Demo  demoConfig  `cmd:"" help:"Try erpgraph: a simulated ERPNext, an embedded PostgreSQL, example rows. Nothing to set up."`
}

// Main runs a subcommand and gives the exit code: 0 after a clean stop, 1 when
// something failed, 2 when a setting is missing or wrong.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return MainWith(ctx, args, stdout, stderr, Options{})
}

// MainWith is Main with options for serve that no setting has: tests reach into a process
// of its own by them.
func MainWith(ctx context.Context, args []string, stdout, stderr io.Writer, opts Options) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("erpgraph"),
		kong.Description("One GraphQL graph over ERPNext and your own tables."),
		kong.Writers(stdout, stderr),
		kong.UsageOnError(),
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "erpgraph:", err)
		return 1
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(stderr, "erpgraph: %v\nSee erpgraph --help.\n", err)
		return 2
	}
	switch parsed.Command() {
	case "demo":
		err = runDemo(ctx, c.Demo, stdout, stderr)
	case "setup":
		err = runSetup(ctx, c.Setup, stdout, stderr)
	default:
		err = runServe(ctx, c.Serve, stderr, opts)
	}
	var setting *SettingError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &setting):
		fmt.Fprintln(stderr, "erpgraph:", setting)
		return 2
	default:
		fmt.Fprintln(stderr, "erpgraph:", err)
		return 1
	}
}

// runServe serves until ctx ends.
func runServe(ctx context.Context, cfg Config, stderr io.Writer, opts Options) error {
	if err := cfg.check(); err != nil {
		return err
	}
	log := NewLogger(stderr, cfg)
	listener, err := listen(ctx, "LISTEN", cfg.Listen)
	if err != nil {
		return err
	}
	opts.Playground = web.Options{DefaultQuery: demoQuery, SignIn: cfg.signIn()}
	opts.Progress = progress(stderr)
	a, err := New(ctx, cfg, log, opts)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log.InfoContext(ctx, "serving", "listen", listener.Addr().String(), "erpnext", a.cfg.ERPNextURL, "introspection", cfg.Introspection)
	return errors.Join(a.Run(ctx, listener), a.Close())
}

// listen opens an address; the error names the setting that gave it.
func listen(ctx context.Context, setting, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &SettingError{setting, fmt.Sprintf("can't listen on %s: %v", address, err)}
	}
	return listener, nil
}

// progress tells on a terminal or in a log that a download still runs.
func progress(w io.Writer) func(elapsed time.Duration) {
	return func(elapsed time.Duration) {
		fmt.Fprintf(w, "still downloading PostgreSQL (once, 15 to 30 MB): %s\n", elapsed.Round(time.Second))
	}
}
