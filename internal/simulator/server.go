package simulator

import (
	"cmp"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // the site's zone must be there wherever the tests run
)

// Options say what site to simulate. The zero value is an empty site in UTC.
type Options struct {
	// TimeZone is the IANA name of the site's zone, in which all its datetimes are.
	TimeZone string
	// Data is the data set: doctypes.jsonl.gz with one DocType's metadata a line,
	// singles.jsonl.gz, and for each DocType NAME.jsonl.gz with one document a line, its
	// child rows inline.
	Data fs.FS
	// Users are created, or given credentials if Data has them.
	Users []User
	// Clients may ask for OAuth tokens. They become OAuth Client documents, beside those
	// that Data has or that are made over REST.
	Clients []OAuthClient
	// TokenLife is how long an access token works, in whole seconds; an hour if zero.
	TokenLife time.Duration
	// LoginHints stand on the login page, one line each: a user's name, a blank, and a text.
	LoginHints []string
	// Logger gets one line for each request at debug level; nil discards.
	Logger *slog.Logger
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Versions are answered by get_versions; zero values stand for the recorded ones.
	Versions Versions
	// FilesDir is a directory that is there, for the contents of files that are uploaded,
	// which are then streamed both ways. Empty keeps them in memory. The files in it belong to
	// the server and its forks; nobody removes them before the directory goes.
	FilesDir string
	// MaxFileSize is how many bytes a request may bring, a file that is uploaded included: the
	// max_file_size of the site's configuration. Zero stands for 25 MiB, as on the recorded site.
	MaxFileSize int64
}

// Versions are those of the site's apps, such as "15.44.2".
type Versions struct {
	Frappe, ERPNext string
}

// User is a user of the site with all the ways to log in. Nothing but tests and demos
// hold such credentials.
type User struct {
	Name      string // an e-mail address, or Administrator
	FullName  string
	Roles     []string // added to those of the User document, if there is one
	APIKey    string
	APISecret string
	Bearer    []string // OAuth access tokens
	Password  string   // for /login; empty: no such login
	Website   bool     // not a desk user
}

// Server is a simulated site. All methods may be called concurrently.
type Server struct {
	collation *collation
	zone      *time.Location
	now       func() time.Time
	logger    *slog.Logger
	versions  Versions
	methods   map[string]method

	data  atomic.Pointer[snapshot]
	write sync.Mutex // held while the next snapshot is made
	names atomic.Uint64

	filesDir    string
	maxFileSize int64

	tokenLife  time.Duration
	loginHints []string
	pages      *template.Template
	sessions   *sessions
	secrets    *secretLog

	stampMu   sync.Mutex
	lastStamp string

	logMu sync.Mutex
	calls []Call

	faultMu sync.Mutex
	faults  []*Fault

	deliveries *deliveries // of webhooks
}

// New loads the data set and makes the server.
func New(o Options) (*Server, error) {
	s := &Server{
		collation: newCollation(), now: o.Now, logger: o.Logger, versions: o.Versions, methods: methods(),
		tokenLife: cmp.Or(o.TokenLife, time.Hour), loginHints: o.LoginHints, sessions: newSessions(), secrets: newSecretLog(),
		filesDir: o.FilesDir, maxFileSize: o.MaxFileSize, deliveries: newDeliveries(),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.versions.Frappe == "" {
		s.versions.Frappe = "15.44.2"
	}
	if s.versions.ERPNext == "" {
		s.versions.ERPNext = "15.90.0"
	}
	zone, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("simulator: time zone: %w", err)
	}
	s.zone = zone
	snap, err := load(o.Data, s.collation)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	snap.describeDocTypes(s.collation)
	snap.refreshUsers()
	snap.refreshWebhooks(s.collation)
	s.data.Store(snap)
	snap.noteSecrets(s.secrets)
	if s.pages, err = parsePages(); err != nil {
		return nil, err
	}
	for _, u := range o.Users {
		if err := s.AddUser(u); err != nil {
			return nil, err
		}
	}
	for _, c := range o.Clients {
		if err := s.AddClient(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Handler is the site: /api, the files, and a few pages for a browser.
func (s *Server) Handler() http.Handler { return s }

// siteTime is the present moment in the site's zone, in the form of the wire.
func (s *Server) siteTime() string { return s.now().In(s.zone).Format(microLayout) }

// today is the site's date, as midnight in UTC.
func (s *Server) today() time.Time {
	y, m, d := s.now().In(s.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Call is one request that the server answered.
type Call struct {
	Method  string // of HTTP
	Path    string // without query
	DocType string // empty where none is concerned
	User    string // who called; of a request for tokens, whom they are for
	Grant   string // of a request for tokens: authorization_code or refresh_token
	Status  int
	Rows    int // rows or documents answered
	Names   int // names asked for in an "in" filter
}

// Calls returns the requests since the start or the last ResetCalls, in the order in
// which they were answered.
func (s *Server) Calls() []Call {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return append([]Call(nil), s.calls...)
}

// ResetCalls forgets the calls so far.
func (s *Server) ResetCalls() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.calls = nil
}

// maxCalls bounds the log of a server that runs for long, such as the demo's.
const maxCalls = 10_000

func (s *Server) record(c Call) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	if len(s.calls) >= maxCalls {
		s.calls = append(s.calls[:0], s.calls[maxCalls/2:]...)
	}
	s.calls = append(s.calls, c)
}
