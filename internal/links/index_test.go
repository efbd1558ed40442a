package links_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"erpgraph/internal/links"
)

func TestUnindexed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bare := func() []string {
		t.Helper()
		found, err := w.keeper.Unindexed(t.Context(), w.db.Pool())
		if err != nil {
			t.Fatal(err)
		}
		out := []string{}
		for _, l := range found {
			out = append(out, l.Type.Name+"."+l.Field.Name+" → "+l.Field.Target)
		}
		return out
	}
	// rating.customer is unique.
	same(t, "at first", bare(), "Memo.customer → Customer", "Deal.item → Item")

	// What does not help to find all rows of a name.
	w.sql(`create index on deal (agent, item)`)
	w.sql(`create index on deal (item) where agent is not null`)
	w.sql(`create index on deal (item collate "C")`)
	w.sql(`create index on deal (lower(item))`)
	w.sql(`create index on deal using gin (to_tsvector('simple', item))`)
	w.sql(`create index on memo (id) include (customer)`)
	same(t, "others", bare(), "Memo.customer → Customer", "Deal.item → Item")

	var log bytes.Buffer
	if err := links.New(w.reg, slog.New(slog.NewTextHandler(&log, nil))).WarnUnindexed(t.Context(), w.db.Pool()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 || !strings.Contains(log.String(), "table=deal column=item target=Item") {
		t.Errorf("%d warnings: %s", n, log.String())
	}

	w.sql(`create index on deal (item, id) where item is not null`)
	w.sql(`create index on memo using hash (customer)`)
	same(t, "at last", bare())
}
