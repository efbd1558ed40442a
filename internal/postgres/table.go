package postgres

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// null is what every NULL becomes; values are read-only, so all may share it.
var null = jsontext.Value("null")

// format says how the text of a column becomes JSON.
type format uint8

const (
	quoted   format = iota
	verbatim        // integers; json and jsonb are JSON already
	decimal         // as verbatim, but for NaN and the infinities
	boolean
	timestamp
	date
)

func formatOf(oid uint32) format {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.JSONOID, pgtype.JSONBOID:
		return verbatim
	case pgtype.NumericOID, pgtype.Float4OID, pgtype.Float8OID:
		return decimal
	case pgtype.BoolOID:
		return boolean
	case pgtype.TimestamptzOID:
		return timestamp
	case pgtype.DateOID:
		return date
	default:
		return quoted
	}
}

// arena holds the JSON of many values in few allocations.
type arena struct {
	buf    []byte
	values []jsontext.Value
}

const (
	arenaBytes  = 16 << 10
	arenaValues = 512
)

// row makes room for a row of n values.
func (a *arena) row(n int) []jsontext.Value {
	if cap(a.values)-len(a.values) < n {
		a.values = make([]jsontext.Value, 0, max(arenaValues, n))
	}
	at := len(a.values)
	a.values = a.values[:at+n]
	return a.values[at : at+n : at+n]
}

// value turns the text of a column into JSON; raw is the driver's and copied.
func (a *arena) value(f format, raw []byte) (jsontext.Value, error) {
	if raw == nil {
		return null, nil
	}
	if cap(a.buf)-len(a.buf) < len(raw)+16 {
		a.buf = make([]byte, 0, max(arenaBytes, len(raw)+16))
	}
	at := len(a.buf)
	var err error
	switch f {
	case verbatim:
		a.buf = append(a.buf, raw...)
	case decimal:
		if c := raw[len(raw)-1]; c == 'N' || c == 'y' { // NaN, Infinity
			return null, nil
		}
		a.buf = append(a.buf, raw...)
	case boolean:
		if raw[0] == 't' {
			a.buf = append(a.buf, "true"...)
		} else {
			a.buf = append(a.buf, "false"...)
		}
	case timestamp, date:
		if raw[len(raw)-1] == 'y' { // infinity
			return null, nil
		}
		if f == timestamp {
			a.buf = appendTimestamp(a.buf, raw)
		} else {
			a.buf = append(append(append(a.buf, '"'), raw...), '"')
		}
	default:
		a.buf, err = jsontext.AppendQuote(a.buf, raw)
	}
	return jsontext.Value(a.buf[at:len(a.buf):len(a.buf)]), err
}

// appendTimestamp turns "2026-01-31 15:04:05.12+00" into RFC 3339 in UTC with all six
// digits. The connection's time zone is UTC and its date style ISO (see DB.connect).
func appendTimestamp(dst, raw []byte) []byte {
	dst = append(dst, '"')
	naive, ok := bytes.CutSuffix(raw, []byte("+00"))
	if !ok || len(naive) < len("2026-01-31 15:04:05") {
		return append(append(dst, raw...), '"')
	}
	at := len(dst)
	dst = append(dst, naive...)
	if i := bytes.IndexByte(dst[at:], ' '); i >= 0 {
		dst[at+i] = 'T'
	}
	digits := 0
	if dot := bytes.IndexByte(naive, '.'); dot >= 0 {
		digits = len(naive) - dot - 1
	} else {
		dst = append(dst, '.')
	}
	dst = append(dst, "000000"[min(digits, 6):]...)
	return append(dst, `Z"`...)
}

func formatsOf(fields []pgconn.FieldDescription) []format {
	out := make([]format, len(fields))
	for i, f := range fields {
		out[i] = formatOf(f.DataTypeOID)
	}
	return out
}
