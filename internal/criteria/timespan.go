package criteria

import "time"

// span makes a timespan's first and last day.
type span func(today, weekStart time.Time) (first, last time.Time)

// spans are the timespans that ERPNext knows, by its names. Weeks begin on Sunday, its
// default. Six months begin and end with a quarter, as ERPNext has it.
var spans = map[string]span{
	"yesterday":     days(-1),
	"today":         days(0),
	"tomorrow":      days(1),
	"last week":     weeks(-1),
	"this week":     weeks(0),
	"next week":     weeks(1),
	"last month":    months(-1, -1, 1),
	"this month":    months(0, 0, 1),
	"next month":    months(1, 1, 1),
	"last quarter":  months(-3, -3, 3),
	"this quarter":  months(0, 0, 3),
	"next quarter":  months(3, 3, 3),
	"last 6 months": months(-6, -3, 3),
	"next 6 months": months(3, 6, 3),
	"last year":     months(-12, -12, 12),
	"this year":     months(0, 0, 12),
	"next year":     months(12, 12, 12),
}

// IsTimespan tells whether ERPNext knows a timespan of this name.
func IsTimespan(name string) bool { return spans[name] != nil }

// SpanOf gives the first and last day of a timespan, seen from a day; ok is false for a
// name that ERPNext does not know.
func SpanOf(name string, today time.Time) (first, last time.Time, ok bool) {
	s := spans[name]
	if s == nil {
		return first, last, false
	}
	today = time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, time.UTC)
	first, last = s(today, today.AddDate(0, 0, -int(today.Weekday())))
	return first, last, true
}

func days(n int) span {
	return func(today, _ time.Time) (time.Time, time.Time) {
		day := today.AddDate(0, 0, n)
		return day, day
	}
}

func weeks(n int) span {
	return func(_, weekStart time.Time) (time.Time, time.Time) {
		first := weekStart.AddDate(0, 0, 7*n)
		return first, first.AddDate(0, 0, 6)
	}
}

// months spans from the period of so many months in which the month "from" lies to the
// end of the one in which "to" lies.
func months(from, to, period int) span {
	start := func(today time.Time, n int) time.Time {
		m := int(today.Month()) - 1 + n
		m -= ((m % period) + period) % period
		return time.Date(today.Year(), time.Month(m+1), 1, 0, 0, 0, 0, time.UTC)
	}
	return func(today, _ time.Time) (time.Time, time.Time) {
		return start(today, from), start(today, to).AddDate(0, period, -1)
	}
}
