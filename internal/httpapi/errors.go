package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

const (
	// maxErrors bounds the errors that a request is refused with; a bad document can
	// have thousands.
	maxErrors = 100
	// maxExecutionErrors bounds the errors of a response with data. There each null that
	// may not be read has its one error, so it is far above what a person reads, and
	// still far below what a page of hidden fields would make.
	maxExecutionErrors = 1000
)

// presenter turns every error into its public form. Only an *apierror.Error has
// a text for clients; of the rest they learn that it was an internal error, and
// the log learns the cause under the request id.
type presenter struct {
	log *slog.Logger
	// signIn is where a person can sign in, "" where nobody can. It is told with
	// UNAUTHENTICATED, as extensions.loginUrl.
	signIn string
}

// present is the ErrorPresenterFunc of execution.
func (p presenter) present(ctx context.Context, err error) *gqlerror.Error {
	if err == nil {
		return nil
	}
	out := &gqlerror.Error{Path: graphql.GetPath(ctx)}
	if outer, ok := errors.AsType[*gqlerror.Error](err); ok {
		out.Path, out.Locations = outer.Path, outer.Locations
	}
	public, ok := known(err)
	if !ok && inArguments(ctx) {
		// The text is of the caller's own value, by the scalar's or input's reader.
		public, ok = apierror.Wrap(apierror.BadUserInput, err, "%s", innermost(err)), true
	}
	if !ok {
		p.logInternal(ctx, err, out.Path)
		public = apierror.Wrap(apierror.Internal, err, "internal error")
	}
	return p.fill(ctx, out, public)
}

// request makes the errors public that were found before execution: limits,
// parse and validation errors of gqlparser, bad variables.
func (p presenter) request(ctx context.Context, list gqlerror.List) gqlerror.List {
	out := make(gqlerror.List, 0, min(len(list), maxErrors))
	for _, err := range list[:min(len(list), maxErrors)] {
		public, ok := known(err)
		switch {
		case ok:
		case err.Err == nil || err.Rule != "":
			public = apierror.New(apierror.BadUserInput, "%s", err.Message)
			public.Field = variableName(err.Path)
			if public.Field != "" {
				public.Message = "variable $" + public.Field + ": " + err.Message
			}
		default:
			p.logInternal(ctx, err, nil)
			public = apierror.Wrap(apierror.Internal, err, "internal error")
		}
		out = append(out, p.fill(ctx, &gqlerror.Error{Err: err.Err, Locations: err.Locations}, public))
	}
	return out
}

// shorten cuts the sorted errors of a response; the last one left says how many more
// there were.
func (p presenter) shorten(ctx context.Context, list gqlerror.List) gqlerror.List {
	if len(list) <= maxExecutionErrors {
		return list
	}
	return append(list[:maxExecutionErrors:maxExecutionErrors], p.present(ctx, limitError("errors", maxExecutionErrors, len(list),
		"%d more errors are not shown; what they are about is null too", len(list)-maxExecutionErrors)))
}

// fill writes message and extensions; requestId is always there.
func (p presenter) fill(ctx context.Context, out *gqlerror.Error, public *apierror.Error) *gqlerror.Error {
	if out.Err == nil {
		out.Err = public
	}
	out.Message = public.Message
	out.Extensions = public.Public()
	if public.Code == apierror.Unauthenticated && p.signIn != "" {
		out.Extensions["loginUrl"] = p.signIn
	}
	if id, err := RequestID(ctx); err == nil {
		out.Extensions["requestId"] = id
	}
	return out
}

// known finds what may be shown: a coded error, or the end of the context.
func known(err error) (*apierror.Error, bool) {
	if _, logged := errors.AsType[*panicError](err); logged {
		return apierror.Wrap(apierror.Internal, err, "internal error"), true
	}
	if coded, ok := apierror.As(err); ok {
		return coded, coded.Code != apierror.Internal
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return apierror.Wrap(apierror.UpstreamTimeout, err,
			"the answer did not come within the time limit of an operation; ask for less, or in several requests"), true
	case errors.Is(err, context.Canceled):
		return apierror.Wrap(apierror.UpstreamUnavailable, err, "the request was cancelled"), true
	}
	return nil, false
}

// inArguments reports whether the error arose while gqlgen read the arguments
// of the field: it has some, and their values are not set yet.
func inArguments(ctx context.Context) bool {
	f := graphql.GetFieldContext(ctx)
	return f != nil && f.Args == nil && f.Field.Field != nil &&
		f.Field.Definition != nil && len(f.Field.Definition.Arguments) > 0
}

// innermost is the text of an error without the path and file that gqlerror adds.
func innermost(err error) string {
	if outer, ok := errors.AsType[*gqlerror.Error](err); ok {
		return outer.Message
	}
	return err.Error()
}

// variableName reads the path that gqlparser gives to a bad variable.
func variableName(path ast.Path) string {
	if len(path) < 2 || path[0] != ast.PathName("variable") {
		return ""
	}
	return path[1:].String()
}

func (p presenter) logInternal(ctx context.Context, err error, path ast.Path) {
	id, _ := RequestID(ctx)
	p.log.LogAttrs(ctx, slog.LevelError, "internal error",
		slog.String("requestId", id), slog.String("path", path.String()), slog.String("cause", err.Error()))
}

// panicError is a panic that was logged where it was caught.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// recovered is the RecoverFunc of execution: it logs the stack, once.
func (p presenter) recovered(ctx context.Context, value any) error {
	id, _ := RequestID(ctx)
	p.log.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("requestId", id), slog.String("panic", fmt.Sprint(value)), slog.String("stack", string(debug.Stack())))
	return &panicError{value: value}
}

// sortErrors puts the errors of a response in a stable order, as resolvers run
// in any: by path, then message.
func sortErrors(list gqlerror.List) {
	slices.SortStableFunc(list, func(a, b *gqlerror.Error) int {
		return cmp.Or(comparePaths(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
}

func comparePaths(a, b ast.Path) int {
	return slices.CompareFunc(a, b, func(x, y ast.PathElement) int {
		i, xIsIndex := x.(ast.PathIndex)
		j, yIsIndex := y.(ast.PathIndex)
		if xIsIndex && yIsIndex {
			return cmp.Compare(i, j)
		}
		return strings.Compare(fmt.Sprint(x), fmt.Sprint(y))
	})
}

// limitError says which limit, how much was asked, and how to mend it. actual is
// 0 where it was not counted to the end.
func limitError(limit string, maximum, actual int, format string, args ...any) *apierror.Error {
	err := apierror.New(apierror.CostLimit, format, args...)
	err.Extensions = map[string]any{"limit": limit, "max": maximum}
	if actual > 0 && actual < capped {
		err.Extensions["actual"] = actual
	}
	return err
}

// amount writes a count that may have stopped at the cap.
func amount(n, maximum int) string {
	if n >= capped {
		return "more than " + strconv.Itoa(maximum)
	}
	return strconv.Itoa(n)
}

// asGraphQL carries a coded error through gqlgen's types.
func asGraphQL(err *apierror.Error) *gqlerror.Error {
	return &gqlerror.Error{Err: err, Message: err.Message}
}

func at(err *gqlerror.Error, pos *ast.Position) *gqlerror.Error {
	if pos != nil {
		err.Locations = []gqlerror.Location{{Line: pos.Line, Column: pos.Column}}
	}
	return err
}
