package frappe

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
)

// Rename gives a document another name, and all links to it. With merge, to is a document
// that exists: links to the old one lead there, and the old one is deleted.
// [Written.Name] is the new name, which ERPNext may have changed; there is no document.
//
// What Frappe refuses is VALIDATION, a missing right and a name that is taken too: it has
// no class of its own for those (TX 363–365). A document that does not exist is
// NOT_FOUND. Other errors are those of [Client.Insert].
func (c *Client) Rename(ctx context.Context, cred Credential, doctype, name, to string, merge bool) (*Written, error) {
	if err := checkDocument(doctype, name); err != nil {
		return nil, err
	}
	if err := checkDocument(doctype, to); err != nil {
		return nil, err
	}
	if name == to { // Frappe refuses it as well, and has run the DocType's own code by then
		return nil, apierror.New(apierror.BadUserInput, "the new name is the old one: %.200q", name)
	}
	body, err := renameBody(doctype, name, to, merge)
	if err != nil {
		return nil, err
	}
	r := postJSON(methodRename, cred, body)
	r.doctype, r.docname, r.write = doctype, name, true
	w := &Written{}
	err = c.call(ctx, r, func(body []byte) (int, error) {
		members, err := decodeObject(body)
		if err != nil {
			return 0, err
		}
		w.Messages = toldBy(members)
		if w.Name = docname(members["message"]); w.Name == "" {
			return 0, errNoName
		}
		return 1, nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

func renameBody(doctype, name, to string, merge bool) ([]byte, error) {
	w := newJSONWriter()
	w.beginObject()
	w.key("doctype")
	w.str(doctype)
	w.key("old_name")
	w.str(name)
	w.key("new_name")
	w.str(to)
	if merge {
		w.key("merge")
		w.token(jsontext.True)
	}
	w.endObject()
	return w.bytes()
}
