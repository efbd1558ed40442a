package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/auth"
)

// Options is what the composition root gives. Only Schema is required.
type Options struct {
	Schema graphql.ExecutableSchema
	// Limits bounds every operation; fields that are zero take DefaultLimits.
	Limits Limits
	// Introspection lets clients ask for __schema and __type, without a credential too.
	Introspection bool
	// Hooks connects the engine.
	Hooks Hooks

	// Authenticate finds the caller of a request: nobody and no error when it carries no
	// credential, an UNAUTHENTICATED *apierror.Error when it carries one that does not
	// count. A header must win over a cookie. nil is auth.FromHeader.
	Authenticate func(r *http.Request) (auth.Identity, error)
	// Admit refuses callers whom nothing should be done for, such as disabled users. It
	// is asked for each operation, once it has its slot, and for each file; never for
	// nobody. nil lets everybody in.
	Admit func(ctx context.Context, id auth.Identity) error
	// Alive is asked every Limits.SocketCheck for each open socket that has a caller.
	// UNAUTHENTICATED closes the socket with 4401; other errors say nothing about the
	// caller and are ignored until the next time. nil asks nothing.
	Alive func(ctx context.Context, id auth.Identity) error
	// User names whom a credential belongs to. It is asked when a socket's caller is
	// known and when another credential is handed over on it, which must be of the same
	// user; and before the files of a request are read, where its error refuses them.
	// nil refuses such handovers, and takes files from any credential that Admit lets in.
	User func(ctx context.Context, id auth.Identity) (string, error)
	// Auth serves /auth/*, the browser's sign-in at /auth/login among it; nil leaves it
	// out. It protects itself against forged requests.
	Auth http.Handler
	// PublicURL is the address under which browsers know the service: its origin may use
	// a session's cookie. Empty: the host that a request was sent to.
	PublicURL string
	// Origins are the further origins that may use a session's cookie and read answers
	// (CORS), each exactly as a browser sends it: https://app.example.com.
	Origins []string

	// UploadDir is where the files of a request are stored while it is served: up to
	// Limits.Uploads times Limits.UploadBytes. "" is os.TempDir(), which on many systems
	// is in memory.
	UploadDir string

	// Playground serves GET / and GET /playground/*, its files; nil leaves both out.
	// It may replace the Content-Security-Policy header.
	Playground http.Handler
	// Files serves GET /private/files/*; nil leaves it out. It finds the caller
	// by auth.FromContext.
	Files http.Handler
	// Webhooks serves POST /webhooks/erpnext; nil leaves it out. ERPNext is no browser and
	// nobody's user: the handler finds out itself who sends, and bounds what it reads.
	Webhooks http.Handler
	// Ready is what /readyz asks.
	Ready []ReadyCheck
	// Logger takes the operation lines and internal errors; nil is slog.Default().
	Logger *slog.Logger
}

// Hooks is how the engine takes part without being known here. Each may be nil.
type Hooks struct {
	// BeforeExecute runs once for each operation, after all limits of this package
	// and before any resolver. ctx carries the identity and the operation context.
	// An error refuses the operation: nothing is executed.
	BeforeExecute func(ctx context.Context, op *graphql.OperationContext) error
	// AroundResponses wraps the making of each single response (one for a query,
	// one for each event of a stream): the place of a fresh loader set.
	AroundResponses graphql.ResponseMiddleware
	// AroundRootFields wraps each root field.
	AroundRootFields graphql.RootFieldMiddleware
	// Trace gives extensions.upstream for a request that carries
	// X-Erpgraph-Trace: 1. It runs inside AroundResponses, after the resolvers.
	// Its value is encoded as JSON; nil leaves the extension out.
	Trace func(ctx context.Context) any
}

