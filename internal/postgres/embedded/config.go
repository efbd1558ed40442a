package embedded

import (
	"errors"
	"log/slog"
)

// Version is the PostgreSQL that is run.
const Version = "17.5.0"

// Config says where the server lives.
type Config struct {
	// Dir is the data directory of erpgraph. It holds postgres/ (the server's files),
	// postgres.password, postgres.port and postgres.lock.
	Dir string
	// Logger gets the server's start, end and failures; nil discards.
	Logger *slog.Logger
	// Progress is told how many bytes of the first download are done; total is -1 when
	// unknown. nil is allowed.
	Progress func(done, total int64)
	// Settings are parameters of the server, such as "fsync".
	Settings map[string]string
}

// ErrInUse means that another process runs a server over the same directory.
var ErrInUse = errors.New("another erpgraph is running on this data directory")
