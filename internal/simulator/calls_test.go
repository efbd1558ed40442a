package simulator_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"erpgraph/internal/simulator"
)

// watched notes how many calls were on record when the answer began.
type watched struct {
	http.ResponseWriter
	s     *simulator.Server
	calls int
}

func (w *watched) WriteHeader(status int) {
	w.calls = len(w.s.Calls())
	w.ResponseWriter.WriteHeader(status)
}

// TestCallsBeforeAnswer checks that whoever has an answer finds its call on record.
func TestCallsBeforeAnswer(t *testing.T) {
	t.Parallel()
	for path, status := range map[string]int{
		"/api/resource/Customer":      http.StatusOK,
		"/api/resource/Customer/None": http.StatusNotFound,
		"/nowhere":                    http.StatusNotFound,
		"/api/resource/Item":          http.StatusTooManyRequests,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s, _ := demoServer(t)
			s.SetFault(simulator.Fault{DocType: "Item", Status: http.StatusTooManyRequests})
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Header.Set("Authorization", "Bearer sales-demo-token")
			w := &watched{ResponseWriter: httptest.NewRecorder(), s: s}
			s.Handler().ServeHTTP(w, r)
			calls := s.Calls()
			if w.calls != 1 || len(calls) != 1 || calls[0].Status != status {
				t.Errorf("%d calls on record before the answer, then %v", w.calls, calls)
			}
		})
	}
}
