package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// refusedError is a document that was written, and does not hold what was asked for:
// Frappe passes over fields that it does not know, and resets silently those that the
// user may not write.
type refusedError struct {
	document document
	Fields   []string
}

// Error lists the fields.
func (e *refusedError) Error() string {
	return fmt.Sprintf("the site took the %s without an error, but not its fields %q; a hook or a customization there may forbid them", e.document, e.Fields)
}

// apply writes a change and gives the document as it stands then. An empty change makes
// no call. Only differing fields are written, on the condition that nobody has changed
// the document since it was read.
func (s site) apply(ctx context.Context, c change) (map[string]jsontext.Value, error) {
	if c.empty() {
		return c.current, nil
	}
	d := c.document
	values := make(map[string]any)
	for _, field := range c.fields {
		values[field.name] = field.value
	}
	var written *frappe.Written
	var err error
	if c.name == "" {
		for field, value := range d.find {
			values[field] = value
		}
		written, err = s.upstream.Insert(ctx, s.credential, d.docType, values)
	} else {
		if modified := text(c.current["modified"]); modified != "" {
			values["modified"] = modified // the optimistic lock
		}
		written, err = s.upstream.Update(ctx, s.credential, d.docType, c.name, values)
	}
	if err != nil {
		return nil, writeError(d, err)
	}
	left, err := d.compare(written.Document)
	if err != nil || len(left) == 0 {
		return written.Document, err
	}
	refused := &refusedError{document: d}
	for _, field := range left {
		refused.Fields = append(refused.Fields, field.name)
	}
	return nil, refused
}

func writeError(d document, err error) error {
	if e, ok := errors.AsType[*frappe.Error](err); ok && e.Code == apierror.Conflict {
		return fmt.Errorf("somebody changed the %s at this moment; run setup again: %w", d, err)
	}
	return fmt.Errorf("write the %s: %w", d, err)
}
