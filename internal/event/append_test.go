package event_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := b.head(t)
	if start.Seq != 0 || start.String() == "" {
		t.Fatalf("a new log is at %+v", start)
	}
	if n := b.append(t, webhook(event.Created, "A", 1), webhook(event.Updated, "A", 2), local(event.Updated, "7")); n != 3 {
		t.Errorf("%d new", n)
	}
	if n := b.append(t); n != 0 {
		t.Errorf("nothing gave %d", n)
	}
	got := b.all(t, 0)
	want := []string{"CREATED A@1 WEBHOOK", "UPDATED A@2 WEBHOOK", "UPDATED 7@- LOCAL"}
	if diff := cmp.Diff(want, brief(got)); diff != "" {
		t.Error(diff)
	}
	for i, e := range got {
		if e.Seq != int64(i+1) || e.At.Location() != time.UTC || time.Since(e.At).Abs() > time.Minute {
			t.Errorf("event %d: seq %d at %v", i, e.Seq, e.At)
		}
	}
	last, err := b.log.Last(t.Context(), "Customer", []string{"A", "B"})
	if err != nil || len(last) != 1 || last["A"].Seq != 2 {
		t.Errorf("last: %v, %v", last, err)
	}
}

// What tells the same is logged once, whatever the order it comes in. Each case is logged
// twice: in calls of their own, and in one.
func TestTwins(t *testing.T) {
	t.Parallel()
	type events = []event.Event
	created, updated, submitted, cancelled, deleted := event.Created, event.Updated, event.Submitted, event.Cancelled, event.Deleted
	cases := map[string]struct {
		events events
		want   string
		only   int64 // found by catch-up alone
	}{
		"a webhook again":              {events{webhook(updated, "A", 1), webhook(updated, "A", 1)}, "UPDATED A@1 WEBHOOK", 0},
		"an insert's update":           {events{webhook(created, "A", 1), webhook(created, "A", 1)}, "CREATED A@1 WEBHOOK", 0},
		"another version":              {events{webhook(updated, "A", 2), webhook(updated, "A", 1)}, "UPDATED A@2 WEBHOOK, UPDATED A@1 WEBHOOK", 0},
		"another kind":                 {events{webhook(submitted, "A", 1), webhook(cancelled, "A", 1)}, "SUBMITTED A@1 WEBHOOK, CANCELLED A@1 WEBHOOK", 0},
		"another document":             {events{webhook(updated, "A", 1), webhook(updated, "B", 1)}, "UPDATED A@1 WEBHOOK, UPDATED B@1 WEBHOOK", 0},
		"catch-up after a webhook":     {events{webhook(submitted, "A", 1), catchup(updated, "A", 1)}, "SUBMITTED A@1 WEBHOOK", 0},
		"a webhook after catch-up":     {events{catchup(updated, "A", 1), webhook(submitted, "A", 1)}, "UPDATED A@1 CATCHUP", 0},
		"two webhooks after catch-up":  {events{catchup(updated, "A", 1), webhook(created, "A", 1), webhook(submitted, "A", 1)}, "UPDATED A@1 CATCHUP", 0},
		"catch-up again":               {events{catchup(updated, "A", 1), catchup(created, "A", 1)}, "UPDATED A@1 CATCHUP", 1},
		"catch-up alone":               {events{catchup(created, "A", 1), catchup(updated, "A", 2)}, "CREATED A@1 CATCHUP, UPDATED A@2 CATCHUP", 2},
		"an update of what is gone":    {events{webhook(deleted, "A", 1), webhook(updated, "A", 1)}, "DELETED A@1 WEBHOOK, UPDATED A@1 WEBHOOK", 0},
		"catch-up beside a deletion":   {events{webhook(deleted, "A", 1), catchup(updated, "A", 1)}, "DELETED A@1 WEBHOOK, UPDATED A@1 CATCHUP", 1},
		"a deletion again":             {events{webhook(deleted, "A", 1), webhook(deleted, "A", 1)}, "DELETED A@1 WEBHOOK", 0},
		"a deletion found later":       {events{webhook(deleted, "A", 1), gone("A")}, "DELETED A@1 WEBHOOK", 0},
		"a deletion found before":      {events{gone("A"), webhook(deleted, "A", 1)}, "DELETED A@- CATCHUP", 0},
		"a deletion found twice":       {events{gone("A"), gone("A")}, "DELETED A@- CATCHUP", 1},
		"made anew, gone again":        {events{webhook(deleted, "A", 1), webhook(created, "A", 2), gone("A")}, "DELETED A@1 WEBHOOK, CREATED A@2 WEBHOOK, DELETED A@- CATCHUP", 1},
		"found, made anew, gone again": {events{gone("A"), webhook(created, "A", 2), webhook(deleted, "A", 3)}, "DELETED A@- CATCHUP, CREATED A@2 WEBHOOK, DELETED A@3 WEBHOOK", 1},
		"found, made anew, told late":  {events{gone("A"), webhook(created, "A", 2), webhook(deleted, "A", 1)}, "DELETED A@- CATCHUP, CREATED A@2 WEBHOOK", 0},
		"made anew, told late":         {events{webhook(created, "A", 2), webhook(deleted, "A", 1)}, "CREATED A@2 WEBHOOK", 0},
		"gone as it was made":          {events{webhook(created, "A", 2), webhook(deleted, "A", 2)}, "CREATED A@2 WEBHOOK, DELETED A@2 WEBHOOK", 0},
		"made known after it was gone": {events{webhook(deleted, "A", 3), webhook(created, "A", 2), webhook(deleted, "A", 3)}, "DELETED A@3 WEBHOOK, CREATED A@2 WEBHOOK", 0},
		"renamed into what was gone":   {events{gone("A"), renamed("B", "A", 2), gone("A")}, "DELETED A@- CATCHUP, RENAMED B>A@2 CATCHUP, DELETED A@- CATCHUP", 3},
		"a rename again":               {events{renamed("B", "A", 1), renamed("B", "A", 1)}, "RENAMED B>A@1 CATCHUP", 1},
		"renamed back and forth":       {events{renamed("B", "A", 1), renamed("A", "B", 2), renamed("B", "A", 3)}, "RENAMED B>A@1 CATCHUP, RENAMED A>B@2 CATCHUP, RENAMED B>A@3 CATCHUP", 3},
		"two merged into one":          {events{renamed("B", "A", 1), renamed("C", "A", 1)}, "RENAMED B>A@1 CATCHUP, RENAMED C>A@1 CATCHUP", 2},
		"local rows":                   {events{local(updated, "1"), local(updated, "1")}, "UPDATED 1@- LOCAL, UPDATED 1@- LOCAL", 0},
		"local rows beside others":     {events{local(updated, "1"), webhook(updated, "A", 1), local(updated, "1"), webhook(updated, "A", 1)}, "UPDATED 1@- LOCAL, UPDATED A@1 WEBHOOK, UPDATED 1@- LOCAL", 0},
	}
	shared := setup(t)
	nothing := event.NewLog(event.LogConfig{Pool: shared.db.Pool(), Upkeep: func(context.Context, pgx.Tx, event.Event) ([]event.Event, error) { return nil, nil }})
	for name, tc := range cases {
		for way, log := range map[string]func(t *testing.T, b bundle) int{
			"one by one": func(t *testing.T, b bundle) (n int) {
				t.Helper()
				for _, e := range tc.events {
					n += b.append(t, e)
				}
				return n
			},
			"together": func(t *testing.T, b bundle) int { t.Helper(); return b.append(t, tc.events...) },
			"together with upkeep": func(t *testing.T, b bundle) int {
				t.Helper()
				b.log = nothing
				return b.append(t, tc.events...)
			},
		} {
			t.Run(name+", "+way, func(t *testing.T) { // one schema, emptied for each
				shared.exec(t, "truncate event_log")
				start := shared.head(t).Seq
				before, err := shared.log.Counts(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				n := log(t, shared)
				got := brief(shared.all(t, start))
				if strings.Join(got, ", ") != tc.want || n != len(got) {
					t.Errorf("%d new: %q\nwant %q", n, strings.Join(got, ", "), tc.want)
				}
				after, err := shared.log.Counts(t.Context())
				if err != nil || after.OnlyCatchup-before.OnlyCatchup != tc.only {
					t.Errorf("only catch-up: %d, want %d, %v", after.OnlyCatchup-before.OnlyCatchup, tc.only, err)
				}
			})
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := webhook(event.Updated, "A", 1)
	for name, tc := range map[string]struct {
		bend  func(e *event.Event)
		field string
	}{
		"no DocType":             {func(e *event.Event) { e.DocType = "" }, "doctype"},
		"NUL":                    {func(e *event.Event) { e.Name = "A\x00" }, "name"},
		"not UTF-8":              {func(e *event.Event) { e.Name = "\xff" }, "name"},
		"too long":               {func(e *event.Event) { e.Name = strings.Repeat("x", 1025) }, "name"},
		"a DocType with NUL":     {func(e *event.Event) { e.DocType = "A\x00" }, "doctype"},
		"previous with NUL":      {func(e *event.Event) { e.Kind, e.Previous = event.Renamed, "A\x00" }, "previous"},
		"previous too long":      {func(e *event.Event) { e.Kind, e.Previous = event.Renamed, strings.Repeat("x", 1025) }, "previous"},
		"modified not UTF-8":     {func(e *event.Event) { e.Modified = "2026-11-25 01:02:03.00000\xff" }, "modified"},
		"modified of year 10000": {func(e *event.Event) { e.Modified = "10000-01-01 00:00:00.00000" }, "modified"},
		"a source of no one":     {func(e *event.Event) { e.Source = "OTHER" }, "source"},
		"no kind":                {func(e *event.Event) { e.Kind = "" }, "kind"},
		"no source":              {func(e *event.Event) { e.Source = "" }, "source"},
		"no modified":            {func(e *event.Event) { e.Modified = "" }, "modified"},
		"modified without µs":    {func(e *event.Event) { e.Modified = "2026-11-25 01:02:03" }, "modified"},
		"modified of no day":     {func(e *event.Event) { e.Modified = "2026-02-30 01:02:03.000000" }, "modified"},
		"a webhook's deletion":   {func(e *event.Event) { e.Kind, e.Modified = event.Deleted, "" }, "modified"},
		"previous of an update":  {func(e *event.Event) { e.Previous = "B" }, "previous"},
		"renamed from nothing":   {func(e *event.Event) { e.Kind = event.Renamed }, "previous"},
		"modified of a row":      {func(e *event.Event) { e.Source = event.Local }, "modified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := good
			tc.bend(&bad)
			for doing, err := range map[string]error{"check": event.Check(bad), "append": second(b.log.Append(t.Context(), []event.Event{good, bad}))} {
				coded, ok := apierror.As(err)
				if !ok || coded.Code != apierror.BadUserInput || coded.Field != tc.field {
					t.Errorf("%s: %v", doing, err)
				}
			}
		})
	}
	t.Cleanup(func() {
		// The others of the batch were not logged either. The test's own context is over.
		if n, err := b.log.Head(context.Background()); err != nil || n.Seq != 0 {
			t.Errorf("head %v, %v", n, err)
		}
	})
	long := good
	long.DocType, long.Name = strings.Repeat("é", 512), strings.Repeat("日", 341)
	if err := event.Check(long); err != nil {
		t.Error(err)
	}
}

// The longest texts that Check lets through fit the indexes.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := renamed(incompressible(1024, 1), incompressible(1024, 2), 1)
	e.DocType = incompressible(1024, 3)
	b.append(t, e)
}

// A site whose clock was wrong, or who knows the webhooks' secret, can tell of a time that
// is far off. It ends nothing: other documents are not touched, each further change of
// this one is news, and so is its end, once catch-up finds it.
func TestFuture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	far := webhook(event.Created, "A", 1)
	far.Modified = "9999-12-31 23:59:59.999999"
	b.append(t, far)
	if last, err := b.log.Last(t.Context(), "Customer", []string{"A"}); err != nil || last["A"].Modified != far.Modified {
		t.Errorf("last: %v, %v", last, err)
	}
	for i, step := range []struct {
		event event.Event
		want  int
	}{
		{far, 0},
		{webhook(event.Updated, "A", 2), 1},
		{webhook(event.Created, "B", 2), 1},
		{webhook(event.Deleted, "B", 2), 1},
		// By its times it is older than the document.
		{webhook(event.Deleted, "A", 3), 0},
		{gone("A"), 1},
		{webhook(event.Created, "A", 4), 1},
		{gone("A"), 1},
	} {
		if n := b.append(t, step.event); n != step.want {
			t.Errorf("step %d: %d new, want %d", i, n, step.want)
		}
	}
}

