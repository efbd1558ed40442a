package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

func TestRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, webhook(event.Updated, "A", 1), local(event.Updated, "1"), webhook(event.Updated, "A", 2), local(event.Updated, "2"), local(event.Updated, "3"))
	epoch := b.head(t).Epoch
	for name, tc := range map[string]struct {
		after, upTo int64
		doctypes    []string
		limit       int
		want        []string
		next        int64
	}{
		"all":               {0, 0, nil, 10, []string{"A", "1", "A", "2", "3"}, 5},
		"a page":            {1, 0, nil, 2, []string{"1", "A"}, 3},
		"of one DocType":    {0, 0, []string{"ServiceContract"}, 2, []string{"1", "2"}, 4},
		"the end of one":    {2, 0, []string{"Customer"}, 2, []string{"A"}, 5},
		"none of one":       {3, 0, []string{"Customer"}, 2, []string{}, 5},
		"of none":           {0, 0, []string{}, 2, []string{}, 5},
		"up to":             {1, 3, nil, 10, []string{"1", "A"}, 3},
		"up to beyond":      {4, 10, nil, 10, []string{"3"}, 5},
		"at the end":        {5, 0, nil, 10, []string{}, 5},
		"up to what was":    {3, 2, nil, 10, []string{}, 3},
		"an exact page":     {3, 0, nil, 2, []string{"2", "3"}, 5},
		"an exact DocTypes": {0, 5, []string{"Customer", "ServiceContract", "Other"}, 9, []string{"A", "1", "A", "2", "3"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, next, err := b.log.Read(t.Context(), event.Cursor{Epoch: epoch, Seq: tc.after}, tc.upTo, tc.doctypes, tc.limit)
			names := []string{}
			for _, e := range events {
				names = append(names, e.Name)
			}
			if diff := cmp.Diff(tc.want, names); diff != "" || err != nil || next != (event.Cursor{Epoch: epoch, Seq: tc.next}) {
				t.Errorf("%v, next %d, %v", diff, next.Seq, err)
			}
		})
	}
	for name, after := range map[string]event.Cursor{
		"beyond":        {Epoch: epoch, Seq: 6},
		"of another":    {Epoch: someEpoch, Seq: 1},
		"of no log":     {},
		"of none known": {Epoch: "x", Seq: 1},
	} {
		if events, _, err := b.log.Read(t.Context(), after, 0, nil, 10); apierror.CodeOf(err) != apierror.CursorExpired || events != nil {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}

// Rare events are found step by step.
func TestReadWindow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const many = 45_000
	b.exec(t, `insert into event_log (seq, doctype, name, kind, source, at) select n, 'Bin', n::text, 'UPDATED', 'LOCAL', now() from generate_series(1, $1) n`, many)
	b.exec(t, "update event_head set seq = $1", many)
	b.append(t, local(event.Updated, "1"))
	at := b.head(t)
	at.Seq = 0
	reads := 0
	for {
		events, next, err := b.log.Read(t.Context(), at, 0, []string{"ServiceContract"}, 10)
		if err != nil || next.Seq <= at.Seq || reads > 9 {
			t.Fatalf("read %d: after %d comes %d, %v", reads, at.Seq, next.Seq, err)
		}
		reads++
		if at = next; len(events) == 1 {
			break
		}
	}
	if reads != 3 || at.Seq != many+1 {
		t.Errorf("found after %d reads, at %d", reads, at.Seq)
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := b.head(t)
	const many = 4500
	b.exec(t, `insert into event_log (seq, doctype, name, kind, source, at)
		select n, 'Bin', n::text, 'UPDATED', 'LOCAL', now() - make_interval(hours => $1 - n) from generate_series(1, $1) n`, many)
	b.exec(t, "update event_head set seq = $1", many)
	shown := event.NewShown(b.log)
	for key, seq := range map[byte]int64{1: 4000, 2: 4490} {
		if err := shown.Remember(t.Context(), event.StreamKey{key}, "Bin", []string{"x"}, seq); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		age           time.Duration
		rows          int64
		removed, left int64
	}{
		{0, 0, 0, 4500},
		{0, 5000, 0, 4500},
		{(4400*60 + 30) * time.Minute, 0, 99, 4401},
		{0, 4400, 1, 4400},
		{(100*60 + 30) * time.Minute, 200, 4299, 101}, // in three chunks
		{(100*60 + 30) * time.Minute, 20, 81, 20},
		{(100*60 + 30) * time.Minute, 20, 0, 20},
	} {
		removed, err := b.log.Trim(t.Context(), step.age, step.rows)
		var left int64
		if err := b.db.Pool().QueryRow(t.Context(), "select count(*) from event_log").Scan(&left); err != nil {
			t.Fatal(err)
		}
		if removed != step.removed || left != step.left || err != nil {
			t.Fatalf("%+v: removed %d, %d are left, %v", step, removed, left, err)
		}
	}
	read := func(seq int64) error {
		_, _, err := b.log.Read(t.Context(), event.Cursor{Epoch: start.Epoch, Seq: seq}, 0, nil, 10)
		return err
	}
	if err := read(many - 21); apierror.CodeOf(err) != apierror.CursorExpired {
		t.Errorf("a cursor before what is kept: %v", err)
	}
	if err := read(many - 20); err != nil {
		t.Errorf("the oldest cursor that lacks nothing: %v", err)
	}
	for key, want := range map[byte]bool{1: false, 2: true} {
		known, err := shown.Known(t.Context(), event.StreamKey{key}, "Bin", []string{"x"}, many)
		if err != nil || known["x"] != want {
			t.Errorf("stream %d knows %v, %v", key, known, err)
		}
	}
	// The log goes on where it was, even after all of it went.
	if removed, err := b.log.Trim(t.Context(), time.Nanosecond, 0); removed != 20 || err != nil {
		t.Errorf("all: %d, %v", removed, err)
	}
	b.append(t, local(event.Updated, "1"))
	if got := b.all(t, many); len(got) != 1 || got[0].Seq != many+1 {
		t.Errorf("then came %v", got)
	}
	if err := read(many - 1); apierror.CodeOf(err) != apierror.CursorExpired {
		t.Errorf("a cursor of what went: %v", err)
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	shown := event.NewShown(b.log)
	one, other := event.StreamKey{1}, event.StreamKey{2}
	remember := func(key event.StreamKey, seq int64, names ...string) {
		t.Helper()
		if err := shown.Remember(t.Context(), key, "Customer", names, seq); err != nil {
			t.Fatal(err)
		}
	}
	remember(one, 10)
	remember(one, 10, "B", "A", "B")
	remember(one, 5, "B")
	remember(one, 20, "B", "C")
	remember(one, 20, "A\x00B", "\xff", strings.Repeat("x", 3000), "")
	remember(other, 1, "D")
	if err := shown.Touch(t.Context(), one, 15); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int64]string{4: "map[]", 5: "map[B:true]", 10: "map[A:true B:true]", 20: "map[A:true B:true C:true]"} {
		known, err := shown.Known(t.Context(), one, "Customer", []string{"A", "B", "C", "D"}, at)
		if err != nil || fmt.Sprint(known) != want {
			t.Errorf("at %d: %v, %v", at, known, err)
		}
	}
	if known, err := shown.Known(t.Context(), one, "Supplier", []string{"A"}, 99); err != nil || len(known) != 0 {
		t.Errorf("of another DocType: %v, %v", known, err)
	}
	var last int64
	if err := b.db.Pool().QueryRow(t.Context(), "select last_seq from event_stream where key = $1", one[:]).Scan(&last); err != nil || last != 20 {
		t.Errorf("last seen at %d, %v", last, err)
	}
}
