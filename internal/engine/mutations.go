package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/write"
	"erpgraph/loaders"
)

// mutation is a generated field of Mutation.
type mutation struct {
	typ *doctype.Type
	// run makes the write.
	run func(ctx context.Context, w *write.Writer, a arguments) (*written, error)
	// shape says how the payload is made of what run gives.
	shape payloadShape
}

// written is what a mutation field came to.
type written struct {
	result *write.Result
	rows   []write.RowOutcome // of a bulk
}

// one gives the outcome of a write of one document.
func one(r *write.Result, err error) (*written, error) {
	if err != nil {
		return nil, err
	}
	return &written{result: r}, nil
}

// mutationsOf lists the generated mutations of a registry.
func (e *Engine) mutationsOf(r *doctype.Registry) map[string]mutation {
	out := map[string]mutation{"uploadFile": {run: runUpload, shape: uploadShape}}
	for _, t := range r.Types() {
		e.typeMutations(out, t)
	}
	for _, m := range r.Methods() {
		out[m.Name] = mutation{
			typ: r.ByKey(m.Target),
			run: func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
				return one(w.Call(ctx, m, a))
			},
			shape: methodShape(m),
		}
	}
	return out
}

func (e *Engine) typeMutations(out map[string]mutation, t *doctype.Type) {
	w := t.Writes
	add := func(on bool, name string, run func(context.Context, *write.Writer, arguments) (*written, error)) {
		if on {
			out[name] = mutation{typ: t, run: run, shape: documentShape}
		}
	}
	add(w.Create, t.CreateRoot(), func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
		return one(w.Create(ctx, t, e.inputOf(t, a), write.Options{Path: "input"}))
	})
	add(w.Update, t.UpdateRoot(), func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
		return one(w.Update(ctx, t, nameOf(t, a), e.inputOf(t, a), options(a)))
	})
	add(w.Submit, t.SubmitRoot(), func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
		return one(w.Submit(ctx, t, nameOf(t, a), options(a)))
	})
	add(w.Submit, t.CancelRoot(), func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
		return one(w.Cancel(ctx, t, nameOf(t, a), options(a)))
	})
	add(w.Submit, t.AmendRoot(), func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
		return one(w.Amend(ctx, t, nameOf(t, a), e.inputOf(t, a), options(a)))
	})
	add(w.Rename, t.RenameRoot(), func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
		merge, _ := a["merge"].(bool)
		return one(w.Rename(ctx, t, nameOf(t, a), a.text("to"), merge))
	})
	add(w.Workflow, t.WorkflowRoot(), func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
		return one(w.ApplyWorkflow(ctx, t, nameOf(t, a), a.text("action"), options(a)))
	})
	if w.Create && t.Plural != "" {
		out[t.CreateManyRoot()] = mutation{typ: t, shape: manyShape, run: func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
			var inputs []write.Input
			for _, v := range a.list("inputs") {
				input, _ := v.(map[string]any)
				inputs = append(inputs, e.input(t, input))
			}
			rows, err := w.CreateMany(ctx, t, inputs, write.Options{Path: "inputs"})
			return &written{rows: rows}, err
		}}
	}
	if w.Delete {
		out[t.DeleteRoot()] = mutation{typ: t, shape: deleteShape, run: func(ctx context.Context, w *write.Writer, a arguments) (*written, error) {
			return one(w.Delete(ctx, t, nameOf(t, a)))
		}}
	}
}

// nameOf is the document that a mutation is about: its docname, or the id of a local row.
func nameOf(t *doctype.Type, a arguments) string {
	switch t.Source {
	case doctype.Single:
		return t.Key
	case doctype.Local:
		return RowID(t.Key, a.text("id"))
	default:
		return a.text("name")
	}
}

// RowID is the id of a row of a local type as its table has it. A client may give that, or
// the global id that the graph shows.
func RowID(typeKey, id string) string {
	if key, own, err := decodeID(id); err == nil && key == typeKey {
		return own
	}
	return id
}

func options(a arguments) write.Options {
	return write.Options{Path: "input", IfModified: a.text("ifModified")}
}

func (e *Engine) inputOf(t *doctype.Type, a arguments) write.Input {
	input, _ := a["input"].(map[string]any)
	return e.input(t, input)
}

// input turns the global ids in links to local types into the ids of their rows.
func (e *Engine) input(t *doctype.Type, input map[string]any) write.Input {
	if t.Source != doctype.Local {
		return input
	}
	out := make(write.Input, len(input))
	for name, v := range input {
		f := t.Field(name)
		id, text := v.(string)
		if f != nil && text && f.Kind == doctype.Link {
			if target := e.registry.ByKey(f.Target); target != nil && target.Source == doctype.Local {
				v = RowID(target.Key, id)
			}
		}
		out[name] = v
	}
	return out
}

