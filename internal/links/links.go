// Package links keeps the links of the app's own tables in step with ERPNext: a docname in
// a column follows a rename or merge, and when its document is deleted, the field's
// onDelete says what becomes of the row. Links that lead nowhere are remembered until they
// lead somewhere again.
package links

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
)

// Keeper keeps the links of a graph's local types. It holds no state of its own.
type Keeper struct {
	registry *doctype.Registry
	logger   *slog.Logger
}

// New makes a Keeper for the types of a registry. A nil logger logs nothing.
func New(registry *doctype.Registry, logger *slog.Logger) *Keeper {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{registry, logger}
}

// NeedsMergeCheck tells whether the deletion of a document of the DocType changes local
// rows in a way that nothing brings back: it must be certain first that it was no merge.
func (k *Keeper) NeedsMergeCheck(doctype string) bool {
	for _, l := range k.upstream(doctype) {
		if rule := onDelete(l); rule != keep {
			return true
		}
	}
	return false
}

// Apply does to local rows what follows from an event of an upstream document, in the
// transaction that logs it, and gives the events of the rows that changed.
//
//   - RENAMED: links to the old name lead to the new one.
//   - DELETED: by onDelete. NULL: the link is null. CASCADE: the row is deleted, with the
//     local rows that its foreign keys delete. KEEP and RESTRICT, and what the database
//     refuses: the row stays, marked dangling.
//
// Others change nothing, see [Keeper.Restored]. To do it twice changes nothing more.
func (k *Keeper) Apply(ctx context.Context, tx pgx.Tx, e event.Event) ([]event.Event, error) {
	if e.Source == event.Local {
		return nil, nil
	}
	var out []event.Event
	var err error
	switch e.Kind {
	case event.Renamed:
		out, err = k.rename(ctx, tx, e)
	case event.Deleted:
		out, err = k.delete(ctx, tx, e)
	default:
	}
	if err != nil {
		return nil, fmt.Errorf("links to %s after %s: %w", e.DocType, e.Kind, err)
	}
	return out, nil
}

// Linked tells whether local rows link to the documents of a DocType.
func (k *Keeper) Linked(doctype string) bool { return len(k.upstream(doctype)) > 0 }

// upstream are the local fields that link to an upstream DocType.
func (k *Keeper) upstream(key string) []doctype.LocalLink {
	if t := k.registry.ByKey(key); t == nil || t.Source == doctype.Local {
		return nil
	}
	return k.registry.LinksTo(key)
}

// rule is what becomes of a row.
type rule int

const (
	keep rule = iota
	null
	cascade
)

// onDelete is the rule of a link. A link that is never null can't become so: the generator
// refuses that, and here the row stays.
func onDelete(l doctype.LocalLink) rule {
	switch l.Field.OnDelete {
	case doctype.OnDeleteNull:
		if l.Field.NonNull {
			return keep
		}
		return null
	case doctype.OnDeleteCascade:
		return cascade
	default:
		return keep
	}
}

// refused tells whether the database's own rules forbid the change, and gives its words
// for the log: foreign keys, checks, unique columns (class 23 of SQLSTATE), and triggers
// that raise an exception.
func refused(err error) (why string, ok bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !strings.HasPrefix(e.Code, "23") && e.Code != "P0001" {
		return "", false
	}
	return e.Code + " " + e.ConstraintName, true
}

// attempt runs do in a savepoint, and undoes it when the database refuses it.
func attempt(ctx context.Context, tx pgx.Tx, do func(pgx.Tx) error) (why string, err error) {
	err = pgx.BeginFunc(ctx, tx, do)
	if err == nil {
		return "", nil
	}
	if why, ok := refused(err); ok {
		return why, nil
	}
	return "", err
}
