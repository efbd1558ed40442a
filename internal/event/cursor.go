package event

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"

	"erpgraph/internal/apierror"
)

// Cursor is a place in a log: after the event Seq, and 0 is before the first.
type Cursor struct {
	// Epoch is the log's, as a UUID: a log that was made anew, or restored, has another.
	Epoch string
	Seq   int64
}

const (
	cursorVersion = 1
	epochBytes    = 16
	// maxCursor bounds what ParseCursor looks at: a version, an epoch and the longest varint
	// in base64.
	maxCursor = (1+epochBytes+binary.MaxVarintLen64)*4/3 + 1
)

// String is the cursor as clients keep it: opaque, safe in an HTTP header and in a URL. It
// is "" for a cursor that no log gave.
//
// It is no secret and not signed: it only says where to read on, and each event is read
// through the caller's own credential.
func (c Cursor) String() string {
	epoch, ok := parseEpoch(c.Epoch)
	if !ok || c.Seq < 0 {
		return ""
	}
	raw := append(make([]byte, 0, 1+epochBytes+binary.MaxVarintLen64), cursorVersion)
	raw = append(raw, epoch[:]...)
	raw = binary.AppendUvarint(raw, uint64(c.Seq))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParseCursor reads a cursor. There is one text for each cursor: any other is refused.
// Error: BAD_USER_INPUT with the field "after".
func ParseCursor(s string) (Cursor, error) {
	bad := apierror.New(apierror.BadUserInput, "after: this is no cursor").About("", "", "after")
	if len(s) > maxCursor {
		return Cursor{}, bad
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) < 1+epochBytes || raw[0] != cursorVersion {
		return Cursor{}, bad
	}
	seq, n := binary.Uvarint(raw[1+epochBytes:])
	if n <= 0 || seq > math.MaxInt64 {
		return Cursor{}, bad
	}
	c := Cursor{Epoch: formatEpoch(raw[1 : 1+epochBytes]), Seq: int64(seq)}
	if c.String() != s { // more bytes after it, a varint longer than need be, line breaks
		return Cursor{}, bad
	}
	return c, nil
}

// parseEpoch reads a UUID as Postgres writes it: 8-4-4-4-12 digits, lower case.
func parseEpoch(s string) (epoch [epochBytes]byte, ok bool) {
	if len(s) != 36 {
		return epoch, false
	}
	if _, err := hex.Decode(epoch[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return epoch, false
	}
	return epoch, formatEpoch(epoch[:]) == s
}

func formatEpoch(b []byte) string {
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
