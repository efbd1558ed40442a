package scalar_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"erpgraph/resolvers/scalar"
)

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   any
		want string // "" when refused
	}{
		{"12.50", "12.50"},
		{"-0.001", "-0.001"},
		{"0", "0"},
		{json.Number("99999999999999999.123456789"), "99999999999999999.123456789"},
		{int(3), "3"},
		{int64(-4), "-4"},
		{0.25, "0.25"},
		{1e21, "1000000000000000000000"},
		{"", ""},
		{"1e9", ""},
		{"01", ""},
		{"1.", ""},
		{" 1", ""},
		{"NaN", ""},
		{"1}", ""},
		{true, ""},
		{nil, ""},
		{strings.Repeat("9", 65), ""},
	} {
		var d scalar.Decimal
		err := d.UnmarshalGQL(c.in)
		if c.want == "" {
			if !errors.Is(err, scalar.ErrDecimal) {
				t.Errorf("%v: read as %s, %v", c.in, d, err)
			}
			continue
		}
		var out strings.Builder
		d.MarshalGQL(&out)
		if err != nil || out.String() != `"`+c.want+`"` {
			t.Errorf("%v: %s, %v; want %s", c.in, out.String(), err, c.want)
		}
	}
	if got := (scalar.Decimal{}).String(); got != "0" {
		t.Errorf("the zero Decimal is %s", got)
	}
}
