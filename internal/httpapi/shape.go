package httpapi

import (
	"math"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// shape is what an operation looks like before anything is known of its
// variables, its fragments expanded.
type shape struct {
	depth      int
	aliases    int
	rootFields int
	// repeats is how often one selection set writes the same response key.
	repeats int
	// introspects and defers point at the first use, nil where there is none.
	introspects, defers *ast.Position
}

// shapesOf measures every operation. It runs before validation, so fragments
// may be missing or spread themselves; each is measured once, so its time is
// linear in the document whatever the fragments do.
func shapesOf(doc *ast.QueryDocument) map[*ast.OperationDefinition]shape {
	m := measuring{
		fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)),
		done:      make(map[string]shape, len(doc.Fragments)),
		open:      make(map[string]bool),
	}
	for _, f := range doc.Fragments {
		m.fragments[f.Name] = f
	}
	out := make(map[*ast.OperationDefinition]shape, len(doc.Operations))
	for _, op := range doc.Operations {
		out[op] = m.selections(op.SelectionSet)
	}
	return out
}

// maxRepeats bounds repeats. Clients that put fragments together write a key a
// few times; validation compares each pair, so thousands would take seconds.
const maxRepeats = 100

type measuring struct {
	fragments map[string]*ast.FragmentDefinition
	done      map[string]shape
	open      map[string]bool
}

func (m *measuring) selections(set ast.SelectionSet) shape {
	s := shape{repeats: repeats(set)}
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			s.merge(m.field(selection))
		case *ast.InlineFragment:
			s.merge(m.selections(selection.SelectionSet))
			s.noteDefer(selection.Directives)
		case *ast.FragmentSpread:
			s.merge(m.fragment(selection.Name))
			s.noteDefer(selection.Directives)
		}
	}
	return s
}

// repeats is exact only where it can be above the bound.
func repeats(set ast.SelectionSet) int {
	if len(set) <= maxRepeats {
		return 1
	}
	most, times := 0, make(map[string]int)
	for _, selection := range set {
		if f, ok := selection.(*ast.Field); ok {
			times[f.Alias]++
			most = max(most, times[f.Alias])
		}
	}
	return most
}

func (m *measuring) field(f *ast.Field) shape {
	s := m.selections(f.SelectionSet)
	s.rootFields = 1
	s.depth = addCapped(s.depth, 1)
	if f.Name == "__schema" || f.Name == "__type" {
		// Introspection has a depth rule of its own in validation; tools nest ofType far.
		s.depth, s.introspects = 1, f.Position
	}
	if f.Alias != "" && f.Alias != f.Name {
		s.aliases = addCapped(s.aliases, 1)
	}
	return s
}

// fragment measures a fragment once. A cycle counts as nothing here: validation
// refuses it next.
func (m *measuring) fragment(name string) shape {
	if s, ok := m.done[name]; ok {
		return s
	}
	f := m.fragments[name]
	if f == nil || m.open[name] {
		return shape{}
	}
	m.open[name] = true
	s := m.selections(f.SelectionSet)
	delete(m.open, name)
	m.done[name] = s
	return s
}

func (s *shape) merge(o shape) {
	s.depth = max(s.depth, o.depth)
	s.repeats = max(s.repeats, o.repeats)
	s.aliases = addCapped(s.aliases, o.aliases)
	s.rootFields = addCapped(s.rootFields, o.rootFields)
	if s.introspects == nil {
		s.introspects = o.introspects
	}
	if s.defers == nil {
		s.defers = o.defers
	}
}

func (s *shape) noteDefer(directives ast.DirectiveList) {
	if d := directives.ForName("defer"); d != nil && s.defers == nil {
		s.defers = d.Position
	}
}

// checkShape refuses an operation that is too deep or too wide.
func (l Limits) checkShape(op *ast.OperationDefinition, s shape) *gqlerror.Error {
	for _, c := range []struct {
		limit, noun string
		actual, max int
		mend        string
	}{
		{"depth", "levels of fields", s.depth, l.Depth, "ask for the inner part in a request of its own"},
		{"aliases", "aliases", s.aliases, l.Aliases, "use fewer, or one list with a filter instead of many single fields"},
		{"repeatedFields", "repetitions of one field", s.repeats, maxRepeats, "write each field once"},
		{"rootFields", "fields at its root", s.rootFields, l.RootFields, "split the operation into several requests"},
	} {
		if c.actual > c.max {
			err := limitError(c.limit, c.max, c.actual,
				"the operation has %s %s, the limit is %d; %s", amount(c.actual, c.max), c.noun, c.max, c.mend)
			return at(asGraphQL(err), op.Position)
		}
	}
	if s.defers != nil {
		return at(asGraphQL(apierror.New(apierror.BadUserInput,
			"@defer is not served; remove it, or ask for that part in a request of its own")), s.defers)
	}
	return nil
}

// capped is where counts stop growing: far above every limit, far below overflow.
const capped = math.MaxInt32

func addCapped(a, b int) int { return min(a+b, capped) }

func mulCapped(a, b int) int {
	if a != 0 && b > capped/a {
		return capped
	}
	return min(a*b, capped)
}
