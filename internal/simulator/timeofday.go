package simulator

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxTimeOfDay is the end of the range of MariaDB's type TIME, whose hours don't stop at
// a day's end.
const maxTimeOfDay = 839 * time.Hour

// parseTimeOfDay reads a time of day, which MariaDB keeps to the microsecond: "9:05",
// "09:05:00", or as Frappe prints it, where seconds with a fraction are a Python float of
// any width: "22:39:6.133911", and "9:05:1e-05" for ten microseconds.
func parseTimeOfDay(s string) (time.Duration, bool) {
	parts := strings.Split(strings.TrimSpace(s), ":")
	if len(parts) < 2 || len(parts) > 3 || len(parts[0]) > 3 || len(parts[1]) > 2 {
		return 0, false
	}
	hours, err := strconv.ParseUint(parts[0], 10, 16)
	if err != nil {
		return 0, false
	}
	minutes, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil || minutes > 59 {
		return 0, false
	}
	out := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if len(parts) == 3 {
		seconds, ok := parseSeconds(parts[2])
		if !ok {
			return 0, false
		}
		out += seconds
	}
	return out, out < maxTimeOfDay
}

// parseSeconds reads the seconds, from 0 up to but without 60.
func parseSeconds(s string) (time.Duration, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' || strings.Trim(s, "0123456789.e-") != "" {
		return 0, false // strconv knows more spellings of numbers than the wire has
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f >= 60 {
		return 0, false
	}
	return time.Duration(math.Round(f*1e6)) * time.Microsecond, true
}

// formatTimeOfDay prints a time of day as Frappe answers it (format_timedelta of
// utils/data.py): hours unpadded, minutes of two digits, seconds of two only while they
// have no fraction.
func formatTimeOfDay(d time.Duration) string {
	seconds := d % time.Minute
	out := fmt.Sprintf("%d:%02d:", int(d.Hours()), int(d.Minutes())%60)
	if seconds%time.Second == 0 {
		return out + fmt.Sprintf("%02d", int(seconds.Seconds()))
	}
	return out + formatFloat(float64(seconds.Microseconds())/1e6)
}

// timeOfDayKey is a text that sorts as the time of day does; what is none stays as it is.
func timeOfDayKey(s string) string {
	d, ok := parseTimeOfDay(s)
	if !ok {
		return s
	}
	return fmt.Sprintf("%015d", d.Microseconds())
}
