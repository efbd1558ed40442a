package postgres_test

import (
	"math/big"
	"testing"

	"erpgraph/internal/postgres"
)

// FuzzKeepsDigits holds the counting of digits to arithmetic: a numeric(p, s) keeps a
// number that is a whole number of 10^-s and smaller than 10^(p-s).
func FuzzKeepsDigits(f *testing.F) {
	for _, s := range []string{"0", "-0.00", "1.50", "1234567.125", "1.2345", "12e1", "1e7", "15e-4", "0.00100", "100e-5", "-9999999.999", "1E+3", "0e999", "1e-999"} {
		f.Add(s, uint8(10), int8(3))
		f.Add(s, uint8(2), int8(2))
		f.Add(s, uint8(3), int8(-2))
		f.Add(s, uint8(2), int8(5))
	}
	f.Fuzz(func(t *testing.T, s string, p uint8, scale int8) {
		precision := int(p) + 1
		got, ok := postgres.KeepsDigits(s, precision, int(scale))
		if !ok {
			return
		}
		n, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q passes for a number", s)
		}
		n.Abs(n)
		want := new(big.Rat).Mul(n, power(int(scale))).IsInt() && n.Cmp(power(precision-int(scale))) < 0
		if got != want {
			t.Errorf("numeric(%d, %d) keeps %q: %t, want %t", precision, scale, s, got, want)
		}
	})
}

// power is 10^n.
func power(n int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
	if n < 0 {
		p.Inv(p)
	}
	return p
}
