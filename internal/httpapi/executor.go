package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	gqlgen "github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// executor is gqlgen's executor behind the limits of this package. It is the
// graphql.GraphExecutor of every transport, so none can go round them.
type executor struct {
	*gqlgen.Executor
	documents     *documents
	limits        Limits
	introspection bool
	before        func(context.Context, *graphql.OperationContext) error
	presenter     presenter
}

var _ graphql.GraphExecutor = (*executor)(nil)

func newExecutor(o Options, p presenter) *executor {
	e := &executor{
		Executor:      gqlgen.New(o.Schema),
		documents:     newDocuments(o.Schema.Schema(), o.Limits, o.Introspection),
		limits:        o.Limits,
		introspection: o.Introspection,
		before:        o.Hooks.BeforeExecute,
		presenter:     p,
	}
	e.SetQueryCache(preparedCache{})
	e.SetErrorPresenter(e.presenter.present)
	e.SetRecoverFunc(e.presenter.recovered)
	e.AroundResponses(e.finish)
	if o.Hooks.AroundResponses != nil {
		e.AroundResponses(o.Hooks.AroundResponses)
	}
	if o.Hooks.AroundRootFields != nil {
		e.AroundRootFields(o.Hooks.AroundRootFields)
	}
	if o.Hooks.Trace != nil {
		e.AroundResponses(traceResponse(o.Hooks.Trace))
	}
	return e
}

// CreateOperationContext parses, validates and measures; what it returns may
// run. Its errors are public already.
func (e *executor) CreateOperationContext(ctx context.Context, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	refused := func(op *graphql.OperationContext, list gqlerror.List) (*graphql.OperationContext, gqlerror.List) {
		return op, e.presenter.request(ctx, list)
	}
	doc, errs := e.documents.get(p.Query, func(operations ast.OperationList) *gqlerror.Error {
		return refuseChange(ctx, operations.ForName(p.OperationName))
	})
	if len(errs) > 0 {
		return refused(&graphql.OperationContext{}, errs)
	}
	operation, err := choose(doc, p.OperationName)
	if err != nil {
		return refused(&graphql.OperationContext{}, gqlerror.List{err})
	}
	noteOperation(ctx, operation)
	if err := checkUploads(e.documents.schema, operation, p.Variables); err != nil {
		return refused(&graphql.OperationContext{}, gqlerror.List{err})
	}

	op, errs := e.Executor.CreateOperationContext(context.WithValue(ctx, preparedKey{}, doc), p)
	if len(errs) > 0 {
		return refused(op, errs)
	}
	op.DisableIntrospection = !e.introspection
	if err := e.checkOperation(ctx, op, doc.shapes[operation]); err != nil {
		return refused(op, gqlerror.List{err})
	}
	return op, nil
}

// refuseChange refuses a mutation that came by a method which may not change anything.
func refuseChange(ctx context.Context, operation *ast.OperationDefinition) *gqlerror.Error {
	if operation == nil || operation.Operation != ast.Mutation || !isReadOnly(ctx) {
		return nil
	}
	return at(gqlerror.Wrap(notAllowed("POST", "a mutation can't be sent by GET; send it by POST")), operation.Position)
}

// choose finds the operation to run; operationName may be left out when there is
// only one.
func choose(doc *document, name string) (*ast.OperationDefinition, *gqlerror.Error) {
	operations := doc.query.Operations
	switch found := operations.ForName(name); {
	case found != nil:
		return found, nil
	case name == "":
		return nil, gqlerror.Errorf("the document has %d operations; say in operationName which one to run", len(operations))
	default:
		return nil, gqlerror.Errorf("the document has no operation of the name given in operationName")
	}
}

// checkOperation is what needs the variables, and the engine's own view.
func (e *executor) checkOperation(ctx context.Context, op *graphql.OperationContext, s shape) *gqlerror.Error {
	if s.introspects != nil && !e.introspection {
		return at(asGraphQL(apierror.New(apierror.BadUserInput,
			"introspection is off on this server; the setting INTROSPECTION turns it on")), s.introspects)
	}
	cost := e.limits.cost(op)
	noteCost(ctx, cost)
	if cost > e.limits.Cost {
		return at(asGraphQL(limitError("cost", e.limits.Cost, cost,
			"the operation costs %s, the limit is %d; ask for smaller pages (first) or fewer fields below lists",
			amount(cost, e.limits.Cost), e.limits.Cost)), op.Operation.Position)
	}
	if s.introspects != nil {
		if err := checkIntrospection(op); err != nil {
			return err
		}
	}
	if e.before == nil {
		return nil
	}
	if err := e.before(graphql.WithOperationContext(ctx, op), op); err != nil {
		wrapped := gqlerror.Wrap(err)
		return at(wrapped, op.Operation.Position)
	}
	return nil
}

// readOnlyKey marks a request whose method may not change anything.
type readOnlyKey struct{}

func isReadOnly(ctx context.Context) bool {
	readOnly, _ := ctx.Value(readOnlyKey{}).(bool)
	return readOnly
}

// traceKey marks a request that asked for extensions.upstream.
type traceKey struct{}

func asksForTrace(r *http.Request) bool { return r.Header.Get("X-Erpgraph-Trace") == "1" }

// TraceRequested reports whether the request asked for extensions.upstream, so
// that the engine need not record what nobody reads.
func TraceRequested(ctx context.Context) bool {
	asked, _ := ctx.Value(traceKey{}).(bool)
	return asked
}

// finish is the outermost response middleware: it sees the data and errors of all others.
func (e *executor) finish(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	response := next(ctx)
	if response == nil {
		return nil
	}
	noteOutcomes(ctx, response)
	if size := len(response.Data); size > e.limits.ResponseBytes {
		err := limitError("responseBytes", e.limits.ResponseBytes, size,
			"the operation ran, but its answer has %d bytes, the limit is %d; ask for smaller pages (first) or fewer fields",
			size, e.limits.ResponseBytes)
		response.Data = json.RawMessage("null")
		response.Errors = gqlerror.List{e.presenter.present(ctx, err)}
		return response
	}
	sortErrors(response.Errors)
	response.Errors = e.presenter.shorten(ctx, response.Errors)
	return response
}

// traceResponse adds extensions.upstream inside the engine's own response context.
func traceResponse(trace func(context.Context) any) graphql.ResponseMiddleware {
	return func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		response := next(ctx)
		if response == nil || !TraceRequested(ctx) {
			return response
		}
		if value := trace(ctx); value != nil {
			if response.Extensions == nil {
				response.Extensions = map[string]any{}
			}
			response.Extensions["upstream"] = value
		}
		return response
	}
}
