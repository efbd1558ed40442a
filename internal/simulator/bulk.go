package simulator

import "errors"

// clientBulkUpdate is frappe.client.bulk_update: each document is saved by itself, and what
// went wrong with some is told with the others' success.
func (q *call) clientBulkUpdate() (any, error) {
	text, ok := q.form.get("docs").(string)
	if !ok {
		return nil, python("TypeError", "the JSON object must be str, bytes or bytearray, not "+pythonType(q.form.get("docs")))
	}
	list, err := decodeJSON(text)
	if err != nil {
		return nil, jsonFailure(err)
	}
	failed := []any{}
	for _, e := range asList(list) {
		data, _ := e.(object)
		_, err := q.saveOne(cstr(data.get("doctype")), cstr(data.get("docname")), func(*document) object { return data })
		if err == nil {
			continue
		}
		var f *wireError
		if !errors.As(err, &f) {
			return nil, err
		}
		q.notes = append(q.notes, f.messages...)
		failed = append(failed, object{{"doc", data}, {"exc", "Traceback (most recent call last):\n" + f.exception() + "\n"}})
	}
	return object{{"failed_docs", failed}}, nil
}
