package simulator

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// name gives a new document its name, by the DocType's rule (frappe/model/naming.py).
func (d *draft) name(given string) error {
	name, err := d.newName(given)
	if err == nil {
		name, err = checkedName(d.meta, name)
	}
	d.doc.set("name", name)
	return err
}

// checkedName is a name as it is kept, or the reason why it cannot be one.
func checkedName(meta *docType, name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", thrown("ValidationError", "No Name Specified for "+meta.Name)
	case strings.HasPrefix(name, "New "+meta.Name):
		return "", thrown("NameError", "There were some errors setting the name, please contact the administrator")
	case name == meta.Name && name != "DocType":
		return "", thrown("NameError", fmt.Sprintf("Name of %s cannot be %s", meta.Name, name))
	case strings.ContainsAny(name, "<>"):
		return "", thrown("NameError", "Name cannot contain special characters like '<', '>'")
	}
	return name, nil
}

func (d *draft) newName(given string) (string, error) {
	if of := cstr(d.doc.get("amended_from")); of != "" {
		return d.amendedName(of), nil
	}
	if name, err := d.codedName(); name != "" || err != nil {
		return name, err
	}
	rule := d.meta.AutoName
	switch {
	case strings.HasPrefix(rule, "naming_series:"):
		series := cstr(d.doc.get("naming_series"))
		if series == "" {
			return "", thrown("ValidationError", "Naming Series mandatory")
		}
		return d.series(series), nil
	case strings.HasPrefix(rule, "field:"):
		field := strings.TrimPrefix(rule, "field:")
		v := cstr(d.doc.get(field))
		if v == "" {
			label := field
			if f := d.meta.field(field); f != nil {
				label = f.Label
			}
			return "", thrown("ValidationError", label+" is required")
		}
		return v, nil
	case strings.HasPrefix(rule, "format:"):
		return d.series(formatSeries(strings.TrimPrefix(rule, "format:"))), nil
	case strings.EqualFold(rule, "prompt"):
		if given == "" {
			return "", thrown("ValidationError", "Please set the document name")
		}
		return given, nil
	case strings.Contains(rule, "#"):
		return d.series(rule), nil
	default:
		return d.q.s.newName(), nil
	}
}

// amendedName counts on from the document that is amended: X-1, then X-2.
func (d *draft) amendedName(of string) string {
	base, n := of, 1
	was := d.snap.document(d.q.s.collation, d.meta.Name, of)
	if i := strings.LastIndexByte(of, '-'); was != nil && i > 0 && was.get("amended_from").s != "" {
		base, n = of[:i], int(cint(of[i+1:]))+1
	}
	return fmt.Sprintf("%s-%d", base, n)
}

// codedName is the name that the code of a DocType gives; empty leaves it to the rule.
func (d *draft) codedName() (string, error) {
	text := func(field string) string { return strings.TrimSpace(cstr(d.doc.get(field))) }
	first := ""
	for _, e := range asList(d.doc.get("links")) {
		if row, ok := e.(object); ok && first == "" {
			first = strings.TrimSpace(cstr(row.get("link_name")))
		}
	}
	switch d.meta.Name {
	case "Customer", "Supplier":
		return d.partyName(text(strings.ToLower(d.meta.Name) + "_name")), nil
	case "Contact":
		name := strings.TrimSpace(text("first_name") + " " + text("last_name"))
		if first != "" {
			name += "-" + first
		}
		return d.unlessTaken(name, "%s-%d"), nil
	case "Address":
		title := text("address_title")
		if title == "" {
			title = first
		}
		if title == "" {
			return "", thrown("ValidationError", "Address Title is mandatory.")
		}
		d.doc.set("address_title", title)
		return d.unlessTaken(title+"-"+text("address_type"), "%s-%d"), nil
	case "Warehouse":
		return text("warehouse_name") + d.companySuffix(), nil
	case "User":
		return strings.ToLower(text("email")), nil
	default:
		return "", nil
	}
}

// companySuffix is the abbreviation by which ERPNext tells equal names of companies apart.
func (d *draft) companySuffix() string {
	c := d.snap.document(d.q.s.collation, "Company", cstr(d.doc.get("company")))
	if c == nil || c.get("abbr").s == "" {
		return ""
	}
	return " - " + c.get("abbr").s
}

// partyName is the party's own name, numbered if it is taken, by ERPNext's stock setting;
// empty without one.
func (d *draft) partyName(own string) string {
	name := d.unlessTaken(own, "%s - %d")
	if name != own {
		d.q.notes = append(d.q.notes, object{
			{"message", fmt.Sprintf("Changed customer name to '%s' as '%s' already exists.", name, own)},
			{"title", "Note"},
			{"indicator", "yellow"},
		})
	}
	return name
}

// unlessTaken is a name, or the first of it numbered by format that no document has.
func (d *draft) unlessTaken(name, format string) string {
	if name == "" || d.snap.tables[d.meta.Name].find(d.q.s.collation.key(name)) == nil {
		return name
	}
	return d.free(name, format)
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

func splitLines(s string) []string { return strings.Split(s, "\n") }
