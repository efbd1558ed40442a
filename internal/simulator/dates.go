package simulator

import (
	"strings"
	"time"
)

// Layouts of the wire: naive, in the site's zone.
const (
	dateLayout  = "2006-01-02"
	timeLayout  = "2006-01-02 15:04:05"
	microLayout = "2006-01-02 15:04:05.000000"
)

// parseTime reads a date or datetime in the forms that Frappe's parser meets in
// practice: ISO with a blank or a T, with or without seconds and fraction, and the
// day-first and month-first forms with slashes or dashes.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 8 || len(s) > 40 {
		return time.Time{}, false
	}
	if len(s) > 10 && s[10] == 'T' {
		s = s[:10] + " " + s[11:]
	}
	for _, layout := range [...]string{
		"2006-01-02 15:04:05.999999999", "2006-01-02", "2006-01-02 15:04",
		"2006-1-2", "2006-1-2 15:04:05", "01/02/2006", "02/01/2006", "02-01-2006", "01-02-2006",
		"2006/01/02", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05.999999999Z07:00",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// timespan is the range of days that a timespan operator stands for, both ends included.
func timespan(name string, today time.Time) (from, to time.Time, ok bool) {
	y, m, d := today.Date()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	now := day(y, m, d)
	week := func(t time.Time) (time.Time, time.Time) { // weeks begin on Sunday
		first := t.AddDate(0, 0, -int(t.Weekday()))
		return first, first.AddDate(0, 0, 6)
	}
	quarter := (m-1)/3*3 + 1
	months := func(first time.Month, n int) (time.Time, time.Time) {
		return day(y, first, 1), day(y, first+time.Month(n), 0)
	}
	switch name {
	case "yesterday":
		from, to = now.AddDate(0, 0, -1), now.AddDate(0, 0, -1)
	case "today":
		from, to = now, now
	case "tomorrow":
		from, to = now.AddDate(0, 0, 1), now.AddDate(0, 0, 1)
	case "last week":
		from, to = week(now.AddDate(0, 0, -7))
	case "this week":
		from, to = week(now)
	case "next week":
		from, to = week(now.AddDate(0, 0, 7))
	case "last month":
		from, to = months(m-1, 1)
	case "this month":
		from, to = months(m, 1)
	case "next month":
		from, to = months(m+1, 1)
	case "last quarter":
		from, to = months(quarter-3, 3)
	case "this quarter":
		from, to = months(quarter, 3)
	case "next quarter":
		from, to = months(quarter+3, 3)
	case "last 6 months":
		from, to = months(quarter-6, 6)
	case "next 6 months":
		from, to = months(quarter+3, 6)
	case "last year":
		from, to = day(y-1, 1, 1), day(y-1, 12, 31)
	case "this year":
		from, to = day(y, 1, 1), day(y, 12, 31)
	case "next year":
		from, to = day(y+1, 1, 1), day(y+1, 12, 31)
	default:
		return from, to, false
	}
	return from, to, true
}

// spans are the values of the operators "previous" and "next".
var spans = map[string]string{
	"1 week": "week", "1 month": "month", "3 months": "quarter", "6 months": "6 months", "1 year": "year",
}
