package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/httpapi"
)

func failing(err error) resolver {
	return func(context.Context, map[string]any) (any, error) { return nil, err }
}

func TestErrorPresenter(t *testing.T) {
	t.Parallel()
	coded := (&apierror.Error{
		Code: apierror.Conflict, Message: "changed meanwhile", Cause: errors.New("hidden cause"),
		Extensions: map[string]any{"modified": "2026-01-01"},
	}).About("Sales Order", "SO-1", "status")
	for name, c := range map[string]struct {
		err     error
		code    string
		message string
		logged  string
	}{
		"coded":         {coded, "CONFLICT", "changed meanwhile", ""},
		"wrapped":       {fmt.Errorf("loader: %w", coded), "CONFLICT", "changed meanwhile", ""},
		"plain":         {errors.New("pq: hidden detail"), "INTERNAL", "internal error", "hidden detail"},
		"own internal":  {apierror.New(apierror.Internal, "hidden detail"), "INTERNAL", "internal error", "hidden detail"},
		"deadline":      {fmt.Errorf("get: %w", context.DeadlineExceeded), "UPSTREAM_TIMEOUT", "time limit", ""},
		"coded timeout": {apierror.Wrap(apierror.UpstreamTimeout, context.DeadlineExceeded, "ERPNext was slow"), "UPSTREAM_TIMEOUT", "ERPNext was slow", ""},
		"cancelled":     {context.Canceled, "UPSTREAM_UNAVAILABLE", "cancelled", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, map[string]resolver{"b": failing(c.err)}, nil)
			got := b.query(t, "{ __typename\n x: b }", nil)
			got.wantError(t, c.code, c.message)
			if got.status != 200 || string(got.has["data"]) != `{"__typename":"Query","x":null}` || len(got.errors) != 1 {
				t.Errorf("%d %s", got.status, got.body)
			}
			e := got.errors[0]
			if len(e.Path) != 1 || e.Path[0] != "x" || len(e.Locations) != 1 || e.Locations[0]["line"] != 2 {
				t.Errorf("path %v locations %v", e.Path, e.Locations)
			}
			if strings.Contains(got.body, "hidden") {
				t.Errorf("shows a cause: %s", got.body)
			}
			log := b.log.String()
			if c.logged != "" && (strings.Count(log, c.logged) != 1 || !strings.Contains(log, got.header.Get("X-Request-Id"))) {
				t.Errorf("log %s", log)
			}
			if strings.Contains(name, "coded") && (strings.Contains(log, "hidden") || strings.Contains(log, `"level":"ERROR"`)) {
				t.Errorf("log %s", log)
			}
			if c.code == "CONFLICT" {
				for key, want := range map[string]string{"doctype": "Sales Order", "name": "SO-1", "field": "status", "modified": "2026-01-01"} {
					if e.Extensions[key] != want {
						t.Errorf("extensions.%s = %v, want %s", key, e.Extensions[key], want)
					}
				}
			}
		})
	}
}

func TestRequestErrorsHavePublicCodes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for name, c := range map[string]struct {
		query     string
		variables map[string]any
		part      string
		field     any
		line      int
	}{
		"parse":             {"{ a\n ! }", nil, "Expected Name", nil, 2},
		"validate":          {"{ a\n nope }", nil, `Cannot query field "nope"`, nil, 2},
		"missing argument":  {"{ customer { name } }", nil, "name", nil, 1},
		"variable type":     {"query($n: Int) { echo(n: $n) }", map[string]any{"n": "x"}, "variable $n: cannot use", "n", 0},
		"variable missing":  {"query($l: Limit!) { needsLimit(limit: $l) }", nil, "variable $l: must be defined", "l", 0},
		"variable inner":    {"query($l: Limit) { echo(limit: $l) }", map[string]any{"l": map[string]any{"max": "x"}}, "variable $l.max", "l.max", 0},
		"no operation name": {"query A { a } query B { b }", nil, "2 operations", nil, 0},
		"only fragments":    {"fragment A on Query { a }", nil, "no operation", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, c.query, c.variables)
			got.wantError(t, "BAD_USER_INPUT", c.part)
			e := got.errors[0]
			if e.Extensions["field"] != c.field || e.Path != nil || got.status != 400 {
				t.Errorf("%d %s", got.status, got.body)
			}
			if c.line != 0 && (len(e.Locations) == 0 || e.Locations[0]["line"] != c.line) {
				t.Errorf("locations %v, want line %d", e.Locations, c.line)
			}
			if strings.Contains(got.body, "GRAPHQL_") || strings.Contains(got.body, `"file"`) {
				t.Errorf("foreign extensions: %s", got.body)
			}
			// The older media type says the same under 200.
			if old := b.do(t, call{body: params(t, c.query, c.variables)}); old.status != 200 || old.has["data"] != nil {
				t.Errorf("application/json: %d %s", old.status, old.body)
			}
		})
	}
	got := b.do(t, call{body: `{"query":"{ a }","operationName":"Nope"}`})
	got.wantError(t, "BAD_USER_INPUT", "operationName")
}

