package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// RefusedError is a document that was written, and does not hold what was asked for:
// Frappe passes over fields that it does not know, and resets silently those that the
// user may not write.
type RefusedError struct {
	Document Document
	Fields   []string
}

// Error lists the fields.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the site took the %s without an error, but not its fields %q; a hook or a customization there may forbid them", e.Document, e.Fields)
}

// Apply writes a change and gives the document as it stands then. An empty change makes
// no call. Only differing fields are written, on the condition that nobody has changed
// the document since it was read.
func (s Site) Apply(ctx context.Context, c Change) (map[string]jsontext.Value, error) {
	if c.Empty() {
		return c.current, nil
	}
	d := c.Document
	values := make(map[string]any)
	for _, field := range c.Fields {
		values[field.Name] = field.value
	}
	var written map[string]jsontext.Value
	var err error
	if c.Name == "" {
		for field, value := range d.Find {
			values[field] = value
		}
		written, err = s.Upstream.Insert(ctx, s.Credential, d.DocType, values)
	} else {
		if modified := text(c.current["modified"]); modified != "" {
			values["modified"] = modified // the optimistic lock
		}
		written, err = s.Upstream.Update(ctx, s.Credential, d.DocType, c.Name, values)
	}
	if err != nil {
		return nil, writeError(d, err)
	}
	left, err := d.compare(written)
	if err != nil || len(left) == 0 {
		return written, err
	}
	refused := &RefusedError{Document: d}
	for _, field := range left {
		refused.Fields = append(refused.Fields, field.Name)
	}
	return nil, refused
}

func writeError(d Document, err error) error {
	if e, ok := errors.AsType[*frappe.Error](err); ok && e.Code == apierror.Conflict {
		return fmt.Errorf("somebody changed the %s at this moment; run setup again: %w", d, err)
	}
	return fmt.Errorf("write the %s: %w", d, err)
}
