package event_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

func TestRestored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var calls [][]string
	var fails error
	var logged int
	b.log = event.NewLog(event.LogConfig{
		Pool:   b.db.Pool(),
		Upkeep: func(context.Context, pgx.Tx, event.Event) ([]event.Event, error) { return nil, nil },
		Restored: func(ctx context.Context, tx pgx.Tx, events []event.Event) error {
			calls = append(calls, brief(events))
			if err := tx.QueryRow(ctx, "select count(*) from event_log").Scan(&logged); err != nil {
				return err
			}
			return fails
		},
		Linked: func(doctype string) bool { return doctype == "Customer" },
	})
	item := webhook(event.Created, "I", 1)
	item.DocType = "Item"
	for _, test := range []struct {
		what   string
		events []event.Event
		want   [][]string
	}{
		{"what proves nothing", []event.Event{
			webhook(event.Updated, "A", 1), webhook(event.Submitted, "A", 1), local(event.Created, "7"), item,
			webhook(event.Deleted, "A", 1), gone("B"), renamed("C", "D", 1),
		}, nil},
		{
			"one call for all",
			[]event.Event{webhook(event.Created, "A", 2), item, webhook(event.Updated, "A", 2), webhook(event.Created, "B", 2)},
			[][]string{{"CREATED A@2 WEBHOOK", "CREATED B@2 WEBHOOK"}},
		},
		{
			"what catch-up saw",
			[]event.Event{catchup(event.Updated, "E", 1), catchup(event.Cancelled, "F", 1)},
			[][]string{{"UPDATED E@1 CATCHUP", "CANCELLED F@1 CATCHUP"}},
		},
		{"that is known", []event.Event{webhook(event.Created, "A", 2)}, [][]string{{"CREATED A@2 WEBHOOK"}}},
		{
			"with ends",
			[]event.Event{webhook(event.Created, "G", 1), webhook(event.Deleted, "G", 1), webhook(event.Created, "G", 2)},
			[][]string{{"CREATED G@1 WEBHOOK"}, {"CREATED G@2 WEBHOOK"}},
		},
	} {
		calls, logged = nil, 0
		b.append(t, test.events...)
		if diff := cmp.Diff(test.want, calls); diff != "" {
			t.Errorf("%s: %s", test.what, diff)
		}
		if head := b.head(t).Seq; calls != nil && int64(logged) != head {
			t.Errorf("%s: it is told of events before they are logged: %d of %d", test.what, logged, head)
		}
	}

	fails = errors.New("boom")
	before := b.head(t)
	for what, events := range map[string][]event.Event{
		"alone":       {webhook(event.Created, "Z", 1)},
		"with an end": {webhook(event.Deleted, "Y", 1), webhook(event.Created, "Z", 1)},
	} {
		n, err := b.log.Append(t.Context(), events)
		if n != 0 || !errors.Is(err, fails) || apierror.CodeOf(err) == apierror.UpstreamUnavailable || b.head(t) != before {
			t.Errorf("%s: %d %v, and the head is %v", what, n, err, b.head(t))
		}
	}
}
