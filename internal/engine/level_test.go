package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/99designs/gqlgen/graphql"
)

// Late reads come when all others of the level have ended, one after another, in their
// order: what they have to ask ERPNext hangs on what the others have read.
func TestLateReadsWait(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ran []string
	note := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		ran = append(ran, name)
	}
	together := make(chan struct{})
	reads := []call{
		{late: true, run: func(context.Context) { note("late 1") }},
		{run: func(context.Context) { <-together; note("early") }},
		{late: true, run: func(context.Context) { note("late 2") }},
		{run: func(context.Context) { note("early"); close(together) }},
	}
	if err := (&execution{ctx: t.Context()}).runAll(reads); err != nil {
		t.Fatal(err)
	}
	if want := []string{"early", "early", "late 1", "late 2"}; !slices.Equal(ran, want) {
		t.Errorf("ran %q", ran)
	}
}

// A panic of one read, late or not, is the operation's error; the others still end.
func TestPanicsOfReads(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		ended := false
		ctx := graphql.WithOperationContext(t.Context(), &graphql.OperationContext{})
		err := (&execution{ctx: ctx}).runAll([]call{
			{late: late, run: func(context.Context) { panic("x") }},
			{late: true, run: func(context.Context) { ended = true }},
		})
		if err == nil || !ended {
			t.Errorf("late %t: %v, ended %t", late, err, ended)
		}
	}
}

// In turn, the count comes first: the rows then know what it has asked.
func TestBothInTurn(t *testing.T) {
	t.Parallel()
	var ran []string
	read := func(name string, err error) func() error {
		return func() error {
			ran = append(ran, name)
			return err
		}
	}
	errRows, errCount := both(true, true, read("rows", nil), true, read("count", errTest))
	if errRows != nil || !errors.Is(errCount, errTest) || !slices.Equal(ran, []string{"count", "rows"}) {
		t.Errorf("ran %q: %v, %v", ran, errRows, errCount)
	}
	ran = nil
	if errRows, errCount = both(true, true, read("rows", errTest), false, read("count", errTest)); errRows == nil || errCount != nil || len(ran) != 1 {
		t.Errorf("ran %q: %v, %v", ran, errRows, errCount)
	}
}
