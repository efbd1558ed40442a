package simulator

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkMandatory names all fields that lack a value, those of rows too. Numbers are looked
// at in custom DocTypes only: ERPNext's code fills those of its own.
func (d *draft) checkMandatory() error {
	var names []string
	var notes []object
	d.eachDocument(func(meta *docType, doc *object, index int) {
		for i := range meta.Fields {
			f := &meta.Fields[i]
			if !bool(f.Required) || hasContent(f, doc.get(f.Name)) || f.kind() != text && (d.old != nil || !truthy(meta.raw.get("custom"))) {
				continue
			}
			names = append(names, f.Name)
			note := fmt.Sprintf("Error: Value missing for %s: %s", meta.Name, f.Label)
			switch {
			case f.isTable():
				note = "Error: Data missing in table " + f.Label
			case index > 0:
				note = fmt.Sprintf("Error: %s Row #%d: Value missing for: %s", bold(meta.Name), index, f.Label)
			}
			notes = append(notes, notice(note))
		}
	})
	if len(names) == 0 {
		return nil
	}
	f := raised("MandatoryError", fmt.Sprintf("[%s, %s]: %s", d.meta.Name, cstr(d.doc.get("name")), strings.Join(names, ", ")))
	f.messages = notes
	return f
}

var tags = regexp.MustCompile(`<[^>]*>`)

// hasContent reports whether a field that needs a value has one: blanks and tags are none.
func hasContent(f *docField, v any) bool {
	switch {
	case f.isTable():
		return len(asList(v)) > 0
	case !f.hasColumn():
		return true
	case v == nil:
		return false
	}
	s := cstr(v)
	return strings.TrimSpace(tags.ReplaceAllString(s, "")) != "" || strings.Contains(s, "<img") && (f.Type == "Text Editor" || f.Type == "Code")
}

// eachField visits the fields of the document and of its rows, until a check fails.
func (d *draft) eachField(check func(meta *docType, doc *object, f *docField, index int) error) error {
	var failed error
	d.eachDocument(func(meta *docType, doc *object, index int) {
		for i := range meta.Fields {
			if failed == nil {
				failed = check(meta, doc, &meta.Fields[i], index)
			}
		}
	})
	return failed
}

func (d *draft) checkPhones() error {
	return d.eachField(func(_ *docType, doc *object, f *docField, _ int) error {
		if v := cstr(doc.get(f.Name)); f.Type == "Phone" && v != "" && !strings.HasPrefix(v, "+") {
			return thrownTitle("InvalidPhoneNumberError", "Please select a country code for field "+bold(f.Name)+".", "Country Code Required")
		}
		return nil
	})
}

func (d *draft) checkSelects() error {
	return d.eachField(func(_ *docType, doc *object, f *docField, index int) error {
		v := strings.TrimSpace(cstr(doc.get(f.Name)))
		if f.Type != "Select" || v == "" || f.Options == "" || f.Name == "naming_series" || index == 0 && d.old != nil && v == d.old.get(f.Name).s {
			return nil
		}
		options := strings.Split(f.Options, "\n")
		if slices.Contains(options, v) {
			doc.set(f.Name, v)
			return nil
		}
		quoted := make([]string, 0, len(options))
		for _, o := range options {
			if o != "" {
				quoted = append(quoted, `"`+o+`"`)
			}
		}
		prefix := ""
		if index > 0 {
			prefix = fmt.Sprintf("Row #%d:", index)
		}
		return thrown("ValidationError", fmt.Sprintf(`%s %s cannot be "%s". It should be one of %s`, prefix, f.Label, v, strings.Join(quoted, ", ")))
	})
}

func (d *draft) checkNegative() error {
	return d.eachField(func(meta *docType, doc *object, f *docField, index int) error {
		if !bool(f.NonNegative) || !slices.Contains([]string{"Int", "Float", "Currency"}, f.Type) || flt(doc.get(f.Name)) >= 0 {
			return nil
		}
		text := fmt.Sprintf("Value cannot be negative for %s: %s", meta.Name, bold(f.Label))
		if index > 0 {
			text = fmt.Sprintf("%s Row #%d: Value cannot be negative for %s", bold(meta.Name), index, bold(f.Label))
		}
		return thrownTitle("NonNegativeError", text, "Negative Value")
	})
}

// shortTexts are the types whose columns are as long as the field says.
var shortTexts = []string{"Data", "Link", "Select", "Dynamic Link"}

// checkLengths holds texts against their columns. The values of a single document have one
// without an end (BaseDocument._validate_length).
func (d *draft) checkLengths() error {
	if d.meta.IsSingle {
		return nil
	}
	return d.eachField(func(meta *docType, doc *object, f *docField, index int) error {
		v, limit, long := doc.get(f.Name), 0, false
		switch {
		case slices.Contains(shortTexts, f.Type):
			if limit = f.Length; limit == 0 {
				limit = 140
			}
			long = utf8.RuneCountInString(cstr(v)) > limit
		case f.Type == "Int" && f.Length <= 11:
			limit = math.MaxInt32
			n := cint(v)
			long = n > math.MaxInt32 || n < -math.MaxInt32
		}
		if !long {
			return nil
		}
		where := meta.Name + " " + cstr(doc.get("name"))
		if index > 0 {
			where = fmt.Sprintf("%s, Row %d", meta.Name, index)
		}
		return thrownTitle("CharacterLengthExceededError", fmt.Sprintf("%s: '%s' (%s) will get truncated, as max characters allowed is %d",
			where, bold(f.Label), cstr(v), limit), "Value too big")
	})
}

// clampRatings keeps ratings between 0 and 1, silently.
func (d *draft) clampRatings() error {
	return d.eachField(func(_ *docType, doc *object, f *docField, _ int) error {
		if f.Type == "Rating" && doc.get(f.Name) != nil {
			doc.set(f.Name, max(0, min(1, flt(doc.get(f.Name)))))
		}
		return nil
	})
}
