package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// defaults fills in what a new document begins with.
func (d *draft) defaults() {
	d.fillDefaults(d.meta, &d.doc)
	for _, f := range d.meta.tables() {
		d.eachRow(f, func(_ int, row *object) { d.fillDefaults(d.snap.meta(f.Options), row) })
	}
}

// eachRow visits the rows of a table field, which may be changed.
func (d *draft) eachRow(f *docField, do func(i int, row *object)) {
	list, _ := d.doc.get(f.Name).([]any)
	for i := range list {
		if o, ok := list[i].(object); ok {
			do(i, &o)
			list[i] = o
		}
	}
}

func (d *draft) fillDefaults(meta *docType, doc *object) {
	if meta == nil {
		return
	}
	now := d.q.s.siteTime()
	for i := range meta.Fields {
		f := &meta.Fields[i]
		if v, given := doc.lookup(f.Name); given && v != nil || !f.hasColumn() {
			continue
		}
		switch v := cstr(f.Default); {
		case strings.EqualFold(v, "today"):
			doc.set(f.Name, now[:len(dateLayout)])
		case strings.EqualFold(v, "now") && f.Type == "Datetime":
			doc.set(f.Name, now)
		case f.Type == "Time" && (v == "" || strings.EqualFold(v, "now")):
			doc.set(f.Name, now[len(dateLayout)+1:]) // a Time left empty is the present
		case v == "__user":
			doc.set(f.Name, d.q.user.name)
		case strings.HasPrefix(v, ":"):
		case v != "":
			doc.set(f.Name, f.Default)
		case f.Type == "Select" && f.Options != "":
			first, _, _ := strings.Cut(f.Options, "\n")
			doc.set(f.Name, first)
		case f.Type == "Link" && (f.Name == "company" || f.Name == "currency"):
			doc.set(f.Name, d.siteDefault(f.Name))
		}
	}
}

// siteDefault is the site's company, or its currency.
func (d *draft) siteDefault(field string) any {
	t := d.snap.tables["Company"]
	if t == nil || len(t.rows) == 0 {
		return nil
	}
	if field == "company" {
		return t.rows[0].name()
	}
	if c := t.meta.column("default_currency"); c >= 0 {
		return t.rows[0].vals[c].s
	}
	return nil
}

// fetch copies values from linked documents into the fields that say so.
func (d *draft) fetch() {
	copyFrom := func(meta *docType, doc *object) {
		for i := range meta.Fields {
			f := &meta.Fields[i]
			link, source, ok := strings.Cut(f.FetchFrom, ".")
			lf := meta.field(link)
			if !ok || lf == nil || lf.Type != "Link" || doc.get(f.Name) != nil && doc.get(f.Name) != "" {
				continue
			}
			if o := d.snap.document(d.q.s.collation, lf.Options, cstr(doc.get(link))); o != nil {
				doc.set(f.Name, o.get(source).native())
			}
		}
	}
	copyFrom(d.meta, &d.doc)
	for _, f := range d.meta.tables() {
		if child := d.snap.meta(f.Options); child != nil {
			d.eachRow(f, func(_ int, row *object) { copyFrom(child, row) })
		}
	}
	d.compute()
}

// checkLinks refuses links to documents that are not there. DocTypes that the data set
// lacks cannot be checked.
func (d *draft) checkLinks() error {
	var missing []string
	look := func(meta *docType, doc object, row string) {
		for _, f := range meta.links() {
			name, t := cstr(doc.get(f.Name)), d.snap.tables[f.Options]
			if name == "" || t == nil || len(t.rows) == 0 || t.find(d.q.s.collation.key(name)) != nil {
				continue
			}
			missing = append(missing, row+f.Label+": "+name)
		}
		for i := range meta.Fields {
			f := &meta.Fields[i]
			name := cstr(doc.get(f.Name))
			if f.Type != "Dynamic Link" || name == "" {
				continue
			}
			if t := d.snap.tables[cstr(doc.get(f.Options))]; t != nil && len(t.rows) > 0 && t.find(d.q.s.collation.key(name)) == nil {
				missing = append(missing, row+f.Label+": "+name)
			}
		}
	}
	look(d.meta, d.doc, "")
	for _, f := range d.meta.tables() {
		if child := d.snap.meta(f.Options); child != nil {
			d.eachRow(f, func(i int, row *object) { look(child, *row, fmt.Sprintf("Row #%d: ", i+1)) })
		}
	}
	if len(missing) > 0 {
		return thrown("LinkValidationError", "Could not find "+strings.Join(missing, ", "))
	}
	return nil
}

