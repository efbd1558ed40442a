package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/event"
)

// delivery is what the body says that setup installs:
//
//	{"event": "on_update", "doctype": "Customer", "name": "ACME",
//	 "modified": "2026-11-24 22:40:02.467387", "creation": "2026-11-24 22:40:02.467387", "docstatus": 0}
//
// Other keys may stand beside these.
type delivery struct {
	event, docType, name string
	modified, creation   string // normalised; creation may be ""
	docStatus            int
}

// foreignError is a body that is JSON, but not what setup makes Webhooks send. Its text
// is for the administrator who reads the Webhook Request Log.
type foreignError struct{ why string }

// Error says what to mend.
func (e *foreignError) Error() string {
	return e.why + "; `erpgraph setup` writes the body of its Webhooks, run it again, or point other Webhooks elsewhere"
}

func foreign(format string, args ...any) error { return &foreignError{fmt.Sprintf(format, args...)} }

// maxName is the length of Frappe's names in characters.
const maxName = 140

// parse reads a body. Errors are *foreignError, and others for what is no JSON object:
// duplicate keys and invalid UTF-8 included, for two readers might read them apart.
func parse(body []byte) (delivery, error) {
	keys, err := scan(body)
	if err != nil {
		return delivery{}, err
	}
	d := delivery{}
	if d.event, err = textOf(keys, "event"); err != nil {
		return delivery{}, err
	}
	if d.docType, err = nameOf(keys, "doctype"); err != nil {
		return delivery{}, err
	}
	if d.name, err = nameOf(keys, "name"); err != nil {
		return delivery{}, err
	}
	if d.modified, err = timeOf(keys, "modified"); err != nil {
		return delivery{}, err
	}
	if d.modified == "" {
		return delivery{}, foreign(`"modified" is missing`)
	}
	if d.creation, err = timeOf(keys, "creation"); err != nil {
		return delivery{}, err
	}
	d.docStatus, err = docStatusOf(keys)
	return d, err
}

// scan gives the values of the keys of interest, as they stand.
func scan(body []byte) (map[string]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, err
		}
		return nil, foreign("the body is no JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	keys := make(map[string]jsontext.Value)
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		name := key.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		switch name {
		case "event", "doctype", "name", "modified", "creation", "docstatus":
			keys[name] = value.Clone()
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return keys, nil
}

// textOf gives a text, "" for null.
func textOf(keys map[string]jsontext.Value, key string) (string, error) {
	value, ok := keys[key]
	switch {
	case !ok:
		return "", foreign("the body has no %q", key)
	case value.Kind() == 'n':
		return "", nil
	case value.Kind() != '"':
		return "", foreign("%q is no text", key)
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err
}

// nameOf gives a name. Those of DocTypes with the autoname "autoincrement" are numbers.
func nameOf(keys map[string]jsontext.Value, key string) (string, error) {
	if value := keys[key]; value.Kind() == '0' {
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return "", foreign("%q is no whole number", key)
		}
		return strconv.FormatInt(n, 10), nil
	}
	name, err := textOf(keys, key)
	switch {
	case err != nil:
		return "", err
	case name == "":
		return "", foreign("%q is empty", key)
	case utf8.RuneCountInString(name) > maxName:
		return "", foreign("%q is longer than a name can be", key)
	case strings.ContainsRune(name, 0):
		return "", foreign("%q has characters that no name has", key)
	}
	return name, nil
}

// timeOf gives a Datetime with six digits of a second; "" for null, and where there is
// none: a Single that was never inserted has no creation.
func timeOf(keys map[string]jsontext.Value, key string) (string, error) {
	if _, ok := keys[key]; !ok {
		return "", nil
	}
	text, err := textOf(keys, key)
	if err != nil || text == "" {
		return "", err
	}
	normal, err := event.NormalModified(text)
	if err != nil {
		return "", foreign("%q is no Datetime", key)
	}
	return normal, nil
}

func docStatusOf(keys map[string]jsontext.Value) (int, error) {
	switch string(keys["docstatus"]) {
	case "", "null", "0":
		return 0, nil
	case "1":
		return 1, nil
	case "2":
		return 2, nil
	}
	return 0, foreign(`"docstatus" is none of 0, 1 and 2`)
}

// asEvent is the event that a delivery tells.
//
// ERPNext fires on_update as well for an insert and for a submit, and deliveries come in
// any order, so which of them it is must follow from the body alone: an inserted document
// was modified when it was created; and a submitted one is only ever saved again by what
// fires on_change instead of on_update (Frappe 15, model/document.py).
func (d delivery) asEvent() (event.Event, error) {
	kind := event.Updated
	switch d.event {
	case "after_insert":
		kind = event.Created
	case "on_update":
		switch {
		case d.docStatus == 1:
			kind = event.Submitted
		case d.creation == d.modified:
			kind = event.Created
		}
	case "on_change":
	case "on_submit":
		kind = event.Submitted
	case "on_cancel":
		kind = event.Cancelled
	case "on_trash":
		kind = event.Deleted
	default:
		return event.Event{}, foreign("the event %.40q is none of erpgraph's", d.event)
	}
	e := event.Event{DocType: d.docType, Name: d.name, Kind: kind, Modified: d.modified, Source: event.Webhook}
	if err := event.Check(e); err != nil {
		return event.Event{}, foreign("%v", err)
	}
	return e, nil
}
