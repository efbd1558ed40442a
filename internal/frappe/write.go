package frappe

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"erpgraph/internal/apierror"
)

// Insert creates a document. [Written.Document] is as ERPNext has stored it, child tables
// included. values are its fields; a child table is a list of maps. Frappe decides on
// the name, by the DocType's rule, and may change it without a word: a second Customer
// "X" is called "X - 1", so take it from the answer. It ignores unknown fields, resets
// read-only fields and those above the caller's permlevel, and reads text that is no
// number as 0 (TX 299, 308, 314, 315).
//
// Errors: FORBIDDEN; VALIDATION with Frappe's messages, [Error.Fields] where it names
// fields and [Error.Marked] where it names labels; CONFLICT for a name that exists.
// BAD_USER_INPUT for what can't be sent. A write is made once: only a connection that
// could not be made is tried again. Where an error is [Error.Uncertain], it may have
// happened.
func (c *Client) Insert(
	ctx context.Context, cred Credential, doctype string, values map[string]any,
) (*Written, error) {
	if err := checkDocType(doctype); err != nil {
		return nil, err
	}
	body, err := encodeValues(values)
	if err != nil {
		return nil, err
	}
	r := request{
		name: "resource.insert", doctype: doctype, cred: cred, write: true,
		verb: http.MethodPost, path: resourcePath(doctype), body: asForm(values, body), contentType: contentJSON,
	}
	return c.writeDocument(ctx, r, "data")
}

// Update changes the named fields of a document.
// A child table is replaced as a whole; rows keep their identity by "name". With
// "modified", exactly as it was read, a change since then is a CONFLICT; without it the
// last writer wins. "docstatus" 1 submits and 2 cancels. A document that does not exist
// is NOT_FOUND; other errors are those of [Client.Insert].
func (c *Client) Update(
	ctx context.Context, cred Credential, doctype, name string, values map[string]any,
) (*Written, error) {
	if err := checkDocument(doctype, name); err != nil {
		return nil, err
	}
	if _, ok := values["name"]; ok { // Frappe would look for a document of that name
		return nil, apierror.New(apierror.BadUserInput, "an update can't change the name")
	}
	body, err := encodeValues(values)
	if err != nil {
		return nil, err
	}
	r, key := documentByPath(cred, doctype, name), "data"
	r.verb, r.body, r.contentType = http.MethodPut, asForm(values, body), contentJSON
	if !fitsPath(name) {
		key = "message"
		if r, err = updateByBody(cred, doctype, name, body); err != nil {
			return nil, err
		}
	}
	r.name, r.doctype, r.docname, r.write = "resource.update", doctype, name, true
	return c.writeDocument(ctx, r, key)
}

// updateByBody does the same as a PUT (client.py set_value), the name not in the path.
func updateByBody(cred Credential, doctype, name string, values []byte) (request, error) {
	w := newJSONWriter()
	w.beginObject()
	w.key("doctype")
	w.str(doctype)
	w.key("name")
	w.str(name)
	w.key("fieldname")
	w.raw(values)
	w.endObject()
	body, err := w.bytes()
	return postJSON(methodSet, cred, body), err
}

// Delete deletes a document. One that does not exist is NOT_FOUND; one that others link
// to, or that is submitted, is VALIDATION. Other errors are those of [Client.Insert]. The
// name goes in the body, and so into no log of addresses: that of an OAuth Bearer Token is
// the token. It gives what ERPNext told its user besides, see [Written.Messages].
func (c *Client) Delete(ctx context.Context, cred Credential, doctype, name string) ([]string, error) {
	if err := checkDocument(doctype, name); err != nil {
		return nil, err
	}
	r, err := documentByBody(methodDelete, cred, doctype, name)
	if err != nil {
		return nil, err
	}
	r.name, r.doctype, r.docname, r.write = "resource.delete", doctype, name, true
	var messages []string
	err = c.call(ctx, r, func(body []byte) (int, error) {
		members, err := decodeObject(body) // {}: the status has said it
		messages = toldBy(members)
		return 0, err
	})
	if err != nil {
		return nil, err
	}
	return messages, nil
}

// reserved are keys that mean something to Frappe's code and are no fields: parameters
// of new_doc (__init__.py) and attributes of its Document class.
var reserved = []string{"doctype", "flags", "parent_doc", "as_dict"}

// encodeValues writes the fields of a document. Besides reserved keys it refuses those
// with two underscores: "__islocal" would turn an update into an insert.
func encodeValues(values map[string]any) ([]byte, error) {
	for field := range values {
		if err := checkField(field); err != nil {
			return nil, err
		}
		if slices.Contains(reserved, field) || strings.HasPrefix(field, "__") {
			return nil, apierror.New(apierror.BadUserInput, "not a field that can be written: %s", field)
		}
	}
	if values == nil {
		values = map[string]any{}
	}
	body, err := json.Marshal(values, json.Deterministic(true))
	if err != nil {
		return nil, apierror.Wrap(apierror.BadUserInput, err, "a value can't be written as JSON")
	}
	return body, nil
}

// asForm is the body of a resource's call. Frappe reads the members of any body as
// parameters first: "cmd" is a method to call instead, with the caller's rights (app.py),
// and "data" the document itself (api/v1.py). Values of fields that are called so go one
// level down.
func asForm(values map[string]any, body []byte) []byte {
	_, isCommand := values["cmd"]
	_, isData := values["data"]
	if !isCommand && !isData {
		return body
	}
	return slices.Concat([]byte(`{"data":`), body, []byte(`}`))
}
