package embedded

import (
	"errors"
	"log/slog"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// Version is the PostgreSQL that is run: the newest 17 that the library knows.
const Version = string(embeddedpostgres.V17)

// Config says where the server lives.
type Config struct {
	// Dir is the data directory of erpgraph. It holds postgres/ (the server's files),
	// postgres.password, postgres.port and postgres.lock.
	Dir string
	// Logger gets the server's start, end and failures; nil discards.
	Logger *slog.Logger
	// Progress is told every few seconds for how long the first download has run; how
	// much of it is done nobody knows. nil is allowed.
	Progress func(elapsed time.Duration)
	// Settings are parameters of the server, such as "fsync".
	Settings map[string]string
}

// ErrInUse means that another process runs a server over the same directory.
var ErrInUse = errors.New("another erpgraph is running on this data directory")
