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

// newRouter lays out the public surface. There is no CORS: a browser page of
// another origin can't read an answer, and as no cookie counts, it can't borrow
// a caller's rights either.
func newRouter(o Options) http.Handler {
	r := chi.NewRouter()
	p := presenter{log: o.Logger}
	r.Use(withRequestID, freshDeadlines, securityHeaders, p.guard, middleware.GetHead)
	r.NotFound(p.fixed(http.StatusNotFound, apierror.New(apierror.NotFound, "there is nothing at this address; the graph is at /graphql")))
	r.MethodNotAllowed(p.fixed(http.StatusMethodNotAllowed, apierror.New(apierror.BadUserInput, "this address answers GET and HEAD only")))

	exec := newExecutor(o)
	r.Handle("/graphql", &transport{exec: exec, limits: o.Limits, slots: newSlots(o.Limits.Concurrent, o.Limits.QueueTime)})

	r.Get("/healthz", alive)
	r.Get("/readyz", newReadiness(o.Ready, o.Logger).ServeHTTP)
	if o.Files != nil {
		r.With(p.identify).Method(http.MethodGet, "/private/files/*", o.Files)
	}
	if o.Playground != nil {
		r.Method(http.MethodGet, "/", o.Playground)
		r.Method(http.MethodGet, "/playground/*", o.Playground)
	}
	return r
}

// freshDeadlines lifts the write deadline that an earlier answer set on the same
// connection (writeBody); net/http itself doesn't.
func freshDeadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not every writer has deadlines; those that have none are tests.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
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
func (p presenter) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := auth.FromHeader(r.Header)
		if err != nil {
			p.write(w, r, http.StatusUnauthorized, err)
			return
		}
		w.Header().Set("Cache-Control", "private, no-store")
		w.Header().Set("Vary", "Authorization")
		next.ServeHTTP(w, r.WithContext(auth.With(r.Context(), id)))
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
