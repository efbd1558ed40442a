package criteria_test

import (
	"testing"
	"time"

	"erpgraph/internal/criteria"
)

func TestSpanOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, today, first, last string }{
		{"today", "2026-11-24", "2026-11-24", "2026-11-24"},
		{"yesterday", "2026-03-01", "2026-02-28", "2026-02-28"},
		{"tomorrow", "2024-02-28", "2024-02-29", "2024-02-29"},
		{"this week", "2026-11-24", "2026-11-22", "2026-11-28"}, // a Tuesday; weeks begin on Sunday
		{"this week", "2026-11-22", "2026-11-22", "2026-11-28"},
		{"last week", "2026-01-02", "2025-12-21", "2025-12-27"},
		{"next week", "2026-12-31", "2027-01-03", "2027-01-09"},
		{"last month", "2026-03-31", "2026-02-01", "2026-02-28"},
		{"this month", "2024-02-10", "2024-02-01", "2024-02-29"},
		{"next month", "2026-12-31", "2027-01-01", "2027-01-31"},
		{"last quarter", "2026-01-15", "2025-10-01", "2025-12-31"},
		{"this quarter", "2026-11-24", "2026-10-01", "2026-12-31"},
		{"next quarter", "2026-11-24", "2027-01-01", "2027-03-31"},
		{"last 6 months", "2026-11-24", "2026-04-01", "2026-09-30"},
		{"next 6 months", "2026-11-24", "2027-01-01", "2027-06-30"},
		{"last year", "2026-11-24", "2025-01-01", "2025-12-31"},
		{"this year", "2026-11-24", "2026-01-01", "2026-12-31"},
		{"next year", "2026-11-24", "2027-01-01", "2027-12-31"},
	} {
		today, err := time.Parse(time.DateOnly, c.today)
		if err != nil {
			t.Fatal(err)
		}
		first, last, ok := criteria.SpanOf(c.name, today.Add(23*time.Hour))
		if !ok || first.Format(time.DateOnly) != c.first || last.Format(time.DateOnly) != c.last {
			t.Errorf("%s of %s: %s to %s, %t; want %s to %s", c.name, c.today, first, last, ok, c.first, c.last)
		}
	}
	if _, _, ok := criteria.SpanOf("x", time.Now()); ok || criteria.IsTimespan("x") {
		t.Error("x is a timespan")
	}
}
