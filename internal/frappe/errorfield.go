package frappe

import (
	"regexp"
	"strings"
)

// maxFields bounds the fieldnames that are kept of one exception.
const maxFields = 100

// The places where Frappe and MariaDB name a field. The words before the colon of a
// DataError are translated to the user's language, so only its end is read. A pattern
// that looks for the last place does so because what stands before holds values.
var (
	dataField      = regexp.MustCompile("^[^:]+: [^:]+: (?:[^:]*\\.)?`?([a-zA-Z_][a-zA-Z0-9_]*)`?$")
	unknownColumn  = regexp.MustCompile(`\(1054, .Unknown column '(?:[^']*\.)?([a-zA-Z_][a-zA-Z0-9_]*)'`)
	mandatoryField = regexp.MustCompile(`^frappe\.exceptions\.MandatoryError: \[.*\]: ([a-zA-Z0-9_, ]+)$`)
	uniqueField    = regexp.MustCompile(`\(1062, .* for key '(?:[^']*\.)?([a-zA-Z_][a-zA-Z0-9_]*)'`)
	badValue       = regexp.MustCompile("(?s)^.*\\b[Cc]olumn (?:`[^`]*`\\.)*['`]([a-zA-Z_][a-zA-Z0-9_]*)['`]")
	badConstraint  = regexp.MustCompile("CONSTRAINT `(?:[^`]*\\.)?([a-zA-Z_][a-zA-Z0-9_]*)` failed")
)

// fields are the fieldnames in an exception.
func (r refusal) fields() []string {
	switch r.excType {
	case excMandatory:
		return mandatoryFields(r.exception)
	case excUnique:
		return keyField(r.exception)
	}
	number, database := r.databaseError()
	switch {
	case !database && r.excType == excData:
		return firstMatch(dataField, r.exception)
	case number == "1054":
		return firstMatch(unknownColumn, r.exception)
	case number == "1062":
		return keyField(r.exception)
	case r.write && number == "4025":
		return firstMatch(badConstraint, r.exception)
	case r.write && isValueError(number):
		return firstMatch(badValue, r.exception)
	default:
		return nil
	}
}

// mandatoryFields are all fields that are missing, those of child rows too: the text does
// not tell which (model/document.py _validate_mandatory).
func mandatoryFields(exception string) []string {
	match := mandatoryField.FindStringSubmatch(exception)
	if match == nil {
		return nil
	}
	var fields []string
	for field := range strings.SplitSeq(match[1], ", ") {
		if fieldPattern.MatchString(field) && len(fields) < maxFields {
			fields = append(fields, field)
		}
	}
	return fields
}

// keyField is the column of a unique key, which has its name. The primary key is no field.
func keyField(exception string) []string {
	fields := firstMatch(uniqueField, exception)
	if len(fields) == 1 && fields[0] == "PRIMARY" {
		return nil
	}
	return fields
}

func firstMatch(pattern *regexp.Regexp, text string) []string {
	if match := pattern.FindStringSubmatch(text); match != nil {
		return match[1:]
	}
	return nil
}
