package frappe

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Table is the answer to a list: rows of cells in the order of the asked columns.
type Table struct {
	Columns []string // the columns' keys
	// Rows holds the JSON of each cell: a nil cell was not in the answer, because the
	// caller may not read the field; a NULL is the JSON null. All cells share the
	// memory of the answer, so keeping one keeps all: copy what must live longer.
	Rows  [][]jsontext.Value
	Bytes int64 // length of the answer
}

// rowsPerSlab is how many rows share one allocation of cells.
const rowsPerSlab = 64

// decodeRows reads {"message": [{…}, …]}. Keys besides the columns are passed over:
// when Frappe drops all asked fields, it sends the name instead. Of a key that comes
// twice the last counts.
func decodeRows(body []byte, columns []string) (*Table, error) {
	d := newRowDecoder(body, columns)
	t := &Table{Columns: columns, Rows: [][]jsontext.Value{}, Bytes: int64(len(body))}
	found := false
	err := d.members(func(key []byte) error {
		if string(key) != `"message"` {
			return d.dec.SkipValue()
		}
		found = true
		t.Rows = t.Rows[:0]
		return d.rows(t)
	})
	if err == nil {
		err = d.end()
	}
	if err == nil && !found {
		err = errors.New("no message in it")
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// rowDecoder reads cells as slices of the body.
type rowDecoder struct {
	body   []byte
	dec    *jsontext.Decoder
	keys   [][]byte       // `"name"`, in the order of columns
	places map[string]int // the same, for keys that come in another order
	slab   []jsontext.Value
}

func newRowDecoder(body []byte, columns []string) *rowDecoder {
	d := &rowDecoder{
		body: body,
		// Frappe's Python never repeats a key; not looking saves a set for each row.
		dec:    jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true)),
		keys:   make([][]byte, len(columns)),
		places: make(map[string]int, len(columns)),
	}
	for i, column := range columns {
		quoted := `"` + column + `"` // field names need no escapes
		d.keys[i], d.places[quoted] = []byte(quoted), i
	}
	return d
}

// value is the next value, as a slice of the body that stays valid.
func (d *rowDecoder) value() (jsontext.Value, error) {
	v, err := d.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(d.dec.InputOffset())
	start := end - len(v)
	return d.body[start:end:end], nil
}

// members calls member for each key of the next object, quotes and escapes as they
// came; member reads the value.
func (d *rowDecoder) members(member func(key []byte) error) error {
	if err := d.open('{'); err != nil {
		return err
	}
	for d.dec.PeekKind() != '}' {
		key, err := d.value()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// open reads the beginning of an object or array.
func (d *rowDecoder) open(kind jsontext.Kind) error {
	token, err := d.dec.ReadToken()
	if err == nil && token.Kind() != kind {
		err = fmt.Errorf("%s where %s should be", token.Kind(), kind)
	}
	return err
}

// end fails when something follows the value.
func (d *rowDecoder) end() error {
	if rest := bytes.TrimLeft(d.body[d.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return errors.New("more than one value")
	}
	return nil
}

func (d *rowDecoder) rows(t *Table) error {
	if err := d.open('['); err != nil {
		return err
	}
	for d.dec.PeekKind() != ']' {
		row := d.newRow()
		if err := d.row(row); err != nil {
			return err
		}
		t.Rows = append(t.Rows, row)
	}
	_, err := d.dec.ReadToken()
	return err
}

// row fills the cells. Rows come with their keys in the order of the query, but for
// dropped ones, so the place of the next key is guessed before it is looked up.
func (d *rowDecoder) row(row []jsontext.Value) error {
	next := 0
	return d.members(func(key []byte) error {
		place := next
		if place >= len(row) || !bytes.Equal(key, d.keys[place]) {
			var known bool
			if place, known = d.places[string(key)]; !known {
				return d.dec.SkipValue()
			}
		}
		cell, err := d.value()
		row[place] = cell
		next = place + 1
		return err
	})
}

// newRow cuts the cells of a row from a slab.
func (d *rowDecoder) newRow() []jsontext.Value {
	width := len(d.keys)
	if len(d.slab) < width {
		d.slab = make([]jsontext.Value, width*rowsPerSlab)
	}
	row := d.slab[:width:width]
	d.slab = d.slab[width:]
	return row
}
