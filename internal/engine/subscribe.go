package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
)

// liveKind says what a generated subscription sends.
type liveKind int

const (
	liveChanges liveKind = iota // xChanged
	liveList                    // xsLive
	liveAny                     // documentChanged
)

// subscription is a generated field of Subscription.
type subscription struct {
	kind liveKind
	typ  *doctype.Type // nil for liveAny
}

// subscriptionsOf lists the generated subscriptions of a registry.
func subscriptionsOf(r *doctype.Registry) map[string]subscription {
	out := map[string]subscription{"documentChanged": {kind: liveAny}}
	for _, t := range r.Types() {
		if t.Source == doctype.Child {
			continue
		}
		out[t.ChangedRoot()] = subscription{kind: liveChanges, typ: t}
		if t.Plural != "" {
			out[t.LiveRoot()] = subscription{kind: liveList, typ: t}
		}
	}
	return out
}

// The bounds of what one subscription names.
const (
	maxLiveNames    = 1000
	maxLiveDocTypes = 200
)

// liveSpec is a subscription as a client asked for it.
type liveSpec struct {
	subscription

	field graphql.CollectedField
	op    *graphql.OperationContext
	// names are the documents (or ids of local rows) that the client listens to; nil: all.
	names map[string]bool
	kinds map[event.Kind]bool // nil: all
	// doctypes are those whose events are read; nil: all.
	doctypes []string
	where    *criteria.Expr
	list     *connection // of liveList
	after    *event.Cursor
	// asks stands for what is listened to, after and selection apart. text stands for the
	// operation with its variables, after apart: equal texts get equal answers.
	asks, text string
}

// Subscribe begins the subscription at hand: its events come on the channel, each read
// with the subscriber's own credential. The channel ends with ctx, or after the error that
// ends the stream was told by LiveConfig.EndStream.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, BAD_USER_INPUT, CURSOR_EXPIRED, and what a read of
// the documents may fail with.
func (e *Engine) Subscribe(ctx context.Context) (<-chan *Result, error) {
	fc := graphql.GetFieldContext(ctx)
	if fc.Args == nil {
		fc.Args = map[string]any{} // as in Resolve
	}
	if e.live == nil {
		return nil, errNoLog
	}
	spec, err := e.liveSpec(ctx, fc.Field)
	if err != nil {
		return nil, err
	}
	return e.live.subscribe(ctx, spec)
}

// liveSpec reads the arguments of a subscription.
func (e *Engine) liveSpec(ctx context.Context, f graphql.CollectedField) (*liveSpec, error) {
	op := graphql.GetOperationContext(ctx)
	sub, ok := e.subscriptions[f.Name]
	if !ok {
		return nil, fmt.Errorf("subscription %s is in the SDL but not in the registry", f.Name)
	}
	if err := checkNulls(f, op.Variables); err != nil {
		return nil, err
	}
	s := &liveSpec{subscription: sub, field: f, op: op}
	args := argumentsOf(f, op.Variables)
	if err := s.arguments(e, args); err != nil {
		return nil, err
	}
	after := args.text("after")
	if last := e.live.cfg.LastEventID(ctx); last != "" && sub.kind != liveList {
		after = last // an EventSource that connects again tells where it was, and keeps its URL
	}
	if err := s.cursor(after); err != nil {
		return nil, err
	}
	delete(args, "after")
	asked, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", f.Name, err)
	}
	s.asks = f.Name + "\x00" + string(asked)
	s.text, err = operationText(op, f)
	return s, err
}

func (s *liveSpec) cursor(text string) (err error) {
	if text == "" {
		return nil
	}
	c, err := event.ParseCursor(text)
	s.after = &c
	return err
}

func (s *liveSpec) arguments(e *Engine, args arguments) (err error) {
	if s.kind == liveAny {
		return s.docTypes(e, args)
	}
	s.doctypes = []string{s.typ.Key}
	if s.kind == liveList {
		s.list = &connection{field: s.field, typ: s.typ}
		return s.list.arguments(e, args)
	}
	if s.names, err = namesArgument(s.typ, args); err != nil {
		return err
	}
	if s.where, err = e.whereArgument(s.typ, args["where"]); err != nil {
		return err
	}
	if s.where.IsEmpty() {
		s.where = nil
	}
	if args["kinds"] == nil {
		return nil
	}
	kinds, err := args.texts("kinds")
	if err != nil {
		return err
	}
	s.kinds = map[event.Kind]bool{}
	for _, k := range kinds {
		s.kinds[event.Kind(k)] = true
	}
	return nil
}

// namesArgument are the documents that a client names; nil where it names none.
func namesArgument(t *doctype.Type, args arguments) (map[string]bool, error) {
	argument := "names"
	if t.Source == doctype.Local {
		argument = "ids"
	}
	if args[argument] == nil {
		return nil, nil
	}
	names, err := args.texts(argument)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 || len(names) > maxLiveNames {
		return nil, badInput(argument, "takes 1 to %d; leave it out to listen to all", maxLiveNames)
	}
	out := make(map[string]bool, len(names))
	for _, n := range names {
		if t.Source == doctype.Local {
			n = RowID(t.Key, n)
		}
		out[n] = true
	}
	return out, nil
}

func (s *liveSpec) docTypes(e *Engine, args arguments) error {
	if args["doctypes"] == nil {
		for _, t := range e.registry.Types() {
			if t.Source != doctype.Child {
				s.doctypes = append(s.doctypes, t.Key)
			}
		}
		return nil
	}
	keys, err := args.texts("doctypes")
	if err != nil {
		return err
	}
	if len(keys) == 0 || len(keys) > maxLiveDocTypes {
		return badInput("doctypes", "takes 1 to %d; leave it out to listen to all", maxLiveDocTypes)
	}
	for i, key := range keys {
		if t := e.registry.ByKey(key); t == nil || t.Source == doctype.Child {
			return badInput(fmt.Sprintf("doctypes.%d", i), "%q is no DocType or local type of this graph; a child table changes with its parent", shorten(key))
		}
	}
	s.doctypes = keys
	return nil
}

// operationText stands for an operation and its variables, but for the cursor: subscribers
// that differ in no more share what is read. A variable that is used elsewhere too stays.
func operationText(op *graphql.OperationContext, f graphql.CollectedField) (string, error) {
	vars := op.Variables
	if a := f.Arguments.ForName("after"); a != nil && a.Value != nil && a.Value.Kind == ast.Variable &&
		variableUses(op.Doc, a.Value.Raw) == 1 {
		vars = maps.Clone(vars)
		delete(vars, a.Value.Raw)
	}
	text, err := json.Marshal(vars)
	if err != nil {
		return "", fmt.Errorf("variables: %w", err)
	}
	sum := sha256.Sum256([]byte(op.OperationName + "\x00" + op.RawQuery + "\x00" + string(text)))
	return hex.EncodeToString(sum[:]), nil
}

// streamKey stands for the stream of a user over reconnections.
func (s *liveSpec) streamKey(user string) event.StreamKey {
	return sha256.Sum256([]byte(user + "\x00" + s.asks))
}

// passes tells whether the client wants an event at all. It is asked in the order of events.
func (s *liveSpec) passes(e event.Event) bool {
	if s.follows(e) {
		s.names[e.Name] = true // who named the document, and could read it, goes on with it
	}
	return s.wants(e.Kind) && (s.names == nil || s.names[e.Name])
}

// follows tells that a document that was named goes on under another name.
func (s *liveSpec) follows(e event.Event) bool { return e.Previous != "" && s.names[e.Previous] }

func (s *liveSpec) wants(k event.Kind) bool { return s.kinds == nil || s.kinds[k] }