// resetLevels undoes changes of fields above the caller's permission levels, silently.
func (d *draft) resetLevels() {
	a := &access{snap: d.snap, user: d.q.user, col: d.q.s.collation}
	levels := a.permLevels(d.meta, "", "write")
	if levels == nil {
		return
	}
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		if f.PermLevel == 0 || levels[f.PermLevel] {
			continue
		}
		switch {
		case d.old == nil:
			d.doc.set(f.Name, f.Default)
		case f.isTable():
			d.doc.set(f.Name, d.old.object(d.snap, nil, true).plain().get(f.Name))
		default:
			d.doc.set(f.Name, d.old.get(f.Name).native())
		}
	}
}

// checkConstants refuses changes of what is set only once.
func (d *draft) checkConstants() error {
	if v := cstr(d.doc.get("creation")); v != d.old.get("creation").s {
		return thrown("CannotChangeConstantError", "Value cannot be changed for "+bold("Created On"))
	}
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		if bool(f.SetOnlyOnce) && f.hasColumn() && cstr(d.doc.get(f.Name)) != d.old.get(f.Name).String() {
			return thrown("CannotChangeConstantError", "Value cannot be changed for "+bold(f.Label))
		}
	}
	return nil
}

// checkAfterSubmit refuses changes of a submitted document but in the fields that allow it.
func (d *draft) checkAfterSubmit() error {
	next := d.preview()
	for i, c := range d.meta.columns {
		if c.field == nil || bool(c.field.AllowOnSubmit) || bool(c.field.ReadOnly) {
			continue
		}
		was, is := d.old.row.vals[i], next.row.vals[i]
		if compareValues(was, is) != 0 && (was.String() != "" || is.String() != "") {
			text := fmt.Sprintf(" Not allowed to change %s after submission from %s to %s", bold(c.field.Label), bold(was.String()), bold(is.String()))
			return thrownTitle("UpdateAfterSubmitError", text, "Cannot Update After Submit")
		}
	}
	return nil
}

// validate makes the checks on values.
func (d *draft) validate() error {
	for _, check := range []func() error{d.checkClient, d.checkSelling, d.checkMandatory, d.checkSelects, d.checkLengths, d.checkStorage, d.checkUnique} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) checkMandatory() error {
	var names []string
	var notes []object
	look := func(meta *docType, doc object, prefix string) {
		for i := range meta.Fields {
			f := &meta.Fields[i]
			v := doc.get(f.Name)
			empty := v == nil || v == "" || f.isTable() && len(asList(v)) == 0
			if !bool(f.Required) || !empty || !f.hasColumn() && !f.isTable() || f.kind() != text {
				continue
			}
			names = append(names, f.Name)
			notes = append(notes, notice(fmt.Sprintf(prefix, f.Label)))
		}
	}
	look(d.meta, d.doc, "Error: Value missing for "+d.meta.Name+": %s")
	for _, f := range d.meta.tables() {
		if child := d.snap.meta(f.Options); child != nil {
			d.eachRow(f, func(i int, row *object) {
				look(child, *row, fmt.Sprintf("Error: %s Row #%d: Value missing for: ", bold(child.Name), i+1)+"%s")
			})
		}
	}
	if len(names) == 0 {
		return nil
	}
	f := raised("MandatoryError", fmt.Sprintf("[%s, %s]: %s", d.meta.Name, cstr(d.doc.get("name")), strings.Join(names, ", ")))
	f.messages = notes
	return f
}