// mutate runs one generated field of a mutation: gqlgen asks for them one after the other.
// Each has a loader set of its own, so nothing that was read before a write is shown
// after it.
func (x *execution) mutate(ctx context.Context, f graphql.CollectedField) (*Result, error) {
	m, ok := x.engine.mutations[f.Name]
	if !ok {
		return nil, fmt.Errorf("%s is in the SDL but not in the registry", f.Name)
	}
	w, err := x.writer(ctx, f)
	if err != nil {
		return nil, err
	}
	y, p, err := x.payload(ctx, f, m)
	if err != nil {
		return nil, err
	}
	done, err := m.run(ctx, w, argumentsOf(f, y.op.Variables))
	if err != nil {
		return nil, err
	}
	return y.show(ctx, p, done)
}

// AroundRootField runs a root field, hand-written ones too. A null for an argument that has
// none is refused here: gqlgen would take it for false or an empty text. A client that leaves
// does not cut off a mutation's write in the middle, the operation's time limit does.
func (e *Engine) AroundRootField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	op, root := graphql.GetOperationContext(ctx), graphql.GetRootFieldContext(ctx)
	if root != nil {
		if err := checkNulls(root.Field, op.Variables); err != nil {
			at := &graphql.FieldContext{Parent: graphql.GetFieldContext(ctx), Object: op.Operation.Name, Field: root.Field}
			graphql.AddError(graphql.WithFieldContext(ctx, at), err)
			return graphql.Null
		}
	}
	x, ok := ctx.Value(executionKey{}).(*execution)
	if !ok || root == nil || op.Operation.Operation != ast.Mutation || ctx.Err() != nil {
		return next(ctx) // for one who has left already, nothing is begun: see writer
	}
	steady := context.WithoutCancel(ctx)
	if at, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		steady, cancel = context.WithDeadline(steady, at)
		defer cancel()
	}
	out := next(steady)
	x.noteOpen(ctx, root.Field)
	return out
}

// kept are the codes of refusals that a key remembers: the field is settled by them.
var kept = []string{
	string(apierror.Validation), string(apierror.Conflict), string(apierror.Forbidden), string(apierror.NotFound), string(apierror.BadUserInput),
}

// noteOpen notes that a field did not come to an end: nobody knows, another request with the
// same key is at it, or it failed on the way. The fields after it that have the request's
// key then wait for the next try too: made before what they follow, they would come to
// something else, and that would be kept.
func (x *execution) noteOpen(ctx context.Context, f graphql.CollectedField) {
	if !x.hasRequestKey(ctx, f) {
		return
	}
	for _, e := range graphql.GetErrors(ctx) {
		if len(e.Path) == 0 || e.Path[0] != ast.PathName(f.Alias) {
			continue
		}
		code, _ := e.Extensions["code"].(string)
		wait, uncertain := e.Extensions["retryAfter"], e.Extensions["uncertain"] == true
		if wait == nil && !uncertain && (len(e.Path) > 1 || slices.Contains(kept, code)) {
			continue // settled, or of what was read after it
		}
		x.open = apierror.New(apierror.Conflict, "not run: a field before this one did not come to its end; send the request again with the same key")
		if wait != nil {
			x.open.Extensions = map[string]any{"retryAfter": wait}
		}
		return
	}
}

// hasRequestKey tells whether a field goes by the key of the whole request.
func (x *execution) hasRequestKey(ctx context.Context, f graphql.CollectedField) bool {
	return x.engine.cfg.IdempotencyKey != nil && x.engine.cfg.IdempotencyKey(ctx) != "" && f.Directives.ForName(idempotent) == nil
}

// idempotent is the directive of one field's key.
const idempotent = "idempotent"

// writer makes the Writer of a mutation field.
func (x *execution) writer(ctx context.Context, f graphql.CollectedField) (*write.Writer, error) {
	if x.engine.cfg.Writers == nil {
		return nil, errors.New("engine: no Writers are configured")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, deadline(err)
	}
	set, err := x.newSet(ctx)
	if err != nil {
		return nil, err
	}
	key, request, err := x.idempotencyKey(ctx, f)
	if err != nil {
		return nil, err
	}
	if x.open != nil && x.hasRequestKey(ctx, f) {
		return nil, x.open
	}
	return x.engine.cfg.Writers.For(set, key, request), nil
}

// newSet makes a loader set for the caller. The sets of one response share its budget of
// upstream calls.
func (x *execution) newSet(ctx context.Context) (*loaders.Set, error) {
	if x.first == nil {
		cred, err := x.engine.cfg.Credential(ctx)
		if err != nil {
			return nil, err
		}
		x.first = loaders.NewSet(x.engine.cfg.Loaders, cred)
	}
	return x.first.Fresh(), nil
}

// begin makes the execution of one field of a mutation, that reads with a set of its own.
func (x *execution) begin(ctx context.Context) (*execution, error) {
	set, err := x.newSet(ctx)
	if err != nil {
		return nil, err
	}
	y := &execution{engine: x.engine, set: set}
	y.prepare(ctx)
	return y, nil
}

