// Command erpgraph serves one GraphQL graph over ERPNext and a custom app's own
// Postgres tables.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the zone of a site must be known on any machine

	"erpgraph/internal/app"
)

func main() { os.Exit(run()) }

// run is main with its deferred calls, which os.Exit would leave out.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return app.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
}