func (d *draft) checkSelects() error {
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		v := cstr(d.doc.get(f.Name))
		if f.Type != "Select" || v == "" || f.Options == "" || f.Name == "naming_series" || d.old != nil && v == d.old.get(f.Name).s {
			continue
		}
		options := strings.Split(f.Options, "\n")
		if slices.Contains(options, v) {
			continue
		}
		quoted := make([]string, 0, len(options))
		for _, o := range options {
			if o != "" {
				quoted = append(quoted, `"`+o+`"`)
			}
		}
		return thrown("ValidationError", fmt.Sprintf(` %s cannot be "%s". It should be one of %s`, f.Label, v, strings.Join(quoted, ", ")))
	}
	return nil
}

func (d *draft) checkLengths() error {
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		v := cstr(d.doc.get(f.Name))
		if f.Type == "Phone" && v != "" && !strings.HasPrefix(v, "+") {
			return thrownTitle("InvalidPhoneNumberError", "Please select a country code for field "+bold(f.Name)+".", "Country Code Required")
		}
		limit := f.Length
		if limit == 0 {
			limit = 140
		}
		if !slices.Contains([]string{"Data", "Link", "Select", "Dynamic Link"}, f.Type) || utf8.RuneCountInString(v) <= limit {
			continue
		}
		return thrownTitle("CharacterLengthExceededError", fmt.Sprintf("%s %s: '%s' (%s) will get truncated, as max characters allowed is %d",
			d.meta.Name, cstr(d.doc.get("name")), bold(f.Label), v, limit), "Value too big")
	}
	return nil
}

// checkStorage makes the checks of the database: dates and JSON in strict mode.
func (d *draft) checkStorage() error {
	table := "`erp_localhost`.`tab" + d.meta.Name + "`"
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		v, ok := d.doc.get(f.Name).(string)
		if !ok || v == "" {
			continue
		}
		bad := ""
		switch f.Type {
		case "Date":
			if _, err := time.Parse(dateLayout, v); err != nil && !storableTime(v) {
				bad = "date"
			}
		case "Datetime":
			if !storableTime(v) {
				bad = "datetime"
			}
		case "JSON":
			if _, err := decodeJSON(v); err != nil {
				return python("pymysql.err.OperationalError", fmt.Sprintf("(4025, 'CONSTRAINT `tab%s.%s` failed for %s')", d.meta.Name, f.Name, table))
			}
		case "Time":
			d.doc.set(f.Name, storedTime(v))
		case "Password":
			d.doc.set(f.Name, strings.Repeat("*", utf8.RuneCountInString(v)))
		}
		if bad != "" {
			return python("pymysql.err.OperationalError", fmt.Sprintf(`(1292, "Incorrect %s value: '%s' for column %s.`+"`%s`"+` at row 1")`, bad, v, table, f.Name))
		}
	}
	return nil
}

func storableTime(v string) bool {
	for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.999999", "2006-01-02 15:04", dateLayout} {
		if _, err := time.Parse(layout, v); err == nil {
			return true
		}
	}
	return false
}

// storedTime is a time of day as the store answers it.
func storedTime(v string) string {
	if t, ok := parseTimeOfDay(v); ok {
		return formatTimeOfDay(t)
	}
	return v
}

func (d *draft) checkUnique() error {
	t := d.snap.tables[d.meta.Name]
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		v := cstr(d.doc.get(f.Name))
		if !bool(f.Unique) || v == "" || !f.hasColumn() {
			continue
		}
		col := d.meta.column(f.Name)
		for r := range t.holding(col, d.q.s.collation.text(&d.meta.columns[col], v)) {
			if d.old != nil && r.key() == d.old.row.key() {
				continue
			}
			f2 := raised("UniqueValidationError", fmt.Sprintf(`('%s', '%s', IntegrityError(1062, "Duplicate entry '%s' for key '%s'"))`,
				d.meta.Name, cstr(d.doc.get("name")), v, f.Name))
			f2.messages = []object{notice(f.Label + " must be unique")}
			return f2
		}
	}
	return nil
}

func duplicateName(doctype, name string) error {
	f := raised("DuplicateEntryError", fmt.Sprintf(`('%s', '%s', IntegrityError(1062, "Duplicate entry '%s' for key 'PRIMARY'"))`, doctype, name, name))
	f.messages = []object{{{"message", fmt.Sprintf("%s %s already exists", doctype, bold(name))}, {"title", "Duplicate Name"}, {"indicator", "red"}}}
	return f
}
