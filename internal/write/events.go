package write

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
)

// EventLog logs what is written to local rows, in the transaction that writes it.
type EventLog interface {
	// Cascade gives the events of the rows of local types that go with a row when it is
	// deleted, by their foreign keys.
	Cascade(ctx context.Context, tx pgx.Tx, t *doctype.Type, id string) ([]event.Event, error)
	// AppendTx logs events. It is the last statement of its transaction.
	AppendTx(ctx context.Context, tx pgx.Tx, events []event.Event) (int, error)
}

// logEvents ends a transaction with the events of what it did.
func (c *Config) logEvents(ctx context.Context, tx *postgres.Tx, events []event.Event) error {
	if c.Events == nil || len(events) == 0 {
		return nil
	}
	if _, err := c.Events.AppendTx(ctx, tx.SQL(), events); err != nil {
		return fmt.Errorf("log the change: %w", err)
	}
	return nil
}

func localEvent(t *doctype.Type, id string, kind event.Kind) event.Event {
	return event.Event{DocType: t.Key, Name: id, Kind: kind, Source: event.Local}
}
