package write

import (
	"context"
	"fmt"
	"sync"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// levelsFor is how long the permission levels of a DocType are believed.
const levelsFor = time.Minute

// administrator is the one user whom ERPNext lets write fields of any level.
const administrator = "Administrator"

// levelCache keeps the permission levels of DocTypes for a short time. They are the same
// for every caller: ERPNext gives its metadata to all who are signed in.
type levelCache struct {
	mu    sync.Mutex
	known map[string]knownLevels
}

type knownLevels struct {
	levels *frappe.Levels
	until  time.Time
}

func (c *levelCache) get(doctype string, now time.Time) *frappe.Levels {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.known[doctype]; ok && now.Before(k.until) {
		return k.levels
	}
	return nil
}

func (c *levelCache) put(doctype string, levels *frappe.Levels, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string]knownLevels{}
	}
	c.known[doctype] = knownLevels{levels: levels, until: until}
}

// levelsOf are the permission levels of a DocType and its child tables, as the site has
// them now or had them a minute ago.
func (w *Writer) levelsOf(ctx context.Context, doctype string) (*frappe.Levels, error) {
	now := w.cfg.Now()
	if levels := w.writers.levels.get(doctype, now); levels != nil {
		return levels, nil
	}
	levels, err := w.cfg.Upstream.Levels(ctx, w.set.Credential(), doctype)
	w.set.Heard(err)
	if err != nil {
		return nil, fmt.Errorf("ask for the permission levels of %s: %w", doctype, err)
	}
	w.writers.levels.put(doctype, levels, now.Add(levelsFor))
	return levels, nil
}

// checkLevels refuses to write a field above what the caller may: ERPNext would take the
// rest of the input and keep that field as it is, without a word (model/document.py
// validate_higher_perm_levels). A field that the site does not tell about has the level
// that the schema knows.
func (w *Writer) checkLevels(ctx context.Context, t *doctype.Type, fields []touched) error {
	if len(fields) == 0 {
		return nil
	}
	user, err := w.set.Caller(ctx)
	if err != nil || user.Name == administrator {
		return err
	}
	levels, err := w.levelsOf(ctx, t.Key)
	if err != nil {
		return err
	}
	for _, one := range fields {
		level, known := levels.Field(one.of.Key, one.field.Column)
		if !known {
			level = one.field.PermLevel
		}
		if level > 0 && !levels.Writable(user.Roles, level) {
			return apierror.New(apierror.Forbidden, "%s: you may not write this field (permission level %d)", one.path, level).
				About(t.Key, "", one.path)
		}
	}
	return nil
}
