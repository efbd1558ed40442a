package write

import (
	"errors"
	"regexp"
	"time"
)

// ERPNext keeps a Datetime as the time that a clock on the wall of the site shows, with
// microseconds (MariaDB datetime(6)) and without its offset.
const (
	siteLayout = "2006-01-02 15:04:05.000000"
	// siteShort is how it writes one whose microseconds are zero.
	siteShort = "2006-01-02 15:04:05"
	// rfcLayout is how the graph writes DateTime.
	rfcLayout = "2006-01-02T15:04:05.000000Z07:00"
)

// instantPattern is RFC 3339 with no more digits than are kept. time.Parse would take
// more, and drop them.
var instantPattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$`)

var (
	errNoInstant = errors.New("is not a date and time: write it with its offset and at most 6 digits of a second, as 2006-01-31T15:04:05.123456+01:00")
	errOverlap   = errors.New("is an hour that the site's clocks show twice, as they are set back: ERPNext, which keeps no offset, would take it for the other one")
	errYear      = errors.New("must be in the years 1000 to 9999")
)

// parseInstant reads a DateTime of the graph, or Go's own.
func parseInstant(v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		if v.Nanosecond()%1000 != 0 {
			return time.Time{}, errNoInstant
		}
		return v, nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil || !instantPattern.MatchString(v) {
			return time.Time{}, errNoInstant
		}
		return t, nil
	default:
		return time.Time{}, errNoInstant
	}
}

// errLocalMean is a moment before zones had offsets of whole minutes: RFC 3339 can't say it.
var errLocalMean = errors.New("is before the site's time zone had an offset of whole minutes, so that it can't be read back")

// toSite is an instant as the site's clock shows it, if it can be told from that again.
// Where clocks are set back an hour comes twice, and reading takes one of the two.
func toSite(t time.Time, zone *time.Location) (string, error) {
	text := t.In(zone).Format(siteLayout)
	if year := t.In(zone).Year(); year < 1000 || year > 9999 {
		return "", errYear
	}
	if _, offset := t.In(zone).Zone(); offset%60 != 0 {
		return "", errLocalMean
	}
	back, err := time.ParseInLocation(siteLayout, text, zone)
	if err != nil || !back.Equal(t) {
		return "", errOverlap
	}
	return text, nil
}

// earliestAfter is a time of the site's clock that all that comes after text is behind. In
// the hour that comes twice when clocks are set back, what comes later may show an earlier
// time: there it is that much less than text itself.
func earliestAfter(text string, zone *time.Location) string {
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999999", text, zone)
	if err != nil {
		return text
	}
	naive := t.Format(siteLayout)
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} { // all that zones know
		if t.Add(back).Format(siteLayout) == naive || t.Add(-back).Format(siteLayout) == naive {
			wall := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
			return wall.Add(-back).Format(siteLayout)
		}
	}
	return text
}

// lockText is the modified of a document as the site itself wrote it, from what the graph
// has given the client. ERPNext compares it as text (model/document.py check_if_latest),
// and its own leaves out microseconds that are zero.
func lockText(ifModified string, zone *time.Location) (string, error) {
	t, err := parseInstant(ifModified)
	if err != nil {
		return "", err
	}
	text, err := toSite(t, zone)
	if err != nil {
		return "", err
	}
	if t.Nanosecond() == 0 {
		return text[:len(siteShort)], nil
	}
	return text, nil
}

// fromSite is a Datetime of the site as the graph gives it, "" where it is none.
func fromSite(text string, zone *time.Location) string {
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999999", text, zone)
	if err != nil {
		return ""
	}
	return t.Format(rfcLayout)
}
