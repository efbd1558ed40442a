package simulator

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// name gives a new document its name, by the DocType's rule.
func (d *draft) name(given string) error {
	set := func(name string) error { d.doc.set("name", name); return nil }
	if of := cstr(d.doc.get("amended_from")); of != "" {
		return set(d.free(of, "%s-%d"))
	}
	rule := d.meta.AutoName
	switch {
	case d.meta.Name == "Customer" || d.meta.Name == "Supplier":
		// ERPNext's stock setting: named by the party's own name, duplicates numbered.
		if own := cstr(d.doc.get(strings.ToLower(d.meta.Name) + "_name")); own != "" {
			if d.snap.tables[d.meta.Name].find(d.q.s.collation.key(own)) == nil {
				return set(own)
			}
			name := d.free(own, "%s - %d")
			d.q.notes = append(d.q.notes, object{
				{"message", fmt.Sprintf("Changed customer name to '%s' as '%s' already exists.", name, own)},
				{"title", "Note"},
				{"indicator", "yellow"},
			})
			return set(name)
		}
		return set(d.series(cstr(d.doc.get("naming_series"))))
	case strings.HasPrefix(rule, "naming_series:"):
		return set(d.series(cstr(d.doc.get("naming_series"))))
	case strings.HasPrefix(rule, "field:"):
		field := strings.TrimPrefix(rule, "field:")
		v := cstr(d.doc.get(field))
		if v == "" {
			label := field
			if f := d.meta.field(field); f != nil {
				label = f.Label
			}
			return thrown("ValidationError", label+" is required")
		}
		return set(v)
	case strings.HasPrefix(rule, "format:"):
		return set(d.series(formatSeries(strings.TrimPrefix(rule, "format:"))))
	case strings.EqualFold(rule, "prompt"):
		if given == "" {
			return thrown("ValidationError", "Please set the document name")
		}
		return set(given)
	default:
		return set(d.q.s.newName())
	}
}

var formatBrace = regexp.MustCompile(`\{([^}]*)\}`)

// formatSeries turns "TKT-{YYYY}-{#####}" into "TKT-.YYYY.-.#####".
func formatSeries(format string) string { return formatBrace.ReplaceAllString(format, ".$1.") }

// series expands a naming series such as "SAL-ORD-.YYYY.-" to the next name.
func (d *draft) series(series string) string {
	if !strings.Contains(series, "#") {
		series += ".#####"
	}
	now := d.q.s.today()
	prefix, digits := "", 5
	for part := range strings.SplitSeq(series, ".") {
		switch {
		case part == "YYYY":
			prefix += now.Format("2006")
		case part == "YY":
			prefix += now.Format("06")
		case part == "MM":
			prefix += now.Format("01")
		case part == "DD":
			prefix += now.Format("02")
		case strings.Trim(part, "#") == "" && part != "":
			digits = len(part)
		default:
			prefix += part
		}
	}
	return fmt.Sprintf("%s%0*d", prefix, digits, d.highest(prefix)+1)
}

// highest is the greatest number that follows the prefix in a name.
func (d *draft) highest(prefix string) int {
	n := 0
	for _, r := range d.snap.tables[d.meta.Name].rows {
		rest, ok := strings.CutPrefix(r.name(), prefix)
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, "-")
		if m, err := strconv.Atoi(rest); err == nil {
			n = max(n, m)
		}
	}
	return n
}

// free is the first of base numbered by format that no document has.
func (d *draft) free(base, format string) string {
	for n := 1; ; n++ {
		name := fmt.Sprintf(format, base, n)
		if d.snap.tables[d.meta.Name].find(d.q.s.collation.key(name)) == nil {
			return name
		}
	}
}
