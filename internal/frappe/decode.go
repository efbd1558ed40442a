package frappe

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// message decodes {"message": …} of a method into target.
func message[T any](target *T, rows int) decoder {
	return member("message", func(raw jsontext.Value) (int, error) {
		if raw.Kind() == 'n' {
			return 0, errors.New("message is null")
		}
		return rows, json.Unmarshal(raw, target)
	})
}

// member decodes one member of the answer's object; the value aliases the body.
func member(name string, decode func(jsontext.Value) (int, error)) decoder {
	return func(body []byte) (int, error) {
		members, err := decodeObject(body)
		if err != nil {
			return 0, err
		}
		raw, ok := members[name]
		if !ok {
			return 0, fmt.Errorf("no %s in it", name)
		}
		return decode(raw)
	}
}

// decodeObject reads an object; the values alias the data.
func decodeObject(data []byte) (map[string]jsontext.Value, error) {
	d := newRowDecoder(data, nil)
	members := make(map[string]jsontext.Value)
	err := d.members(func(key []byte) error {
		name, err := jsontext.AppendUnquote(nil, key)
		if err != nil {
			return err
		}
		members[string(name)], err = d.value()
		return err
	})
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return nil, err
	}
	return members, nil
}
