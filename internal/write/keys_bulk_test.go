package write_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/write"
)

// TestKeyTwins has two documents that could be the lost one: nobody can tell, and nothing
// is written.
func TestKeyTwins(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	input := write.Input{"subject": "twin", "customer": "Semi;Colon"}
	w.lose.Store(1)
	if _, err := w.as(sales, "k").Create(ctx, ticket, input, write.Options{}); !write.Uncertain(err) {
		t.Fatal(err)
	}
	twin := w.must(w.as(sales, "").Create(ctx, ticket, input, write.Options{}))
	n := w.count(ticket.Key)
	_, err := w.as(sales, "k").Create(ctx, ticket, input, write.Options{})
	e := wantError(t, err, apierror.Conflict)
	candidates, _ := e.Extensions["candidates"].([]string)
	if len(candidates) != 2 || candidates[1] != twin.Name || w.count(ticket.Key) != n {
		t.Errorf("extensions %v, %d tickets, before %d", e.Extensions, w.count(ticket.Key), n)
	}
}

// TestKeyTwinsOfABulk loses the first of two equal rows on the way: the second is known to
// be another write's, and not taken for it.
func TestKeyTwinsOfABulk(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	input := write.Input{"subject": "twin", "customer": "Semi;Colon"}
	w.drop.Store(1)
	before := w.count(ticket.Key)
	first, err := w.as(sales, "k").CreateMany(ctx, ticket, []write.Input{input, input}, write.Options{})
	if err != nil || !write.Uncertain(first[0].Err) || first[1].Err != nil {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := w.as(sales, "k").CreateMany(ctx, ticket, []write.Input{input, input}, write.Options{})
	if err != nil {
		t.Fatal(err)
	}
	one, two := w.must(again[0].Result, again[0].Err), w.must(again[1].Result, again[1].Err)
	if one.Name == two.Name || one.Replayed || two.Name != first[1].Result.Name || w.count(ticket.Key) != before+2 {
		t.Errorf("%+v and %+v, %d tickets", one, two, w.count(ticket.Key)-before)
	}
}

// TestKeyByRows loses a write before it is made, while other documents of the same caller
// have come that differ in their rows alone: they are not taken for the lost one. Where no
// key tells that they are of other writes, nobody can tell.
func TestKeyByRows(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	input := func(items ...string) write.Input {
		rows := make([]any, len(items))
		for i, item := range items {
			rows[i] = map[string]any{"item": item}
		}
		return write.Input{"subject": "by rows", "customer": "Semi;Colon", "lines": rows}
	}
	w.drop.Store(1)
	if _, err := w.as(sales, "k").Create(ctx, ticket, input("ITEM-00010", "ITEM-00011"), write.Options{}); !write.Uncertain(err) {
		t.Fatal(err)
	}
	w.must(w.as(sales, "o1").Create(ctx, ticket, input("ITEM-00010"), write.Options{}))
	other := w.must(w.as(sales, "").Create(ctx, ticket, input("ITEM-00010", "ITEM-00012"), write.Options{}))
	if _, err := w.as(sales, "k").Create(ctx, ticket, input("ITEM-00010", "ITEM-00011"), write.Options{}); !write.Uncertain(err) {
		t.Errorf("another document of no key: %v", err)
	}
	w.must(w.as(manager, "").Delete(ctx, ticket, other.Name))
	if r := w.must(w.as(sales, "k").Create(ctx, ticket, input("ITEM-00010", "ITEM-00011"), write.Options{})); r.Replayed || w.writes.Load() != 4 {
		t.Errorf("%+v after %d writes", r, w.writes.Load())
	}
	// Lost again, this time after it was made: its rows tell which one it is.
	w.lose.Store(1)
	if _, err := w.as(sales, "k2").Create(ctx, ticket, input("ITEM-00012", "ITEM-00011"), write.Options{}); !write.Uncertain(err) {
		t.Fatal(err)
	}
	w.must(w.as(sales, "").Create(ctx, ticket, input("ITEM-00010", "ITEM-00011"), write.Options{}))
	if r := w.must(w.as(sales, "k2").Create(ctx, ticket, input("ITEM-00012", "ITEM-00011"), write.Options{})); !r.Replayed {
		t.Errorf("%+v", r)
	}
}

func TestKeyOfBulk(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	inputs := []write.Input{{"subject": "a", "customer": "Semi;Colon"}, {"subject": "b", "customer": "Semi;Colon"}, {"subject": "b", "customer": "Nobody Ltd"}}
	var names [2][]string
	for try := range names {
		wr := w.as(sales, "bulk")
		rows, err := wr.CreateMany(ctx, ticket, inputs, write.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			name := fmt.Sprint(apierror.CodeOf(row.Err))
			if row.Result != nil {
				name = row.Result.Name
			}
			names[try] = append(names[try], name)
		}
		// The next write of the same field has a key of its own.
		names[try] = append(names[try], w.must(wr.Create(ctx, ticket, write.Input{"subject": "next", "customer": "Semi;Colon"}, write.Options{})).Name)
	}
	if fmt.Sprint(names[0]) != fmt.Sprint(names[1]) || names[0][2] != "VALIDATION" || w.writes.Load() != 4 {
		t.Errorf("%v after %d writes", names, w.writes.Load())
	}
}

var errOver = errors.New("the time is over")

// TestBulkOutOfTime ends the time after the first row: the rest says that it was not
// written, and is not.
func TestBulkOutOfTime(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ctx, cancel := context.WithCancelCause(t.Context())
	w.after = func(context.Context) { cancel(errOver) }
	input := write.Input{"subject": "a", "customer": "Semi;Colon"}
	rows, err := w.as(sales, "k").CreateMany(ctx, w.typ("Service Ticket"), []write.Input{input, input, input}, write.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.must(rows[0].Result, rows[0].Err)
	for _, row := range rows[1:] {
		if e := wantError(t, row.Err, apierror.UpstreamTimeout); !strings.Contains(e.Message, "not written") || !errors.Is(row.Err, errOver) || write.Uncertain(row.Err) {
			t.Errorf("%v", row.Err)
		}
	}
	// The first row's outcome is kept although its request has ended: the retry has it.
	w.after = nil
	again, err := w.as(sales, "k").CreateMany(t.Context(), w.typ("Service Ticket"), []write.Input{input, input, input}, write.Options{})
	if err != nil || again[0].Result == nil || !again[0].Result.Replayed || again[1].Result == nil || again[1].Result.Replayed || w.writes.Load() != 3 {
		t.Errorf("%+v, %v after %d writes", again, err, w.writes.Load())
	}
}
