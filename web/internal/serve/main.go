// Command serve shows the GraphiQL page over a GraphQL server that runs
// elsewhere. It is for work on the page and for its browser test; erpgraph itself
// mounts web.Handler.
//
//	go run ./web/internal/serve -listen 127.0.0.1:8090 -graphql http://127.0.0.1:4000 -options options.json
//
// It prints the page's address once it listens, and stops on an interrupt.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"erpgraph/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		slog.Error("serve", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8090", "address of the page; port 0 picks a free one")
	upstream := flags.String("graphql", "http://127.0.0.1:8080", "server that answers /graphql and /auth")
	options := flags.String("options", "", "file with web.Options as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	handler, err := newHandler(*upstream, *options)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	return serve(ctx, listener, handler)
}

func newHandler(upstream, optionsFile string) (http.Handler, error) {
	target, err := url.Parse(upstream)
	if err != nil {
		return nil, fmt.Errorf("flag -graphql: %w", err)
	}
	var opts web.Options
	if optionsFile != "" {
		text, err := os.ReadFile(optionsFile)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &opts); err != nil {
			return nil, fmt.Errorf("%s: %w", optionsFile, err)
		}
	}
	page, err := web.Handler(opts)
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", proxy)
	mux.Handle("/auth/", proxy)
	mux.Handle("/", page)
	return mux, nil
}

// serve returns when ctx has ended and the open requests are answered, or after
// the grace time.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	const grace = 2 * time.Second
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
