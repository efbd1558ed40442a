package event_test

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

const someEpoch = "0188a1b2-c3d4-4e5f-8071-0123456789ab"

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, seq := range []int64{0, 1, 127, 128, 1 << 40, math.MaxInt64} {
		c := event.Cursor{Epoch: someEpoch, Seq: seq}
		got, err := event.ParseCursor(c.String())
		if err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	for _, c := range []event.Cursor{{}, {Epoch: someEpoch, Seq: -1}, {Epoch: strings.ToUpper(someEpoch)}, {Epoch: someEpoch[:35] + "x"}} {
		if c.String() != "" {
			t.Errorf("%v is %q", c, c)
		}
	}
}

func TestParseCursorRefuses(t *testing.T) {
	t.Parallel()
	good := event.Cursor{Epoch: someEpoch, Seq: 5}.String()
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(head []byte, tail ...byte) string {
		return base64.RawURLEncoding.EncodeToString(append(append([]byte(nil), head...), tail...))
	}
	for name, text := range map[string]string{
		"nothing":         "",
		"cut":             good[:len(good)-2],
		"a line break":    good[:4] + "\n" + good[4:],
		"more bytes":      encode(raw, 0),
		"another version": encode([]byte{2}, raw[1:]...),
		"a long varint":   encode(raw[:17], 0x85, 0),
		"beyond int64":    encode(raw[:17], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
		"an endless one":  encode(raw[:17], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"padding":         good + "=",
		"no base64":       "%%%",
		"endless":         strings.Repeat("A", 1<<20),
	} {
		if c, err := event.ParseCursor(text); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%s: %v, %v", name, c, err)
		} else if coded, _ := apierror.As(err); coded.Field != "after" {
			t.Errorf("%s: the field is %q", name, coded.Field)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(event.Cursor{Epoch: someEpoch, Seq: 300}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := event.ParseCursor(text)
		if err == nil && (c.String() != text || c.Seq < 0) {
			t.Errorf("%q is %+v, which is %q", text, c, c)
		}
	})
}

func FuzzNormalModified(f *testing.F) {
	for _, text := range []string{"2026-11-25 01:02:03.123456", "2026-11-25 01:02:03", "2026-11-25T01:02:03.1", "2026-11-25 01:02:03.", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		normal, err := event.NormalModified(text)
		if err != nil {
			return
		}
		if again, err := event.NormalModified(normal); err != nil || again != normal || len(normal) != len(event.ModifiedLayout) {
			t.Errorf("%q is %q, which is %q, %v", text, normal, again, err)
		}
	})
}

func TestNormalModified(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-25 01:02:03.123456":       "2026-11-25 01:02:03.123456",
		"2026-11-25 01:02:03":              "2026-11-25 01:02:03.000000",
		"2026-11-25T01:02:03.5":            "2026-11-25 01:02:03.500000",
		"2026-11-25 01:02:03.1234567":      "",
		"2026-11-25 01:02":                 "",
		"2026-11-25 01:02:03+01:00":        "",
		"2026-13-25 01:02:03":              "",
		"":                                 "",
		"2026-11-25 01:02:03.123456 or so": "",
	} {
		got, err := event.NormalModified(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}
