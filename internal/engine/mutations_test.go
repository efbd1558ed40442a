package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for key, ok := range map[string]bool{
		"k": true, "order-4711/2#x": true, strings.Repeat("k", 255): true,
		"": false, strings.Repeat("k", 256): false, "a b": false, "ä": false, "a\nb": false, "\x7f": false,
	} {
		if err := checkKey(key); (err == nil) != ok {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// The keys of one request's fields differ, are of one length whatever the client's key is,
// and stand for all its mutations: a retry has the same ones.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	header := "the-key"
	e := testEngine()
	e.cfg.IdempotencyKey = func(context.Context) string { return header }
	x := &execution{engine: e}
	of := func(query, alias string, vars map[string]any) (string, string) {
		t.Helper()
		op := &graphql.OperationContext{Variables: vars, Operation: &ast.OperationDefinition{Operation: ast.Mutation}}
		for name := range strings.FieldsSeq(query) {
			f := &ast.Field{Alias: name, Name: strings.TrimRight(name, "123"), Definition: &ast.FieldDefinition{Arguments: ast.ArgumentDefinitionList{{Name: "a", Type: ast.NamedType("String", nil)}}}}
			f.Arguments = ast.ArgumentList{{Name: "a", Value: &ast.Value{Kind: ast.Variable, Raw: "a"}}}
			op.Operation.SelectionSet = append(op.Operation.SelectionSet, f)
		}
		ctx := graphql.WithOperationContext(t.Context(), op)
		for _, f := range graphql.CollectFields(op, op.Operation.SelectionSet, nil) {
			if f.Alias == alias {
				key, request, err := x.idempotencyKey(ctx, f)
				if err != nil {
					t.Fatal(err)
				}
				return key, string(request)
			}
		}
		t.Fatalf("no field %s", alias)
		return "", ""
	}
	one, request := of("make1 make2", "make1", map[string]any{"a": "x"})
	two, same := of("make1 make2", "make2", map[string]any{"a": "x"})
	if one == two || request != same {
		t.Errorf("keys %s and %s of requests %q and %q", one, two, request, same)
	}
	for name, other := range map[string]func() (string, string){
		"another argument": func() (string, string) { return of("make1 make2", "make1", map[string]any{"a": "y"}) },
		"another field":    func() (string, string) { return of("make1 take2", "make1", map[string]any{"a": "x"}) },
		"a field more":     func() (string, string) { return of("make1 make2 make3", "make1", map[string]any{"a": "x"}) },
	} {
		if key, asked := other(); key != one || asked == request {
			t.Errorf("%s: key %s, request %q", name, key, asked)
		}
	}
	header = strings.Repeat("k", 255)
	if long, _ := of("make1", "make1", nil); len(long) != len(one) {
		t.Errorf("keys %q and %q", long, one)
	}
	header = ""
	if none, _ := of("make1", "make1", nil); none != "" {
		t.Errorf("no key gave %q", none)
	}
}

// Fields with the request's key wait behind one that did not come to an end. A refusal is
// an end, and what is said of the reads after a write says nothing of it.
func TestNoteOpen(t *testing.T) {
	t.Parallel()
	at := func(path ...ast.PathElement) ast.Path { return path }
	a, results, customer := ast.PathName("a"), ast.PathName("results"), ast.PathName("customer")
	for name, tt := range map[string]struct {
		path       ast.Path
		extensions map[string]any
		want       bool
	}{
		"running":           {at(a), map[string]any{"code": "CONFLICT", "retryAfter": 3}, true},
		"a row that runs":   {at(a, results, ast.PathIndex(1)), map[string]any{"code": "CONFLICT", "retryAfter": 3}, true},
		"unknown":           {at(a), map[string]any{"code": "UPSTREAM_TIMEOUT", "uncertain": true}, true},
		"a row not known":   {at(a, results, ast.PathIndex(1)), map[string]any{"code": "UPSTREAM_TIMEOUT", "uncertain": true}, true},
		"too many requests": {at(a), map[string]any{"code": "RATE_LIMITED", "retryAfter": 3}, true},
		"ERPNext is down":   {at(a), map[string]any{"code": "UPSTREAM_UNAVAILABLE"}, true},
		"of another field":  {at(ast.PathName("b")), map[string]any{"code": "CONFLICT", "retryAfter": 3}, false},
		"a conflict":        {at(a), map[string]any{"code": "CONFLICT"}, false},
		"refused":           {at(a), map[string]any{"code": "VALIDATION"}, false},
		"could not be read": {at(a, customer), map[string]any{"code": "UPSTREAM_UNAVAILABLE"}, false},
		"no path":           {nil, map[string]any{"code": "CONFLICT", "retryAfter": 3}, false},
	} {
		ctx := graphql.WithResponseContext(t.Context(), func(_ context.Context, err error) *gqlerror.Error {
			e, _ := errors.AsType[*gqlerror.Error](err)
			return e
		}, graphql.DefaultRecover)
		graphql.AddError(ctx, &gqlerror.Error{Path: tt.path, Extensions: tt.extensions})
		e := testEngine()
		e.cfg.IdempotencyKey = func(context.Context) string { return "key" }
		f := graphql.CollectedField{Field: &ast.Field{Alias: "a"}}
		x := &execution{engine: e}
		x.noteOpen(ctx, f)
		if got := x.open != nil; got != tt.want {
			t.Errorf("%s: %v", name, x.open)
		}
		if x.open != nil && (x.open.Code != apierror.Conflict || x.open.Extensions["retryAfter"] != tt.extensions["retryAfter"]) {
			t.Errorf("%s: %v", name, x.open)
		}
		f.Directives = ast.DirectiveList{{Name: "idempotent"}}
		own := &execution{engine: e}
		if own.noteOpen(ctx, f); own.open != nil {
			t.Errorf("%s: a field of its own key: %v", name, own.open)
		}
	}
}

// An argument that has no null is refused one, also where a nullable variable brings it.
func TestCheckNulls(t *testing.T) {
	t.Parallel()
	must := ast.NonNullNamedType("Boolean", nil)
	f := graphql.CollectedField{Field: &ast.Field{
		Definition: &ast.FieldDefinition{Arguments: ast.ArgumentDefinitionList{
			{Name: "private", Type: must, DefaultValue: &ast.Value{Kind: ast.BooleanValue, Raw: "true"}},
		}},
		Arguments: ast.ArgumentList{{Name: "private", Value: &ast.Value{Kind: ast.Variable, Raw: "p"}}},
	}}
	for name, tt := range map[string]struct {
		vars map[string]any
		ok   bool
		want any
	}{
		"given":     {map[string]any{"p": false}, true, false},
		"not given": {nil, true, true},
		"null":      {map[string]any{"p": nil}, false, nil},
	} {
		if err := checkNulls(f, tt.vars); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if got := argumentsOf(f, tt.vars)["private"]; got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
