package links

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
)

// Cascade tells of the rows of local types that go, or lose a link, when a row is deleted,
// by what their foreign keys say. The row itself is not among them. It is called right before
// the deletion, in its transaction.
func (k *Keeper) Cascade(ctx context.Context, tx pgx.Tx, t *doctype.Type, id string) ([]event.Event, error) {
	f := &fall{tx: tx, k: k, gone: map[string]map[string]bool{}, changed: map[string]map[string]bool{}}
	if err := f.down(ctx, t, []string{id}); err != nil {
		return nil, err
	}
	for _, e := range f.after {
		if !f.gone[e.DocType][e.Name] {
			f.out = append(f.out, e)
		}
	}
	return slices.DeleteFunc(f.out, func(e event.Event) bool { return e.DocType == t.Key && e.Name == id }), nil
}
