package frappe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Written is what came of a write that ERPNext has made.
type Written struct {
	// Name is the docname after the write: ERPNext decides on it, also where it was sent.
	Name string
	// Document is the document as ERPNext has stored it, child tables included; nil where
	// the call does not answer with it (a rename).
	Document map[string]jsontext.Value
	// Messages are what ERPNext told its user besides, without HTML, in the caller's
	// language: "Changed customer name to …".
	Messages []string
}

// errNoName is a success from which nobody can tell what was written.
var errNoName = errors.New("the document has no name")

// writeDocument sends a write that answers with the document under key.
func (c *Client) writeDocument(ctx context.Context, r request, key string) (*Written, error) {
	w := &Written{}
	if err := c.call(ctx, r, w.decode(key)); err != nil {
		return nil, err
	}
	return w, nil
}

// decode reads an answer with the document under key.
func (w *Written) decode(key string) decoder {
	return func(body []byte) (int, error) {
		members, err := decodeObject(body)
		if err != nil {
			return 0, err
		}
		if w.Document, err = decodeDocument(members[key]); err != nil {
			return 0, fmt.Errorf("%s: %w", key, err)
		}
		w.Messages = toldBy(members)
		if w.Name = docname(w.Document["name"]); w.Name == "" {
			return 0, errNoName
		}
		return 1, nil
	}
}

// docname reads a name: text, or a number where the DocType's names are one (autoname
// "autoincrement"); "" for anything else.
func docname(raw jsontext.Value) string {
	switch raw.Kind() {
	case '"':
		var name string
		if json.Unmarshal(raw, &name) == nil {
			return name
		}
	case '0':
		return raw.String()
	}
	return ""
}
