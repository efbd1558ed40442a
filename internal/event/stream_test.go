package event_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
	"erpgraph/internal/postgres/postgrestest"
)

func names(events []event.Event) []string {
	out := make([]string, 0, len(events))
	for _, e := range events {
		out = append(out, e.Name)
	}
	return out
}

func TestStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, local(event.Updated, "1"))
	h := b.hub(t, 0, never)
	zero := b.head(t)
	zero.Seq = 0
	type stream struct {
		doctypes []string
		after    *event.Cursor
		want     []string
	}
	cases := map[string]stream{
		"from now on":             {nil, nil, []string{"A", "2"}},
		"from the start":          {nil, &zero, []string{"1", "A", "2"}},
		"one DocType":             {[]string{"Customer"}, &zero, []string{"A"}},
		"two, one of them twice":  {[]string{"ServiceContract", "Customer", "Customer"}, nil, []string{"A", "2"}},
		"those of local rows":     {[]string{"ServiceContract"}, nil, []string{"2"}},
		"those, from the start":   {[]string{"ServiceContract"}, &zero, []string{"1", "2"}},
		"of a DocType of no note": {[]string{"Bin"}, &zero, []string{}},
		"of none":                 {[]string{}, &zero, []string{}},
	}
	streams := map[string]*event.Stream{}
	for name, tc := range cases {
		s := b.attach(t, h, tc.doctypes, tc.after)
		want := b.head(t)
		if tc.after != nil {
			want = *tc.after
		}
		if s.Start() != want {
			t.Errorf("%s: starts at %v, want %v", name, s.Start(), want)
		}
		streams[name] = s
	}
	b.append(t, webhook(event.Updated, "A", 1), local(event.Updated, "2"))
	for name, tc := range cases {
		if diff := cmp.Diff(tc.want, names(next(t, streams[name], len(tc.want)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if events, err := streams[name].Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: then came %v, %v", name, events, err)
		}
		cancel()
	}
}

// Streams begin and resume while others append: none misses an event, or has it twice.
func TestNoHoleNoRepeat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := bundle{postgrestest.Again(t, b.db), nil}
	other.log = event.NewLog(event.LogConfig{Pool: other.db.Pool()})
	hubs := []*event.Hub{b.hub(t, 64, time.Second), other.hub(t, 64, time.Second)} // two processes; a short queue
	first := b.head(t)
	const writers, each = 8, 60
	const total = writers * each
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				kind := local(event.Updated, "x")
				if w%2 == 0 {
					kind = webhook(event.Updated, fmt.Sprint(w), i)
				}
				b.append(t, kind)
			}
		})
	}
	for reader := range 20 {
		wg.Go(func() {
			at, doctypes, want := first, []string(nil), total
			if reader%2 == 0 {
				doctypes, want = []string{"Customer"}, total/2
			}
			got := map[int64]bool{}
			for round := 0; len(got) < want; round++ {
				s, err := hubs[(reader+round)%2].Attach(t.Context(), doctypes, &at)
				if err != nil {
					t.Errorf("attach at %d: %v", at.Seq, err)
					return
				}
				for range reader + 1 {
					events, err := s.Next(t.Context())
					if coded, ok := apierror.As(err); ok && coded.Code == apierror.Resume {
						c, err := event.ParseCursor(fmt.Sprint(coded.Extensions["cursor"]))
						if err != nil || c.Seq < at.Seq {
							t.Errorf("to resume at %v after %v: %v", c, at, err)
						}
						at = c
						break
					}
					if err != nil {
						t.Errorf("next at %d: %v", at.Seq, err)
						return
					}
					for _, e := range events {
						if e.Seq <= at.Seq || got[e.Seq] || doctypes != nil && e.DocType != doctypes[0] {
							t.Errorf("%+v after %d", e, at.Seq)
						}
						got[e.Seq], at.Seq = true, e.Seq
					}
					if len(got) == want {
						break
					}
				}
				s.Close()
			}
		})
	}
	wg.Wait()
}

func TestSlowStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 100, never)
	slow, fast, rare := b.attach(t, h, nil, nil), b.attach(t, h, nil, nil), b.attach(t, h, []string{"Customer"}, nil)
	b.append(t, local(event.Updated, "1"))
	if got := next(t, slow, 1); got[0].Name != "1" {
		t.Fatalf("first came %v", got)
	}
	for i := range 150 {
		b.append(t, local(event.Updated, fmt.Sprint(i)))
		next(t, fast, 1)
	}
	for range 2 { // it stays so
		_, err := slow.Next(t.Context())
		coded, ok := apierror.As(err)
		if !ok || coded.Code != apierror.Resume {
			t.Fatalf("the slow one: %v", err)
		}
		cursor := coded.Extensions["cursor"]
		if want := (event.Cursor{Epoch: slow.Start().Epoch, Seq: 1}).String(); cursor != want {
			t.Errorf("to resume at %q, want %q", cursor, want)
		}
	}
	after := event.Cursor{Epoch: slow.Start().Epoch, Seq: 1}
	if got := next(t, b.attach(t, h, nil, &after), 150); len(got) != 150 || got[0].Seq != 2 {
		t.Errorf("resumed with %d", len(got))
	}
	b.append(t, webhook(event.Updated, "A", 1))
	if got := next(t, rare, 1); got[0].Name != "A" {
		t.Errorf("who waits for what is rare is not slow: %v", got)
	}
}

// Who comes from far back is not slow: he reads on in the log until he has caught up.
func TestLongBacklog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 10, never)
	start := b.head(t)
	rows := make([]event.Event, 1200)
	for i := range rows {
		rows[i] = local(event.Updated, fmt.Sprint(i))
	}
	b.append(t, rows...)
	s := b.attach(t, h, nil, &start)
	got := next(t, s, 1)
	watch := b.attach(t, h, nil, nil)
	b.append(t, rows[:300]...)
	next(t, watch, 1) // the hub has it
	got = append(got, next(t, s, 1500-len(got))...)
	for i, e := range got {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d is %d", i, e.Seq)
		}
	}
}

// A bulk write of more than the bound finds a listener who waits: he is not slow.
func TestBulk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 10, never)
	s := b.attach(t, h, []string{"ServiceContract"}, nil)
	rows := make([]event.Event, 2500)
	for i := range rows {
		rows[i] = local(event.Updated, fmt.Sprint(i))
	}
	var wg sync.WaitGroup
	wg.Go(func() { b.append(t, rows...) })
	defer wg.Wait()
	for i, e := range next(t, s, len(rows)) {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d is %d", i, e.Seq)
		}
	}
}