// incompressible is a text that Postgres can't shorten.
func incompressible(n int, seed uint32) string {
	out := make([]byte, n)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = '!' + byte(seed>>24)%90
	}
	return string(out)
}

func second[T any](_ T, err error) error { return err }

// With 20 writers, half of whose transactions are rolled back, a reader sees each number
// once, in order.
func TestNoGapsInCommitOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const writers, each = 20, 30
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				commit := i%3 != 2
				err := b.inTx(t.Context(), commit, func(tx pgx.Tx) error {
					if _, err := b.log.AppendTx(t.Context(), tx, []event.Event{local(event.Updated, "a")}); err != nil {
						return err
					}
					_, err := b.log.AppendTx(t.Context(), tx, []event.Event{webhook(event.Updated, string(rune('a'+w)), i)})
					return err
				})
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	const want = writers * each / 3 * 2 * 2
	at := b.head(t)
	at.Seq = 0
	for seen := int64(0); seen < want && t.Context().Err() == nil; {
		events, next, err := b.log.Read(t.Context(), at, 0, nil, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if seen++; e.Seq != seen {
				t.Fatalf("after %d came %d", seen-1, e.Seq)
			}
		}
		at = next
	}
	wg.Wait()
	if head := b.head(t); head.Seq != want {
		t.Errorf("the log ends at %d, want %d", head.Seq, want)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var upstream, rows []event.Event
	for i := range 3000 {
		upstream = append(upstream, webhook(event.Updated, "A", i))
		rows = append(rows, local(event.Created, "r"))
	}
	if n := b.append(t, append(upstream, upstream...)...); n != 3000 {
		t.Errorf("%d new", n)
	}
	if n := b.append(t, rows...); n != 3000 || b.head(t).Seq != 6000 {
		t.Errorf("%d new, head %d", n, b.head(t).Seq)
	}
}
