// Command erpgraph serves one GraphQL graph over ERPNext and a custom app's own
// Postgres tables.
package main

import (
	_ "time/tzdata" // the zone of a site must be known on any machine

	"context"
	"os"
	"os/signal"
	"syscall"

	"erpgraph/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(app.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
