// Package write changes things: documents of ERPNext and rows of the custom app. It is the
// only way to write, as package loaders is the only way to read. A Writer belongs to one
// mutation field and one caller: ERPNext decides on documents by the caller's own
// credential, @access on local rows, and every link of a local row is checked with that
// credential before it is stored.
//
// Nothing is written that would not come back as it was given: what ERPNext would coerce
// or drop in silence is refused before. A write is made once. Where nobody knows whether
// it was made, the error says so, and an idempotency key makes a retry look before it
// writes.
//
// Documents: document*.go make an operation, document_run.go carries it out (claim, look,
// note, call, settle), rows.go merges their child rows, explain.go says in the client's words
// what ERPNext has against it. Rows: change*.go, local.go, link.go. Values: input*.go,
// zone.go, levels.go. Keys: keys*.go; what became of a lost write: probe*.go. outbox*.go
// joins documents and rows.
package write

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
	"erpgraph/loaders"
)

// Upstream is what a Writer needs of the REST client.
type Upstream interface { //nolint:interfacebloat // a method for each thing that ERPNext can be asked to do
	loaders.Upstream
	Insert(ctx context.Context, cred frappe.Credential, doctype string, values map[string]any) (*frappe.Written, error)
	Update(ctx context.Context, cred frappe.Credential, doctype, name string, values map[string]any) (*frappe.Written, error)
	Delete(ctx context.Context, cred frappe.Credential, doctype, name string) ([]string, error)
	Rename(ctx context.Context, cred frappe.Credential, doctype, name, to string, merge bool) (*frappe.Written, error)
	ApplyWorkflow(ctx context.Context, cred frappe.Credential, doctype, name, action string) (*frappe.Written, error)
	MayDo(ctx context.Context, cred frappe.Credential, doctype, name, right string) (bool, error)
	Upload(ctx context.Context, cred frappe.Credential, up frappe.Upload) (*frappe.Written, error)
	CallMethod(ctx context.Context, cred frappe.Credential, method string, args map[string]any) (*frappe.Answer, error)
	Levels(ctx context.Context, cred frappe.Credential, doctype string) (*frappe.Levels, error)
	CountUnchecked(ctx context.Context, cred frappe.Credential, doctype string, filters []frappe.Filter) (int64, error)
}

// Config is what all Writers of a process share.
type Config struct {
	Registry *doctype.Registry
	Upstream Upstream
	// Local is the app's database: rows, idempotency keys, outboxes. nil where there is none:
	// local types and keys are then refused.
	Local *postgres.DB
	// Events logs what is written to local rows; nil logs nothing.
	Events EventLog
	Site   *loaders.Site
	// FilePath gives the path of a file ("/private/files/x") that is served under our own
	// URL, so that what was read as a URL can be written back.
	FilePath func(url string) (path string, ok bool)
	// Lease is how long a write may take before others believe that its process is gone. It
	// must be longer than the longest call. 0 means a minute. They wait for Busy besides,
	// since ERPNext need not have noticed.
	Lease time.Duration
	// Busy is how long ERPNext may go on with a request that nobody waits for any more: its
	// worker does not notice that the caller has left. A write of which nobody knows what
	// came of it stays taken for so long: who looks earlier finds nothing, and would write a
	// second time. 0 means 120 seconds, the usual limit of ERPNext's web server.
	Busy time.Duration
	// Keep is how long an idempotency key is remembered. 0 means 24 hours.
	Keep time.Duration
	// Now is the clock; nil is time.Now.
	Now    func() time.Time
	Logger *slog.Logger
	// AfterCall runs between ERPNext's answer to a write and anything that is kept of it: a
	// place for tests to end the process at. nil runs nothing.
	AfterCall func(ctx context.Context)
}

// Input is the input of a mutation: GraphQL field names, and values as GraphQL has them:
// nil, bool, string, json.Number, []any, map[string]any. Hand-written code may also give
// int, int64, float64, time.Time, []map[string]any.
type Input = map[string]any

// Result is what a write came to. It holds identity and no content: whoever shows the
// document reads it anew, as the caller.
type Result struct {
	Type *doctype.Type
	// Name is the docname, or the id of a local row.
	Name string
	// Messages are what ERPNext told its user besides.
	Messages []string
	// Value is the answer of a declared method, or the stored File of an upload, in JSON;
	// nil for all else.
	Value jsontext.Value
	// Names are the docnames of a method's list of documents.
	Names []string
	// created is the creation of a document that the write has made, as the site wrote it.
	created string
	// Replayed tells that an earlier request with the same key has made the write.
	Replayed bool
}

// RowOutcome is what one row of a bulk came to: a Result or an error.
type RowOutcome struct {
	Result *Result
	Err    error
}

// Options are the further arguments of a write.
type Options struct {
	// IfModified is the modified of the document as the client read it (RFC 3339); "" leaves
	// it open. Another one by now is a CONFLICT, and nothing is written.
	IfModified string
	// Path is where the client wrote the input, for errors. "" is "input", and of
	// [Writer.CreateMany] "inputs": its rows are "inputs.3".
	Path string
}

// Upload is a file to be stored at ERPNext.
type Upload struct {
	frappe.Upload
	// Sum is a hash of the content, for idempotency keys; nil has the Writer make one.
	Sum []byte
}

// Writers makes Writers.
type Writers struct {
	cfg    Config
	levels levelCache
}

// New makes the Writers of a process.
func New(cfg Config) *Writers {
	if cfg.Lease <= 0 {
		cfg.Lease = time.Minute
	}
	if cfg.Busy <= 0 {
		cfg.Busy = 2 * time.Minute
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Writers{cfg: cfg}
}

// For makes the Writer of one mutation field. set is the caller's, fresh. key is the
// field's idempotency key, "" for none: the first write of the Writer uses it as it is,
// the next ones with "/2", "/3", … behind, so that a hand-written mutation that is run
// again in the same order finds each of its writes. request is what else the key stands
// for, and part of the hash that a retry must repeat: the other fields of the request.
func (w *Writers) For(set *loaders.Set, key string, request []byte) *Writer {
	return &Writer{writers: w, cfg: &w.cfg, set: set, key: key, request: request}
}

// taken is how long a key or an outbox is its holder's: until the time of the operation is
// over (an upload may have much), and what ERPNext may do after its process has died.
func (c *Config) taken(ctx context.Context) time.Duration {
	lease := c.Lease
	if at, ok := ctx.Deadline(); ok {
		lease = max(lease, time.Until(at)+settleTime)
	}
	return lease + c.Busy
}

// longestWait bounds what others are told to wait: clocks differ.
const longestWait = time.Hour

// retryAfter is how many seconds others are to wait for a lease to end: by two clocks, so
// within bounds.
func (c *Config) retryAfter(leaseUntil time.Time) int {
	seconds := math.Ceil(leaseUntil.Sub(c.Now()).Seconds())
	return int(min(max(seconds, 1), longestWait.Seconds()))
}

// Writer writes for one mutation field of one caller. It is not for several goroutines.
type Writer struct {
	writers *Writers
	cfg     *Config
	set     *loaders.Set
	key     string
	request []byte // goes into every hash; see Writers.For
	uses    int
	hash    []byte // of a hand-written field's request; see Replay
	held    *claim // of the first write, taken by Replay
}

// Set gives the loader set of the caller that the Writer reads with.
func (w *Writer) Set() *loaders.Set { return w.set }
