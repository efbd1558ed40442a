package simulator

import (
	"fmt"
	"math"
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

// resetLevels undoes changes of fields above the caller's permission levels, silently. The
// rows of a new document are left alone, as are rows that come from another document.
func (d *draft) resetLevels() {
	a := &access{snap: d.snap, user: d.q.user, col: d.q.s.collation}
	levels := a.permLevels(d.meta, "", "write")
	if levels == nil {
		return
	}
	d.resetFields(d.meta, &d.doc, levels, d.old)
	if d.old == nil {
		return
	}
	for _, f := range d.meta.tables() {
		child := d.snap.meta(f.Options)
		if child == nil {
			continue
		}
		d.eachRow(f, func(_ int, row *object) {
			was := d.old.child(child, f.Name, d.q.s.collation.key(cstr(row.get("name"))))
			if was != nil || d.isFresh(*row) {
				d.resetFields(child, row, levels, was)
			}
		})
	}
}

// resetFields puts the former values back, or the defaults of what is new.
func (d *draft) resetFields(meta *docType, doc *object, levels map[int]bool, was *document) {
	for i := range meta.Fields {
		f := &meta.Fields[i]
		if f.PermLevel == 0 || levels[f.PermLevel] {
			continue
		}
		switch {
		case was == nil:
			doc.set(f.Name, f.Default)
		case f.isTable():
			doc.set(f.Name, was.object(d.snap, nil, true).plain().get(f.Name))
		default:
			doc.set(f.Name, was.get(f.Name).native())
		}
	}
}

// child is a row of the document as a document of its own, nil if it has no such row.
func (d *document) child(meta *docType, field, key string) *document {
	for _, r := range d.children[field] {
		if r.key() == key {
			return &document{meta: meta, row: r}
		}
	}
	return nil
}

// checkConstants refuses changes of what is set only once.
func (d *draft) checkConstants() error {
	if d.old == nil {
		return nil
	}
	if v := cstr(d.doc.get("creation")); v != d.old.get("creation").s {
		return thrown("CannotChangeConstantError", "Value cannot be changed for "+bold("Created On"))
	}
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		if !bool(f.SetOnlyOnce) || !f.hasColumn() {
			continue
		}
		v, was := d.doc.get(f.Name), d.old.get(f.Name)
		if cstr(v) != was.String() || f.kind() == text && (v == nil) != was.isNull() {
			return thrown("CannotChangeConstantError", "Value cannot be changed for "+bold(f.Label))
		}
	}
	return nil
}

// validate makes the checks on values.
func (d *draft) validate() error {
	for _, check := range []func() error{
		d.checkClient, d.checkSelling, d.checkItem, d.checkMandatory, d.checkPhones, d.checkSelects, d.checkNegative, d.checkLengths,
		d.clampRatings, d.checkWorkflow, d.checkConstants, d.checkAfterSubmit, d.checkStorage, d.checkUnique,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkItem is a check of ERPNext's on items that begin with a stock.
func (d *draft) checkItem() error {
	if d.meta.Name == "Item" && d.old == nil && flt(d.doc.get("opening_stock")) != 0 && flt(d.doc.get("valuation_rate")) == 0 {
		return thrown("ValidationError", "Valuation Rate is mandatory if Opening Stock entered")
	}
	return nil
}

// maxDecimal is what a column decimal(21,9) does not hold any more.
const maxDecimal = 1e12

// checkStorage makes the checks of the database: numbers, dates and JSON in strict mode.
// All values of a single document are stored as texts.
func (d *draft) checkStorage() error {
	return d.eachField(func(meta *docType, doc *object, f *docField, _ int) error {
		if bool(meta.IsSingle) && f.Type != "Password" {
			return nil
		}
		if f.kind() == float && f.hasColumn() && math.Abs(flt(doc.get(f.Name))) >= maxDecimal {
			return python("pymysql.err.DataError", fmt.Sprintf(`(1264, "Out of range value for column '%s' at row 1")`, f.Name))
		}
		if v, ok := doc.get(f.Name).(string); ok && v != "" {
			return checkText(meta, doc, f, v)
		}
		return nil
	})
}

// checkText checks a text for its column. A password is kept apart, and starred even in
// the answer.
func checkText(meta *docType, doc *object, f *docField, v string) error {
	table := "`erp_localhost`.`tab" + meta.Name + "`"
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
			return python("pymysql.err.OperationalError", fmt.Sprintf("(4025, 'CONSTRAINT `tab%s.%s` failed for %s')", meta.Name, f.Name, table))
		}
	case "Password":
		doc.set(f.Name, strings.Repeat("*", utf8.RuneCountInString(v)))
	}
	if bad == "" {
		return nil
	}
	return python("pymysql.err.OperationalError", fmt.Sprintf(`(1292, "Incorrect %s value: '%s' for column %s.`+"`%s`"+` at row 1")`, bad, v, table, f.Name))
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

// checkUnique makes the checks of the keys, the name first.
func (d *draft) checkUnique() error {
	t := d.snap.tables[d.meta.Name]
	if name := cstr(d.doc.get("name")); d.old == nil && t.find(d.q.s.collation.key(name)) != nil {
		return duplicateName(d.meta.Name, name)
	}
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
