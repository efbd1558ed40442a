package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"erpgraph/internal/apierror"
)

const (
	// readyTime bounds one check.
	readyTime = 2 * time.Second
	// readyAge is how long an answer of the checks stands, so that asking
	// /readyz, which anyone may, can't be a load on what it asks.
	readyAge = time.Second
)

// ReadyCheck is one thing that /readyz asks.
type ReadyCheck struct {
	// Name is shown: "erpnext", "postgres".
	Name string
	// Required says that nothing can be served without it; without an optional one
	// the service is "degraded" but ready.
	Required bool
	// Check returns nil when it is well. It must end with its context, which lasts
	// two seconds. The message of an *apierror.Error is shown, any other is only logged.
	Check func(ctx context.Context) error
}

// readiness is the JSON of /readyz.
type readiness struct {
	Status string        `json:"status"` // ready, degraded, unavailable
	Checks []checkResult `json:"checks"`
}

type checkResult struct {
	Name     string  `json:"name"`
	Required bool    `json:"required"`
	OK       bool    `json:"ok"`
	MS       float64 `json:"ms"`
	Error    string  `json:"error,omitempty"`
}

// readinessHandler runs the checks, at most once a second.
type readinessHandler struct {
	checks []ReadyCheck
	log    *slog.Logger

	mu   sync.Mutex
	last readiness
	at   time.Time
}

func newReadiness(checks []ReadyCheck, log *slog.Logger) *readinessHandler {
	return &readinessHandler{checks: checks, log: log}
}

// ServeHTTP answers 200, or 503 when a required check fails.
func (h *readinessHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result := h.ask(r.Context())
	status := http.StatusOK
	if result.Status == "unavailable" {
		status = http.StatusServiceUnavailable
	}
	body, err := marshal(result)
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, status, plainJSON, append(body, '\n'))
}

// ask holds the lock while the checks run: who asks meanwhile gets their answer.
func (h *readinessHandler) ask(ctx context.Context) readiness {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.at.IsZero() && time.Since(h.at) < readyAge {
		return h.last
	}
	// The answer is shared, so it must not end with the one who happened to ask.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
	defer cancel()
	results := make([]checkResult, len(h.checks))
	var group sync.WaitGroup
	for i, check := range h.checks {
		group.Go(func() { results[i] = h.run(ctx, check) })
	}
	group.Wait()
	h.last, h.at = readiness{Status: overall(results), Checks: results}, time.Now()
	return h.last
}

func (h *readinessHandler) run(ctx context.Context, check ReadyCheck) (out checkResult) {
	started := time.Now()
	out = checkResult{Name: check.Name, Required: check.Required}
	defer func() {
		if value := recover(); value != nil {
			out.OK, out.Error = false, "failed"
			h.log.LogAttrs(ctx, slog.LevelError, "ready check panicked", slog.String("check", check.Name), slog.Any("panic", value))
		}
		out.MS = float64(time.Since(started).Microseconds()) / 1000
	}()
	err := check.Check(ctx)
	if err == nil {
		out.OK = true
		return out
	}
	out.Error = "failed"
	if coded, ok := apierror.As(err); ok && coded.Code != apierror.Internal {
		out.Error = coded.Message
	}
	h.log.LogAttrs(ctx, slog.LevelWarn, "ready check failed", slog.String("check", check.Name), slog.String("cause", err.Error()))
	return out
}

func overall(results []checkResult) string {
	status := "ready"
	for _, r := range results {
		switch {
		case r.OK:
		case r.Required:
			return "unavailable"
		default:
			status = "degraded"
		}
	}
	return status
}

// alive answers as long as the process does.
func alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, http.StatusOK, plainJSON, []byte(`{"status":"alive"}`+"\n"))
}
