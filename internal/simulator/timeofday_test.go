package simulator

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimeOfDay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want time.Duration
		wire string // empty where the text is no time of day
	}{
		{"9:05", 9*time.Hour + 5*time.Minute, "9:05:00"},
		{"09:05:00", 9*time.Hour + 5*time.Minute, "9:05:00"},
		{"9:5:7", 9*time.Hour + 5*time.Minute + 7*time.Second, "9:05:07"},
		{"22:39:06.133911", 22*time.Hour + 39*time.Minute + 6133911*time.Microsecond, "22:39:6.133911"},
		{"22:39:6.133911", 22*time.Hour + 39*time.Minute + 6133911*time.Microsecond, "22:39:6.133911"},
		{"0:00:10.5", 10500 * time.Millisecond, "0:00:10.5"},
		{"0:00:1e-05", 10 * time.Microsecond, "0:00:1e-05"},
		{"23:59:59.9999999", 24 * time.Hour, "24:00:00"}, // rounds to the microsecond
		{"838:59:59", 839*time.Hour - time.Second, "838:59:59"},
		{"839:00:00", 0, ""},
		{"", 0, ""},
		{"9", 0, ""},
		{"9:60", 0, ""},
		{"9:05:60", 0, ""},
		{"9:05:", 0, ""},
		{"-9:05:00", 0, ""},
		{"+9:05:00", 0, ""},
		{"9:05:-1", 0, ""},
		{"9:05:0x1p4", 0, ""},
		{"9:05:NaN", 0, ""},
		{"9:05:1e400", 0, ""},
		{"1:2:3:4", 0, ""},
		{"2026-11-24 09:05:00", 0, ""},
	} {
		got, ok := parseTimeOfDay(tt.text)
		if ok != (tt.wire != "") || ok && got != tt.want {
			t.Errorf("%q: %v, %v, want %v", tt.text, got, ok, tt.want)
		}
		if ok && formatTimeOfDay(got) != tt.wire {
			t.Errorf("%q is answered as %q, want %q", tt.text, formatTimeOfDay(got), tt.wire)
		}
	}
}

func TestTimeOfDayKey(t *testing.T) {
	t.Parallel()
	want := []string{
		"", "0:00:00", "0:00:1e-05", "0:00:0.5", "0:00:8.654183", "0:00:10", "0:09:59", "0:10:2.5", "0:10:12.5",
		"9:05:00", "10:00:00", "22:18:8.654183", "22:18:09", "22:18:44.1", "100:00:00",
	}
	got := slices.Clone(want)
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	col := &column{name: "at", typ: "Time", kind: text}
	c := newCollation()
	slices.SortFunc(got, func(a, b string) int { return compareValues(c.text(col, a), c.text(col, b)) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, pair := range [][2]string{{"9:05", "09:05:00.000000"}, {"22:39:6.133911", "22:39:06.133911"}, {"8:00:01.50", "08:00:1.5"}} {
		if compareValues(c.text(col, pair[0]), c.text(col, pair[1])) != 0 {
			t.Errorf("%q and %q are the same time", pair[0], pair[1])
		}
	}
}

func FuzzTimeOfDay(f *testing.F) {
	for _, s := range []string{"9:05", "22:39:6.133911", "0:00:1e-05", "838:59:59.999999", "9:05:60", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseTimeOfDay(s)
		if !ok {
			return
		}
		if d < 0 || d >= maxTimeOfDay {
			t.Fatalf("%q is %v", s, d)
		}
		if again, ok := parseTimeOfDay(formatTimeOfDay(d)); !ok || again != d {
			t.Errorf("%q is %v, but its answer %q is %v", s, d, formatTimeOfDay(d), again)
		}
	})
}

func TestScaled(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0: "0", 0.1: "100000000", -0.5: "-500000000", 123456789012.3: "123456789012300000000",
		1e-9: "1", 1e-10: "0", 1e21: "1000000000000000000000000000000", 0.1234567896: "123456790",
	} {
		if got := scaled(f).String(); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}
