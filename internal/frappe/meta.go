package frappe

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Meta reads the definition of a DocType and of its child tables, as the desk does:
// a JSON list of DocType documents, custom fields and property setters included,
// permissions too. Any login may read it, so it is no secret, and no proof that the
// caller may read the DocType.
func (c *Client) Meta(ctx context.Context, cred Credential, doctype string) (jsontext.Value, error) {
	if err := checkDocType(doctype); err != nil {
		return nil, err
	}
	r := getMethod(methodMeta, cred, url.Values{"doctype": {doctype}})
	r.doctype = doctype
	var docs jsontext.Value
	err := c.call(ctx, r, member("docs", func(raw jsontext.Value) (int, error) {
		if raw.Kind() != '[' {
			return 0, errors.New("docs is no list")
		}
		docs = slices.Clone(raw)
		return 1, nil
	}))
	return docs, err
}
