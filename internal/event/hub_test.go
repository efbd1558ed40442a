package event_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
)

// never is a poll that does not come in a test: what comes, NOTIFY brought.
const never = time.Hour

func TestLostNotification(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 0, 20*time.Millisecond)
	s := b.attach(t, h, nil, nil)
	// As an append whose notification is lost.
	err := b.inTx(t.Context(), true, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "update event_head set seq = 1"); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), "insert into event_log (seq, doctype, name, kind, source, at) values (1, 'Bin', 'x', 'UPDATED', 'LOCAL', now())")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, s, 1); got[0].Name != "x" {
		t.Errorf("came %v", got)
	}
}

func TestListenerIsKilled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 0, never)
	s := b.attach(t, h, nil, nil)
	b.append(t, local(event.Updated, "before"))
	next(t, s, 1)
	for i := range 3 {
		// Those of other tests, too: they listen anew as well.
		b.exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()", event.ListenerName)
		b.append(t, local(event.Updated, fmt.Sprint(i)))
		if got := next(t, s, 1); got[0].Name != fmt.Sprint(i) {
			t.Errorf("came %v", got)
		}
	}
}

func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 0, time.Second)
	for i := range 5 {
		b.append(t, local(event.Updated, fmt.Sprint(i)))
	}
	if _, err := b.log.Trim(t.Context(), 0, 2); err != nil {
		t.Fatal(err)
	}
	epoch := b.head(t).Epoch
	for name, after := range map[string]event.Cursor{
		"trimmed":        {Epoch: epoch, Seq: 2},
		"beyond the end": {Epoch: epoch, Seq: 6},
		"of another log": {Epoch: someEpoch, Seq: 4},
	} {
		if _, err := h.Attach(t.Context(), nil, &after); apierror.CodeOf(err) != apierror.CursorExpired {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two DocTypes in one would be taken for the two.
	for _, doctype := range []string{"", "Customer\x00Item", "\xff", strings.Repeat("x", 1025)} {
		_, err := h.Attach(t.Context(), []string{"Customer", doctype}, nil)
		if coded, ok := apierror.As(err); !ok || coded.Code != apierror.BadUserInput || coded.Field != "doctype" {
			t.Errorf("%.20q: %v", doctype, err)
		}
	}
	after := event.Cursor{Epoch: epoch, Seq: 3}
	if got := names(next(t, b.attach(t, h, nil, &after), 2)); got[0] != "3" {
		t.Errorf("the oldest cursor gives %v", got)
	}
	idle := event.NewHub(event.HubConfig{Log: b.log})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := idle.Attach(ctx, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hub that does not run: %v", err)
	}
}

// The log of the hub is another one, or lacks what the hub has not read.
func TestLogBreaks(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"another epoch":  "update event_head set epoch = gen_random_uuid()",
		"an earlier end": "update event_head set seq = 1",
		"trimmed":        "with gone as (delete from event_log) update event_head set seq = 10, trimmed_to = 8",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			h := b.hub(t, 0, 20*time.Millisecond)
			b.append(t, local(event.Updated, "1"), local(event.Updated, "2"))
			zero := b.head(t)
			zero.Seq = 0
			idle, behind := b.attach(t, h, nil, nil), b.attach(t, h, nil, &zero)
			next(t, b.attach(t, h, nil, &zero), 2)
			b.exec(t, sql)
			for i, s := range []*event.Stream{idle, behind} {
				var err error
				for err == nil { // what it had may still come
					_, err = s.Next(t.Context())
				}
				if apierror.CodeOf(err) != apierror.CursorExpired {
					t.Errorf("stream %d: %v", i, err)
				}
			}
			var anew *event.Stream
			for anew == nil {
				var err error
				if anew, err = h.Attach(t.Context(), nil, nil); err != nil && apierror.CodeOf(err) != apierror.UpstreamUnavailable {
					t.Fatal(err)
				}
			}
			defer anew.Close()
			if anew.Start() != b.head(t) {
				t.Errorf("anew at %v, the log is at %v", anew.Start(), b.head(t))
			}
			b.exec(t, "delete from event_log")
			b.append(t, local(event.Updated, "anew"))
			if got := next(t, anew, 1); got[0].Name != "anew" {
				t.Errorf("came %v", got)
			}
		})
	}
}

func TestStopAndClose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h, stop := runHub(t, event.HubConfig{Log: b.log}, never)
	waiting, closing, left := b.attach(t, h, nil, nil), b.attach(t, h, []string{"Customer"}, nil), b.attach(t, h, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i, next := range []func() error{
		func() error { return second(waiting.Next(t.Context())) },
		func() error { return second(closing.Next(t.Context())) },
		func() error { return second(left.Next(ctx)) },
	} {
		wg.Go(func() { errs[i] = next() })
	}
	cancel()
	closing.Close()
	closing.Close()
	stop()
	wg.Wait()
	if apierror.CodeOf(errs[0]) != apierror.Resume || !errors.Is(errs[1], event.ErrClosed) || !errors.Is(errs[2], context.Canceled) {
		t.Errorf("%v", errs)
	}
	coded, _ := apierror.As(errs[0])
	if coded == nil || coded.Extensions["cursor"] != b.head(t).String() {
		t.Errorf("to resume: %v", coded)
	}
	if _, err := h.Attach(t.Context(), nil, nil); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("attached to a hub that has ended: %v", err)
	}
	waiting.Close()
	left.Close()
	if n := h.Topics(); n != 0 {
		t.Errorf("%d topics are left", n)
	}
}

func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 0, never)
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			s, err := h.Attach(t.Context(), [][]string{nil, {"A"}, {"B", "A"}, {}}[i%4], nil)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
	if n := h.Topics(); n != 0 {
		t.Errorf("%d topics are left", n)
	}
}

// The hub can't read for a while: its streams wait, and lack nothing afterwards.
func TestOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := b.hub(t, 0, 5*time.Millisecond)
	s := b.attach(t, h, nil, nil)
	b.exec(t, "alter table event_head rename to away")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("meanwhile: %v", err)
	}
	b.exec(t, "alter table away rename to event_head")
	b.append(t, local(event.Updated, "1"))
	if got := next(t, s, 1); got[0].Name != "1" {
		t.Errorf("came %v", got)
	}
}

// The database is away when the hub starts, or goes away later.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	b := bundle{db, event.NewLog(event.LogConfig{Pool: db.Pool()})}
	h := b.hub(t, 0, 5*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := h.Attach(ctx, nil, nil); err == nil {
		t.Error("attached to nothing")
	}
	if _, err := b.log.Append(t.Context(), []event.Event{local(event.Updated, "1")}); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("append: %v", err)
	}
	if _, err := b.log.Head(t.Context()); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("head: %v", err)
	}
}