// Limits bounds one request. A zero field takes the value of DefaultLimits.
type Limits struct {
	// BodyBytes bounds the body of a POST, and a message on a socket. Of a request that
	// carries files it bounds what says where they go.
	BodyBytes int64
	// DocumentTokens bounds the GraphQL document in lexical tokens, comments included.
	DocumentTokens int
	// Depth bounds how deep fields nest; introspection is not counted.
	Depth int
	// Aliases bounds the aliased fields of an operation, fragments expanded.
	Aliases int
	// RootFields bounds the fields at the root of an operation.
	RootFields int
	// Cost bounds the work of an operation; see cost.go for how it is counted.
	Cost int
	// DefaultPage is the page size that a connection has without first or last, for the cost.
	DefaultPage int
	// ListSize is the length that a list without a page size is taken to have, for the cost.
	ListSize int
	// ResponseBytes bounds the data of one response, as JSON.
	ResponseBytes int
	// Time is the deadline of an operation, from the body's arrival to the last resolver. One
	// with files has a second more for each 32 KiB of them, each counted once for each place
	// that it goes to: the pace that an upload to ERPNext may have (package frappe).
	Time time.Duration
	// UploadBytes bounds the body of a request that carries files.
	UploadBytes int64
	// UploadFiles bounds the files that one request hands to its resolvers; one that goes
	// to two places counts twice.
	UploadFiles int
	// Uploads bounds the requests with files that are received or served at once in this
	// process. One user has a quarter of them at most; without a credential there is none.
	Uploads int

	// Concurrent bounds the operations that run at once in this process. One
	// credential has a quarter of them at most, requests without one an eighth.
	Concurrent int
	// QueueTime is how long a request waits for one of those slots, or of those of Uploads.
	QueueTime time.Duration
	// CacheBytes bounds the parsed documents kept, by the length of their text.
	CacheBytes int

	// Sockets bounds the open sockets and streams of events of this process,
	// SocketsPerCaller those of one credential; an eighth of Sockets may be open without
	// one. All limits of sockets hold for streams of events as well.
	Sockets, SocketsPerCaller int
	// SocketOperations bounds what runs at once on one socket, subscriptions included.
	SocketOperations int
	// SocketInit is how long a client may take for connection_init.
	SocketInit time.Duration
	// SocketPing is how often the client is asked for a sign of life, and how long it
	// may take for it.
	SocketPing time.Duration
	// SocketWrite is how long a client may take to read one message, or to let those
	// before it through.
	SocketWrite time.Duration
	// SocketCheck is how often Options.Alive is asked.
	SocketCheck time.Duration
	// SocketLifetime is how long a socket may stay open, SocketIdle how long one on which
	// nothing runs.
	SocketLifetime, SocketIdle time.Duration
	// StreamReservation is how long a place for a stream of events is kept for it to come.
	StreamReservation time.Duration
}

// DefaultLimits returns the limits that hold when nothing is set. Cost leaves
// room for what the product is for, 500 orders with their rows and what those
// link to (about 65,000), and is reached by nesting two such lists.
func DefaultLimits() Limits {
	return Limits{
		BodyBytes:      1 << 20,
		DocumentTokens: 5000,
		Depth:          15,
		Aliases:        50,
		RootFields:     30,
		Cost:           100_000,
		DefaultPage:    20,
		ListSize:       10,
		ResponseBytes:  64 << 20,
		Time:           30 * time.Second,
		UploadBytes:    128 << 20,
		UploadFiles:    10,
		Uploads:        8,
		Concurrent:     256,
		QueueTime:      2 * time.Second,
		CacheBytes:     4 << 20,

		Sockets:          10_000,
		SocketsPerCaller: 200,
		SocketOperations: 100,
		SocketInit:       10 * time.Second,
		SocketPing:       25 * time.Second,
		SocketWrite:      10 * time.Second,
		SocketCheck:      15 * time.Second,
		SocketLifetime:   12 * time.Hour,
		SocketIdle:       10 * time.Minute,

		StreamReservation: 30 * time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	setDefault(&l.BodyBytes, d.BodyBytes)
	setDefault(&l.DocumentTokens, d.DocumentTokens)
	setDefault(&l.Depth, d.Depth)
	setDefault(&l.Aliases, d.Aliases)
	setDefault(&l.RootFields, d.RootFields)
	setDefault(&l.Cost, d.Cost)
	setDefault(&l.DefaultPage, d.DefaultPage)
	setDefault(&l.ListSize, d.ListSize)
	setDefault(&l.ResponseBytes, d.ResponseBytes)
	setDefault(&l.Time, d.Time)
	setDefault(&l.UploadBytes, d.UploadBytes)
	setDefault(&l.UploadFiles, d.UploadFiles)
	setDefault(&l.Uploads, d.Uploads)
	setDefault(&l.Concurrent, d.Concurrent)
	setDefault(&l.QueueTime, d.QueueTime)
	setDefault(&l.CacheBytes, d.CacheBytes)
	setDefault(&l.Sockets, d.Sockets)
	setDefault(&l.SocketsPerCaller, d.SocketsPerCaller)
	setDefault(&l.SocketOperations, d.SocketOperations)
	setDefault(&l.SocketInit, d.SocketInit)
	setDefault(&l.SocketPing, d.SocketPing)
	setDefault(&l.SocketWrite, d.SocketWrite)
	setDefault(&l.SocketCheck, d.SocketCheck)
	setDefault(&l.SocketLifetime, d.SocketLifetime)
	setDefault(&l.SocketIdle, d.SocketIdle)
	setDefault(&l.StreamReservation, d.StreamReservation)
	return l
}

// setDefault replaces what is zero, and what is negative: no value switches a limit off.
func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// New makes the handler of the whole public surface. The error names the option
// that is missing or wrong. Sockets outlive their requests: they stay open until their
// client, their limits or Serve ends them, and only Serve waits for them.
func New(o Options) (http.Handler, error) {
	if o.Schema == nil {
		return nil, errors.New("httpapi: Options.Schema is required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Limits = o.Limits.withDefaults()
	from, err := newOrigins(o.PublicURL, o.Origins)
	if err != nil {
		return nil, err
	}
	return newRouter(o, from), nil
}