func TestManyErrorsAreCut(t *testing.T) {
	t.Parallel()
	got := setup(t, nil, nil).query(t, "{ customer(name: \"x\") {"+strings.Repeat(" nope", 2000)+" } }", nil)
	if n := len(got.errors); n == 0 || n > 100 {
		t.Errorf("%d errors", n)
	}
}

func TestErrorsAreSorted(t *testing.T) {
	t.Parallel()
	fail := func(ctx context.Context, _ map[string]any) (any, error) {
		for _, i := range []int{10, 9, 2} {
			graphql.AddError(graphql.WithPathContext(ctx, graphql.NewPathWithIndex(i)), apierror.New(apierror.NotFound, "row"))
		}
		return nil, apierror.New(apierror.NotFound, "field")
	}
	b := setup(t, map[string]resolver{"a": fail, "b": fail}, nil)
	got := b.query(t, "{ b a }", nil)
	var order []string
	for _, e := range got.errors {
		order = append(order, fmt.Sprint(e.Path...))
	}
	if want := "a,a2,a9,a10,b,b2,b9,b10"; strings.Join(order, ",") != want {
		t.Errorf("order %s, want %s", strings.Join(order, ","), want)
	}
}

// TestArgumentErrors: what a scalar says of the caller's own value is shown.
func TestArgumentErrors(t *testing.T) {
	t.Parallel()
	inArguments := func(ctx context.Context, _ map[string]any) (any, error) {
		f := *graphql.GetFieldContext(ctx)
		f.Args = nil // as it is while gqlgen reads the arguments
		graphql.AddError(graphql.WithFieldContext(ctx, &f), errors.New("2147483648 overflows Int"))
		return nil, nil
	}
	got := setup(t, map[string]resolver{"echo": inArguments, "a": inArguments}, nil).query(t, "{ echo(n: 2147483648) }", nil)
	got.wantError(t, "BAD_USER_INPUT", "overflows")
	got = setup(t, map[string]resolver{"a": inArguments}, nil).query(t, "{ a }", nil)
	got.wantError(t, "INTERNAL", "internal error")
}

