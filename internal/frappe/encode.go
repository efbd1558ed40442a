package frappe

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
)

// jsonWriter writes JSON and keeps the first error, so that callers check once.
type jsonWriter struct {
	buf bytes.Buffer
	enc *jsontext.Encoder
	err error
}

func newJSONWriter() *jsonWriter {
	w := &jsonWriter{}
	w.enc = jsontext.NewEncoder(&w.buf)
	return w
}

func (w *jsonWriter) token(t jsontext.Token) {
	if w.err == nil {
		w.err = w.enc.WriteToken(t)
	}
}

func (w *jsonWriter) str(s string) { w.token(jsontext.String(s)) }
func (w *jsonWriter) num(n int)    { w.token(jsontext.Int(int64(n))) }
func (w *jsonWriter) beginObject() { w.token(jsontext.BeginObject) }
func (w *jsonWriter) endObject()   { w.token(jsontext.EndObject) }
func (w *jsonWriter) beginArray()  { w.token(jsontext.BeginArray) }
func (w *jsonWriter) endArray()    { w.token(jsontext.EndArray) }
func (w *jsonWriter) key(k string) { w.str(k) }
func (w *jsonWriter) raw(b []byte) { w.fail(w.enc.WriteValue(b)) }
func (w *jsonWriter) fail(e error) {
	if w.err == nil {
		w.err = e
	}
}

func (w *jsonWriter) bytes() ([]byte, error) {
	if w.err != nil {
		// Names are checked before; only a value can be at fault, and only by its text.
		return nil, apierror.Wrap(apierror.BadUserInput, w.err, "a value is not valid text")
	}
	return bytes.TrimSuffix(w.buf.Bytes(), []byte("\n")), nil
}

// encodeList writes the body of frappe.client.get_list.
func encodeList(d dialect, q *ListQuery) ([]byte, error) {
	if err := q.validate(); err != nil {
		return nil, err
	}
	joined := q.joins()
	w := newJSONWriter()
	w.beginObject()
	w.key("doctype")
	w.str(q.DocType)
	if q.Parent != "" {
		w.key("parent")
		w.str(q.Parent)
	}
	w.key("fields")
	w.beginArray()
	for _, column := range q.Columns {
		if err := d.writeColumn(w, q, column, joined); err != nil {
			return nil, err
		}
	}
	w.endArray()
	if err := writeFilters(w, "filters", q.DocType, q.Filters); err != nil {
		return nil, err
	}
	if err := writeFilters(w, "or_filters", q.DocType, q.OrFilters); err != nil {
		return nil, err
	}
	if len(q.GroupBy) > 0 {
		w.key("group_by")
		w.str(groupBy(q))
	}
	if len(q.OrderBy) > 0 {
		w.key("order_by")
		w.str(orderBy(q))
	}
	limit := q.Limit
	if q.Start > 0 && limit == 0 {
		limit = math.MaxInt32 // without a limit Frappe forgets the start
	}
	w.key("limit_start")
	w.num(q.Start)
	w.key("limit_page_length")
	w.num(limit)
	w.endObject()
	return w.bytes()
}

func writeFilters(w *jsonWriter, key, doctype string, filters []Filter) error {
	if len(filters) == 0 {
		return nil
	}
	w.key(key)
	return writeFilterList(w, doctype, filters)
}

func writeFilterList(w *jsonWriter, doctype string, filters []Filter) error {
	w.beginArray()
	for _, filter := range filters {
		if err := filter.write(w, doctype); err != nil {
			return err
		}
	}
	w.endArray()
	return nil
}

// write writes [doctype, field, operator, value].
func (f Filter) write(w *jsonWriter, own string) error {
	doctype := f.DocType
	if doctype == "" {
		doctype = own
	}
	if err := checkDocType(doctype); err != nil {
		return err
	}
	if err := checkField(f.Field); err != nil {
		return err
	}
	values, isList := listOf(f.Value)
	if isList && len(values) == 0 && (f.Op == OpIn || f.Op == OpNotIn) {
		writeEmptyIn(w, own, f.Op)
		return nil
	}
	if err := f.checkValue(values, isList); err != nil {
		return err
	}
	w.beginArray()
	w.str(doctype)
	w.str(f.Field)
	w.str(string(f.Op))
	if isList {
		w.beginArray()
		for _, value := range values {
			if err := writeScalar(w, value); err != nil {
				return err
			}
		}
		w.endArray()
	} else if err := writeScalar(w, f.Value); err != nil {
		return err
	}
	w.endArray()
	return nil
}

// writeEmptyIn says "nothing" or "everything" in words that Frappe gets right: it
// turns an empty list into a list of one empty text, which finds the rows without a
// value (model/db_query.py prepare_filter_condition). Every document has a name.
func writeEmptyIn(w *jsonWriter, own string, op Op) {
	value := IsNotSet
	if op == OpNotIn {
		value = IsSet
	}
	w.beginArray()
	w.str(own)
	w.str("name")
	w.str(string(OpIs))
	w.str(value)
	w.endArray()
}

// checkValue refuses values that Frappe would read in another way than meant: a
// text for a list is cut at its commas, a list for a scalar fails in SQL.
func (f Filter) checkValue(values []any, isList bool) error {
	text, isText := f.Value.(string)
	var ok bool
	switch f.Op {
	case OpIn, OpNotIn:
		ok = isList
	case OpBetween:
		ok = isList && len(values) == 2
	case OpEq, OpNe, OpGt, OpGte, OpLt, OpLte, OpLike, OpNotLike:
		ok = !isList
	case OpIs:
		ok = isText && (text == IsSet || text == IsNotSet)
	case OpTimespan:
		ok = isText && text != ""
	case OpDescendantsOf, OpDescendantsOfInclusive, OpNotDescendantsOf, OpAncestorsOf, OpNotAncestorsOf:
		ok = isText
	default:
		return apierror.New(apierror.BadUserInput, "no such operator: %.50q", string(f.Op))
	}
	if !ok {
		return apierror.New(apierror.BadUserInput, "the value does not fit the operator %q of %s", string(f.Op), f.Field)
	}
	return nil
}

func listOf(value any) ([]any, bool) {
	switch list := value.(type) {
	case []any:
		return list, true
	case []string:
		return slices.Collect(anys(list)), true
	default:
		return nil, false
	}
}

func anys(list []string) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		for _, s := range list {
			if !yield(s) {
				return
			}
		}
	}
}

// writeScalar writes one value. NULL is refused: "= null" finds nothing in Frappe,
// OpIs is the way to ask.
func writeScalar(w *jsonWriter, value any) error {
	switch v := value.(type) {
	case string:
		w.str(v)
	case bool:
		w.num(map[bool]int{true: 1}[v]) // Check fields hold 0 and 1; "True" would find nothing in a list
	case int:
		w.num(v)
	case int32:
		w.num(int(v))
	case int64:
		w.token(jsontext.Int(v))
	case uint64:
		w.token(jsontext.Uint(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return apierror.New(apierror.BadUserInput, "not a number: %v", v)
		}
		w.raw(strconv.AppendFloat(nil, v, 'g', -1, 64))
	case json.Number:
		number := jsontext.Value(v)
		if number.Kind() != '0' || !number.IsValid() {
			return apierror.New(apierror.BadUserInput, "not a number: %.50q", v.String())
		}
		w.raw(number)
	default:
		return apierror.New(apierror.BadUserInput, "can't filter by a value of type %T", value)
	}
	return nil
}
