//go:build !unix

package embedded

import (
	"context"
	"errors"
)

// Server is never made on this platform.
type Server struct{}

// Start tells that the platform is not supported.
func Start(context.Context, Config) (*Server, error) {
	return nil, errors.New("the embedded PostgreSQL needs Linux or macOS: set DATABASE_URL to use a server of your own")
}

// URL is the connection URL.
func (*Server) URL() string { return "" }

// Stop does nothing.
func (*Server) Stop() error { return nil }