func TestPanics(t *testing.T) {
	t.Parallel()
	boom := func(context.Context, map[string]any) (any, error) { panic("hidden boom") }
	b := setup(t, map[string]resolver{"a": boom}, func(o *httpapi.Options) {
		o.Hooks.AroundResponses = func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
			if graphql.GetOperationContext(ctx).OperationName == "Hook" {
				panic("hidden hook")
			}
			return next(ctx)
		}
		o.Playground = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("late") {
				_, _ = w.Write([]byte("half"))
			}
			panic("hidden page")
		})
	})
	got := b.query(t, "{ a __typename }", nil)
	got.wantError(t, "INTERNAL", "internal error")
	if got.status != 200 || len(got.errors) != 1 || string(got.has["data"]) != `{"__typename":"Query","a":null}` {
		t.Errorf("resolver: %d %s", got.status, got.body)
	}
	if log := b.log.String(); strings.Count(log, "hidden boom") != 1 || !strings.Contains(log, "errors_test.go") {
		t.Errorf("no stack, or more than one line: %s", log)
	}
	hook := b.do(t, call{body: `{"query":"query Hook { a }","operationName":"Hook"}`})
	page := b.do(t, call{method: "GET", path: "/"})
	for _, got := range []reply{hook, page} {
		got.wantError(t, "INTERNAL", "internal error")
		if got.status != 500 || strings.Contains(got.body, "hidden") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	// An answer that has begun is cut off, not finished with an error in its middle.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/?late", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(r); err == nil {
		if response.Body.Close(); response.StatusCode == 200 && response.ContentLength >= 0 {
			t.Error("a half answer looks whole")
		}
	}
	if got := b.query(t, "{ __typename }", nil); got.status != 200 {
		t.Errorf("the server is dead: %d", got.status)
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": func(ctx context.Context, _ map[string]any) (any, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("get: %w", ctx.Err())
	}}, func(o *httpapi.Options) { o.Limits.Time = 20 * time.Millisecond })
	got := b.query(t, "{ a __typename }", nil)
	got.wantError(t, "UPSTREAM_TIMEOUT", "time limit")
	if string(got.has["data"]) != `{"__typename":"Query","a":null}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	late := setup(t, nil, func(o *httpapi.Options) {
		o.Limits.Time = time.Millisecond
		o.Hooks.BeforeExecute = func(ctx context.Context, _ *graphql.OperationContext) error {
			<-ctx.Done()
			return nil
		}
	}).query(t, "{ a }", nil)
	late.wantError(t, "UPSTREAM_TIMEOUT", "time limit")
	if late.status != http.StatusGatewayTimeout {
		t.Errorf("%d %s", late.status, late.body)
	}
}

func TestOperationLog(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": failing(apierror.New(apierror.NotFound, "secret-text")), "b": failing(apierror.New(apierror.Forbidden, "no"))},
		func(o *httpapi.Options) {
			o.Hooks.AroundResponses = func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
				defer httpapi.LogAttrs(ctx, intAttr("upstreamCalls", 3))
				return next(ctx)
			}
		})
	got := b.do(t, call{
		body:   `{"query":"query Orders($t: String) { a b echo(text: $t) }","variables":{"t":"secret-variable"}}`,
		header: map[string]string{"Authorization": "token key:secret-token", "X-Request-Id": "proxy-id-1234"},
	})
	if got.header.Get("X-Request-Id") != "proxy-id-1234" {
		t.Errorf("request id %q", got.header.Get("X-Request-Id"))
	}
	b.do(t, call{body: `{`})
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one for each request: %s", len(lines), b.log)
	}
	if strings.Contains(b.log.String(), "secret") {
		t.Errorf("the log says too much: %s", b.log)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"msg": "operation", "operation": "Orders", "type": "query", "requestId": "proxy-id-1234", "cost": 3.0, "status": 200.0,
		"code": "FORBIDDEN,NOT_FOUND", "upstreamCalls": 3.0,
	} {
		if line[key] != want {
			t.Errorf("%s = %v, want %v", key, line[key], want)
		}
	}
	if caller, ok := line["caller"].(string); !ok || len(caller) != 16 {
		t.Errorf("caller %v", line["caller"])
	}
	if ms, ok := line["ms"].(float64); !ok || ms < 0 {
		t.Errorf("ms %v", line["ms"])
	}
	httpapi.LogAttrs(t.Context(), intAttr("outside", 1)) // does nothing
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	b := setup(t, map[string]resolver{"a": func(ctx context.Context, _ map[string]any) (any, error) {
		id, err := httpapi.RequestID(ctx)
		seen <- id
		return id, err
	}}, nil)
	for given, keep := range map[string]bool{
		"abc-DEF_1.23": true, strings.Repeat("a", 128): true,
		"": false, "short": false, "with space": false, "line\tbreak": false, "<script>alert": false, strings.Repeat("a", 129): false, "käse-käse": false,
	} {
		got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"X-Request-Id": given}})
		id := got.header.Get("X-Request-Id")
		if (id == given) != keep || id != <-seen || len(id) < 8 {
			t.Errorf("%q → %q", given, id)
		}
	}
	got := b.do(t, call{body: `{"query":"{ a }"}`, headers: http.Header{"X-Request-Id": {"id-number-1", "id-number-2"}}})
	if id := got.header.Get("X-Request-Id"); strings.HasPrefix(id, "id-number") || id != <-seen {
		t.Errorf("two ids → %q", id)
	}
	if _, err := httpapi.RequestID(t.Context()); !errors.Is(err, httpapi.ErrNoRequest) {
		t.Errorf("outside: %v", err)
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	type perResponse struct{}
	b := setup(t, map[string]resolver{"a": func(ctx context.Context, _ map[string]any) (any, error) {
		if calls, ok := ctx.Value(perResponse{}).(*int); ok {
			*calls++
		}
		return fmt.Sprint(httpapi.TraceRequested(ctx)), nil
	}}, func(o *httpapi.Options) {
		o.Hooks.AroundResponses = func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
			return next(context.WithValue(ctx, perResponse{}, new(int)))
		}
		o.Hooks.Trace = func(ctx context.Context) any {
			return map[string]any{"calls": ctx.Value(perResponse{})}
		}
	})
	for header, want := range map[string]string{
		"1": `{"data":{"a":"true"},"extensions":{"upstream":{"calls":1}}}`,
		"0": `{"data":{"a":"false"}}`, "": `{"data":{"a":"false"}}`, "true": `{"data":{"a":"false"}}`,
	} {
		got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"X-Erpgraph-Trace": header}})
		if strings.TrimSpace(got.body) != want {
			t.Errorf("%q: %s, want %s", header, got.body, want)
		}
	}
}

// TestErrorsOfAResponseAreBounded: the first by path stay, and the last says how many
// there were.
func TestErrorsOfAResponseAreBounded(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1000, 1001, 5000} {
		b := setup(t, map[string]resolver{"a": func(ctx context.Context, _ map[string]any) (any, error) {
			op := graphql.GetOperationContext(ctx)
			for i := range n {
				at := graphql.WithPathContext(ctx, graphql.NewPathWithIndex(n-1-i))
				op.Error(at, apierror.New(apierror.Forbidden, "hidden"))
			}
			return "there", nil
		}}, nil)
		got := b.query(t, "{ a }", nil)
		got.wantError(t, "FORBIDDEN", "hidden")
		if got.status != 200 || string(got.has["data"]) != `{"a":"there"}` || len(got.errors) != min(n, 1001) {
			t.Fatalf("%d: status %d, %d errors", n, got.status, len(got.errors))
		}
		if path := got.errors[999].Path; path[len(path)-1] != 999.0 {
			t.Errorf("%d: error 999 is about %v", n, path)
		}
		if n == 1000 {
			continue
		}
		last := got.errors[1000]
		if last.Extensions["code"] != "COST_LIMIT" || last.Extensions["limit"] != "errors" ||
			!strings.HasPrefix(last.Message, fmt.Sprint(n-1000, " more errors")) {
			t.Errorf("%d: %+v", n, last)
		}
	}
}

// TestResponseBytes: an answer that is too large is an error in its place.
func TestResponseBytes(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"b": failing(apierror.New(apierror.Forbidden, "hidden"))},
		func(o *httpapi.Options) { o.Limits.ResponseBytes = 100 })
	if got := b.query(t, `{ echo(text: "`+strings.Repeat("x", 89)+`") }`, nil); got.errors != nil {
		t.Errorf("at the limit: %s", got.body)
	}
	got := b.query(t, `{ b echo(text: "`+strings.Repeat("x", 200)+`") }`, nil)
	got.wantError(t, "COST_LIMIT", "the limit is 100")
	if got.status != 200 || len(got.errors) != 1 || got.errors[0].Extensions["limit"] != "responseBytes" || string(got.has["data"]) != "null" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
