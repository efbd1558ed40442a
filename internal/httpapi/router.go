package httpapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// loginPath is where the handler of Options.Auth takes people to sign in.
const loginPath = "/auth/login"

// streamPath is where streams of events can be reserved.
const streamPath = "/graphql/stream"

// newRouter lays out the public surface.
func newRouter(o Options, from *origins) http.Handler {
	r := chi.NewRouter()
	p := presenter{log: o.Logger}
	if o.Auth != nil {
		p.signIn = loginPath
	}
	r.Use(withRequestID, freshDeadlines, securityHeaders, p.guard, shareAnswers(from, p), middleware.GetHead)
	r.NotFound(p.fixed(http.StatusNotFound, apierror.New(apierror.NotFound, "there is nothing at this address; the graph is at /graphql")))
	r.MethodNotAllowed(p.fixed(http.StatusMethodNotAllowed, apierror.New(apierror.BadUserInput, "this address answers GET and HEAD only")))

	who := newCallers(o, from)
	shared := newLive(o, newExecutor(o, p), who)
	overHTTP := &transport{
		live:    shared,
		uploads: newSlots("uploads", o.Limits.Uploads, o.Limits.QueueTime), uploadDir: o.UploadDir,
	}
	overSocket := &socketHandler{shared}
	overStream := &streamHandler{transport: overHTTP, reserved: newReservations(o.Limits)}
	r.HandleFunc("/graphql", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case asksForSocket(r):
			overSocket.ServeHTTP(w, r)
		case asksForStream(r) && (r.Method == http.MethodGet || r.Method == http.MethodPost):
			overStream.serveDistinct(w, r)
		default:
			overHTTP.ServeHTTP(w, r)
		}
	})
	r.Handle(streamPath, overStream)

	if o.Auth != nil {
		r.Handle("/auth/*", o.Auth)
	}
	if o.Webhooks != nil {
		r.Handle("/webhooks/erpnext", p.posted(o.Webhooks))
	}
	r.Get("/healthz", alive)
	r.Get("/readyz", newReadiness(o.Ready, o.Logger).ServeHTTP)
	if o.Files != nil {
		r.With(p.identify(who)).Method(http.MethodGet, "/private/files/*", o.Files)
	}
	if o.Playground != nil {
		r.Method(http.MethodGet, "/", o.Playground)
		r.Method(http.MethodGet, "/playground/*", o.Playground)
	}
	return r
}

// freshDeadlines lifts the write deadline that an earlier answer set on the same
// connection (writeBody); net/http itself doesn't. A body must arrive in time, also one
// that nobody reads: net/http waits for it before it takes the next request. Without a
// body a deadline would end the request when it passes.
func freshDeadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		// Not every writer has deadlines; those that have none are tests.
		_ = control.SetWriteDeadline(time.Time{})
		if r.ContentLength != 0 {
			_ = control.SetReadDeadline(time.Now().Add(readTime))
		}
		next.ServeHTTP(w, r)
	})
}

// securityHeaders holds for every answer; the playground widens the
// Content-Security-Policy for its own page.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// guard answers a panic that nothing nearer caught with one INTERNAL error.
func (p presenter) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		defer p.answerPanic(tracked, r)
		next.ServeHTTP(tracked, r)
	})
}

// answerPanic is deferred: only so does recover find the panic.
func (p presenter) answerPanic(w *trackedWriter, r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	if value == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(value)
	}
	err := p.recovered(r.Context(), value)
	if w.wrote {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	p.write(w, r, http.StatusInternalServerError, err)
}

// trackedWriter knows whether the answer has begun. Unwrap keeps deadlines,
// flushing and hijacking reachable.
type trackedWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *trackedWriter) WriteHeader(status int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackedWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *trackedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// identify puts the caller's identity into the context of a plain handler.
func (p presenter) identify(who *callers) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "private, no-store")
			w.Header().Set("Vary", "Authorization, Cookie, Origin, Sec-Fetch-Dest, Sec-Fetch-Mode, Sec-Fetch-Site")
			id, err := who.identify(r, who.origins.checkDownload)
			if err == nil {
				err = who.admit(r.Context(), id)
			}
			if err != nil {
				p.write(w, r, apierror.CodeOf(err).HTTPStatus(), err)
				return
			}
			next.ServeHTTP(w, r.WithContext(auth.With(r.Context(), id)))
		})
	}
}

// posted serves POST only.
func (p presenter) posted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			p.write(w, r, http.StatusMethodNotAllowed, apierror.New(apierror.BadUserInput, "this address answers POST only"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// fixed always gives the same refusal.
func (p presenter) fixed(status int, err error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, HEAD")
		}
		p.write(w, r, status, err)
	}
}

// write answers with one error in the form that all answers have.
func (p presenter) write(w http.ResponseWriter, r *http.Request, status int, err error) {
	a := answer{errors: gqlerror.List{p.present(r.Context(), err)}}
	body, err := a.encode()
	if err != nil {
		p.log.LogAttrs(r.Context(), slog.LevelError, "error response", slog.String("cause", err.Error()))
		http.Error(w, http.StatusText(status), status)
		return
	}
	writeBody(w, status, plainJSON, body)
}
