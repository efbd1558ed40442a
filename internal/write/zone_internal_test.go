package write

import (
	"testing"
	"time"
)

// A document that is made in the hour that comes again shows an earlier time than one that
// was made before it: it is looked for from that hour's beginning on.
func TestEarliestAfter(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ zone, text, want string }{
		"any time":                   {"Europe/Berlin", "2026-11-25 12:00:00.123456", "2026-11-25 12:00:00.123456"},
		"before the hour":            {"Europe/Berlin", "2026-10-25 01:59:59.999999", "2026-10-25 01:59:59.999999"},
		"in the hour that is twice":  {"Europe/Berlin", "2026-10-25 02:50:00.000001", "2026-10-25 01:50:00.000001"},
		"after it":                   {"Europe/Berlin", "2026-10-25 03:00:00.000000", "2026-10-25 03:00:00.000000"},
		"half an hour that is twice": {"Australia/Lord_Howe", "2026-04-05 01:45:00.000000", "2026-04-05 01:15:00.000000"},
		"a zone without":             {"Asia/Kolkata", "2026-10-25 02:50:00.000000", "2026-10-25 02:50:00.000000"},
		"without microseconds":       {"Europe/Berlin", "2026-10-25 02:50:00", "2026-10-25 01:50:00.000000"},
		"no time":                    {"Europe/Berlin", "soon", "soon"},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := earliestAfter(tt.text, zone); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
