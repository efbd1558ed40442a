package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// outcome is what became of one field at the root of a mutation. The fields run one
// after the other and a failed one does not undo those before it, so a client must be
// able to tell which were done: from data alone it can't where null is a good answer, or
// where the answer was too large to send.
type outcome struct {
	Field  string `json:"field"` // its key in the response
	Result result `json:"outcome"`
}

type result string

const (
	// resultDone: the field gave a value, or null without an error of its own.
	resultDone result = "DONE"
	// resultFailed: the field says that it changed nothing, or never ran.
	resultFailed result = "FAILED"
	// resultUnknown: it was sent upstream and no answer came that tells, or another request
	// with its key is still at it. Of a bulk: that holds for one of its rows.
	resultUnknown result = "UNKNOWN"
)

// noteOutcomes gives the response of a mutation extensions.outcomes, in the order in which
// the fields ran: where there are several, and where nobody knows what the only one did.
// It wants the response as executed, before anything of it is left out.
func noteOutcomes(ctx context.Context, response *graphql.Response) {
	op := graphql.GetOperationContext(ctx)
	if op.Operation == nil || op.Operation.Operation != ast.Mutation {
		return
	}
	all := outcomes(op, response)
	counts := map[result]int{}
	for _, o := range all {
		counts[o.Result]++
	}
	LogAttrs(ctx, slog.Group("outcomes",
		slog.Int("done", counts[resultDone]), slog.Int("failed", counts[resultFailed]), slog.Int("unknown", counts[resultUnknown])))
	if len(all) < 2 && counts[resultUnknown] == 0 {
		return
	}
	if response.Extensions == nil {
		response.Extensions = map[string]any{}
	}
	response.Extensions["outcomes"] = all
}

// outcomes are those of the fields as execution merges them, which leaves out what @skip
// and @include say; __typename does nothing and has none.
func outcomes(op *graphql.OperationContext, response *graphql.Response) []outcome {
	values, whole := rootValues(response.Data)
	errs := rootErrors(response.Errors)
	out := []outcome{}
	for _, f := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Mutation"}) {
		if f.Name == "__typename" {
			continue
		}
		isNull, ran := values[f.Alias]
		if !whole {
			// A field that may not be null took the whole data with it. All fields ran
			// then; which failed, only the errors tell.
			isNull, ran = true, len(errs.below) > 0
		}
		out = append(out, outcome{Field: f.Alias, Result: errs.result(f.Alias, isNull, ran)})
	}
	return out
}

// fieldErrors are the errors of a response by the field at its root that they belong to.
type fieldErrors struct {
	at      map[string]bool // of the field itself
	below   map[string]bool // of the field or of anything in its value
	unknown map[string]bool // likewise, of those that say that nobody knows
}

func rootErrors(list gqlerror.List) fieldErrors {
	errs := fieldErrors{at: map[string]bool{}, below: map[string]bool{}, unknown: map[string]bool{}}
	for _, err := range list {
		if len(err.Path) == 0 {
			continue
		}
		name, ok := err.Path[0].(ast.PathName)
		if !ok {
			continue
		}
		errs.below[string(name)] = true
		if len(err.Path) == 1 {
			errs.at[string(name)] = true
		}
		if leavesOpen(err) {
			errs.unknown[string(name)] = true
		}
	}
	return errs
}

// leavesOpen reports whether an error says that nobody knows what the write did: its answer
// got lost, or another request with its key is making it and will tell.
func leavesOpen(err *gqlerror.Error) bool {
	uncertain, _ := err.Extensions["uncertain"].(bool)
	return uncertain || err.Extensions["code"] == string(apierror.Conflict) && err.Extensions["retryAfter"] != nil
}

// result judges one field. An error further down is of one row of a bulk where it leaves
// open what was done; any other is of what was read after the write was done, also where it
// made the field null.
func (e fieldErrors) result(field string, isNull, ran bool) result {
	switch {
	case e.unknown[field]:
		return resultUnknown
	case ran && !isNull:
		return resultDone
	case e.at[field], !ran:
		return resultFailed
	default:
		return resultDone
	}
}

// rootValues tells which members of the data are null. whole is false when the data
// itself is null or absent.
func rootValues(data json.RawMessage) (isNullOf map[string]bool, whole bool) {
	if len(data) == 0 || isNull(bytes.TrimSpace(data)) {
		return nil, false
	}
	var byName map[string]json.RawMessage
	if json.Unmarshal(data, &byName) != nil {
		return nil, false // gqlgen made it, so this does not happen
	}
	isNullOf = make(map[string]bool, len(byName))
	for name, value := range byName {
		isNullOf[name] = isNull(value)
	}
	return isNullOf, true
}
