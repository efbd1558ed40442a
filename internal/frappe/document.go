package frappe

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
)

// Document reads one document with its child tables, by its name; of a Single the
// name is the DocType. A field that is NULL or above the caller's permlevel is
// absent or null. Frappe compares names without case and accents: the name in the
// answer is the true one. The values share the memory of the answer.
//
// A document that does not exist is NOT_FOUND, as is a DocType that does not; one
// that exists but not for this caller is FORBIDDEN.
func (c *Client) Document(ctx context.Context, cred Credential, doctype, name string) (map[string]jsontext.Value, error) {
	if err := checkDocument(doctype, name); err != nil {
		return nil, err
	}
	r, key := documentByPath(cred, doctype, name), "data"
	if !fitsPath(name) {
		var err error
		if r, err = documentByBody(methodGet, cred, doctype, name); err != nil {
			return nil, err
		}
		key = "message"
	}
	r.doctype, r.docname = doctype, name
	var document map[string]jsontext.Value
	if err := c.call(ctx, r, documentMember(key, &document)); err != nil {
		return nil, err
	}
	return document, nil
}

func checkDocument(doctype, name string) error {
	if err := checkDocType(doctype); err != nil {
		return err
	}
	if name == "" || len(name) > 4*maxName || !utf8.ValidString(name) {
		return apierror.New(apierror.BadUserInput, "not a document name: %.200q", name)
	}
	return nil
}

func documentByPath(cred Credential, doctype, name string) request {
	return request{
		name: "resource", cred: cred, verb: http.MethodGet,
		path: resourcePath(doctype) + "/" + url.PathEscape(name),
	}
}

func resourcePath(doctype string) string { return "/api/resource/" + url.PathEscape(doctype) }

// documentByBody is a call of a method that wants a document's name.
func documentByBody(method string, cred Credential, doctype, name string) (request, error) {
	w := newJSONWriter()
	w.beginObject()
	w.key("doctype")
	w.str(doctype)
	w.key("name")
	w.str(name)
	w.endObject()
	body, err := w.bytes()
	return postJSON(method, cred, body), err
}

// documentMember decodes the document under key.
func documentMember(key string, target *map[string]jsontext.Value) decoder {
	return member(key, func(raw jsontext.Value) (int, error) {
		var err error
		*target, err = decodeDocument(raw)
		return 1, err
	})
}

func decodeDocument(raw jsontext.Value) (map[string]jsontext.Value, error) {
	document, err := decodeObject(raw)
	if err == nil && len(document) == 0 {
		err = errors.New("an empty document")
	}
	return document, err
}

// fitsPath tells whether a docname survives in a path. Escaping keeps all characters
// but not the shape: proxies resolve "." and "..", Frappe's router folds "//" and
// drops a slash at either end. "x/.." would read the list of the DocType.
func fitsPath(name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