// payload compiles the selection of a payload, before anything is written: what can't be
// answered is refused while that still changes nothing.
func (x *execution) payload(ctx context.Context, f graphql.CollectedField, m mutation) (*execution, *payload, error) {
	y, err := x.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.shape(y, m.typ, f)
	if err != nil {
		return nil, nil, err
	}
	return y, p, y.checkPlan([]task{p})
}

// show reads what the payload shows, and writes it.
func (x *execution) show(ctx context.Context, p *payload, done *written) (*Result, error) {
	p.done = done
	p.start()
	if err := x.levels(); err != nil {
		// The write is done and has to be told: what could not be read is null.
		x.fail(err, p.at())
	}
	out := p.write(&writer{x: x})
	if x.over != nil {
		x.fail(x.over, p.at())
	}
	x.reportErrors(ctx)
	return out, nil
}

// idempotencyKey is the key of one field: its directive's, or the request's with the
// field's place in the operation. request is what the whole key stands for: a retry has
// the same mutations with the same arguments.
func (x *execution) idempotencyKey(ctx context.Context, f graphql.CollectedField) (key string, request []byte, err error) {
	op := graphql.GetOperationContext(ctx)
	if d := f.Directives.ForName(idempotent); d != nil {
		v, _ := goValue(d.Arguments.ForName("key").Value, op.Variables)
		key, _ = v.(string)
		if err := checkKey(key); err != nil {
			return "", nil, err
		}
		return "field:" + keyDigest(key), nil, nil
	}
	if x.engine.cfg.IdempotencyKey == nil {
		return "", nil, nil
	}
	if key = x.engine.cfg.IdempotencyKey(ctx); key == "" {
		return "", nil, nil
	}
	at := 0
	for i, other := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Mutation"}) {
		request = fmt.Appendf(request, "%s %s\n", other.Name, argumentsDigest(other, op.Variables))
		if other.Alias == f.Alias {
			at = i
		}
	}
	return fmt.Sprintf("request:%s#%d", keyDigest(key), at), request, nil
}

// keyDigest stands for a client's key: of one length, whatever the client's is.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// maxKey bounds an idempotency key, in characters.
const maxKey = 255

func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return badInput("key", "must have 1 to %d characters", maxKey)
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return badInput("key", "must be visible ASCII characters")
		}
	}
	return nil
}

// Writer gives a hand-written mutation the Writer of the caller, with the idempotency key
// of the field that is being resolved. Where the field's type is a payload of the graph,
// what can't be answered is refused here, before anything is written.
func (e *Engine) Writer(ctx context.Context) (*write.Writer, error) {
	x, fc, err := current(ctx)
	if err != nil {
		return nil, err
	}
	if t := e.payloads[fc.Field.Definition.Type.Name()]; t != nil {
		if _, _, err := x.payload(ctx, fc.Field, mutation{typ: t, shape: documentShape}); err != nil {
			return nil, err
		}
	}
	return x.writer(ctx, fc.Field)
}

// Written gives the answer of a hand-written root field whose type is a payload of the
// graph ("ServiceVisitPayload"), or a type of it: what the client selected of the document
// or row that r names is read anew, as the caller. Give mutations a payload: what was
// written and can't be read is told below it, and not as a field that failed.
func (e *Engine) Written(ctx context.Context, r *write.Result) (*Result, error) {
	x, fc, err := current(ctx)
	if err != nil {
		return nil, err
	}
	if r == nil || r.Type == nil {
		return nil, fmt.Errorf("the mutation %s has no result to show", fc.Field.Name)
	}
	shape, is := documentShape, fc.Field.Definition.Type.Name()
	switch {
	case is == r.Type.Name:
		shape = objectShape
	case is != r.Type.Payload():
		return nil, fmt.Errorf("the field %s gives a %s, and can't show a %s", fc.Field.Name, is, r.Type.Name)
	}
	y, p, err := x.payload(ctx, fc.Field, mutation{typ: r.Type, shape: shape})
	if err != nil {
		return nil, err
	}
	return y.show(ctx, p, &written{result: r})
}

// current is the field that is being resolved.
func current(ctx context.Context) (*execution, *graphql.FieldContext, error) {
	x, ok := ctx.Value(executionKey{}).(*execution)
	fc := graphql.GetFieldContext(ctx)
	if !ok || fc == nil {
		return nil, nil, errors.New("no execution in the context: the response hook of the engine is not installed")
	}
	return x, fc, nil
}

// argumentsDigest are a field's arguments in a form that tells any two apart; files count
// by what they hold.
func argumentsDigest(f graphql.CollectedField, vars map[string]any) string {
	text, err := digest(digestible(map[string]any(argumentsOf(f, vars))))
	if err != nil {
		return err.Error() // never equal to a digest
	}
	return text
}

func digestible(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = digestible(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = digestible(v[i])
		}
		return out
	case graphql.Upload:
		return digestOf(v)
	default:
		return v
	}
}
