package simulator_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// noValue is what the recorded documents leave out.
var noValue = []any{nil, ""}

// normalise takes out what no two runs share: identifiers of exceptions, tracebacks, and
// members without value, which the recorded documents leave out.
func normalise(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			switch k {
			case "__unsaved", "exc", "__frappe_exc_id", "_exc_source", "_debug_messages", "_trimmed", "last_active", "last_login", "last_ip", "sub", "exp":
				continue
			case "_server_messages":
				e = messages(e)
			}
			e = normalise(e)
			if isNoValue(e) {
				continue
			}
			out[k] = e
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = normalise(e)
		}
		return out
	case string:
		if strings.HasPrefix(v, "Traceback ") {
			v = v[strings.LastIndexByte(strings.TrimRight(v, "\n"), '\n')+1:]
		}
		v = operatorList.ReplaceAllString(v, "one of ...")
		v = generatedTime.ReplaceAllString(v, "TIME")
		return generatedName.ReplaceAllString(v, "NAME")
	default:
		return v
	}
}

// generatedTime and generatedName are times of the recording, times of day of it,
// and what naming series gave then: a series that skipped numbers is not in the data.
var (
	generatedTime = regexp.MustCompile(`2026-11-24[ T]22:(3[89]|4\d):[0-9.]+|^22:(3[89]|4\d):[0-9.]+$`)
	generatedName = regexp.MustCompile(`TKT-2026-003\d\d|SAL-ORD-2026-020\d\d`)
)

// notSimulated are the fields of an order that the simulator leaves as they are: figures of
// the stock, amounts in words, and when to pay.
var notSimulated = []string{"in_words", "base_in_words", "actual_qty", "projected_qty", "valuation_rate", "gross_profit", "reserve_stock", "payment_schedule", "discount_amount"}

// simulated leaves them out.
func simulated(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, e := range v {
			if !slices.Contains(notSimulated, k) {
				out[k] = simulated(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = simulated(v[i])
		}
		return out
	default:
		return v
	}
}

// isMetadata reports whether the answer is metadata, of which both the recording and the
// data set hold a selection of members.
func isMetadata(name string) bool {
	return strings.Contains(name, "getdoctype") || strings.Contains(name, "v2-meta") || strings.Contains(name, "doctype-resource")
}

// restrict leaves the members of have that want has too. Rows of metadata have no
// identity that the data set kept.
func restrict(have, want any) any {
	switch w := want.(type) {
	case map[string]any:
		h, _ := have.(map[string]any)
		out := make(map[string]any)
		for k := range w {
			if v, ok := h[k]; ok {
				out[k] = restrict(v, w[k])
			} else if rowIdentity[k] {
				out[k] = w[k]
			}
		}
		return out
	case []any:
		h, _ := have.([]any)
		out := make([]any, len(h))
		for i := range h {
			out[i] = h[i]
			if i < len(w) {
				out[i] = restrict(h[i], w[i])
			}
		}
		return out
	default:
		return have
	}
}

var rowIdentity = map[string]bool{
	"name": true, "creation": true, "modified": true, "modified_by": true, "owner": true, "docstatus": true, "idx": true,
	"fields": true, "permissions": true, "actions": true, "links": true, "states": true, "naming_rule": true,
}

// operatorList is printed from a Python set, in another order at each start.
var operatorList = regexp.MustCompile(`one of between,.*|one of [a-z =]+, .*timespan.*`)

func isNoValue(v any) bool {
	for _, n := range noValue {
		if reflect.DeepEqual(v, n) {
			return true
		}
	}
	return false
}

// messages decodes a list of JSON texts in a JSON text.
func messages(v any) any {
	var texts []string
	s, _ := v.(string)
	if json.Unmarshal([]byte(s), &texts) != nil {
		return v
	}
	out := make([]any, len(texts))
	for i, text := range texts {
		if json.Unmarshal([]byte(text), &out[i]) != nil {
			out[i] = text
		}
	}
	return out
}
