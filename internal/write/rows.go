package write

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// document is a document as it was read with the caller's credential.
type document = map[string]jsontext.Value

// rawText is the text of a JSON string, the digits of a number, "" for null and absent.
func rawText(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(text)
	case '0':
		return v.String()
	default:
		return ""
	}
}

// merge puts the rows of an update into those that the document has. ERPNext replaces a
// table as a whole, and takes what a row does not have as cleared, so that kept rows go
// back as they were read, with the input over them.
//
// A row that is named must be one of this document and table. ERPNext does not look: it
// would take another document's row away from it (model/document.py update_child_table).
func merge(stored document, r *request) (map[string]any, error) {
	values := make(map[string]any, len(r.values)+len(r.rows)+1)
	maps.Copy(values, r.values)
	for column, rows := range r.rows {
		merged, err := mergeTable(stored[column], rows)
		if err != nil {
			return nil, err
		}
		values[column] = merged
	}
	return values, nil
}

func mergeTable(stored jsontext.Value, rows []inputRow) ([]any, error) {
	have, err := rowsOf(stored)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]document, len(have))
	for _, row := range have {
		byName[rawText(row[nameColumn])] = row
	}
	out := make([]any, len(rows))
	for i, row := range rows {
		if row.name == "" {
			out[i] = row.values
			continue
		}
		old, ok := byName[row.name]
		if !ok {
			return nil, bad(row.path+".name", "the document has no such row in this table")
		}
		delete(byName, row.name) // each once
		out[i] = mergeRow(old, row.values)
	}
	return out, nil
}

// rowColumns are what ERPNext gives a row by its place: the document, the position, who
// saved it last.
var rowColumns = []string{"idx", "doctype", "docstatus", "parent", "parentfield", "parenttype", "modified", "modified_by"}

func mergeRow(stored document, input map[string]any) map[string]any {
	out := make(map[string]any, len(stored)+len(input))
	for column, v := range stored {
		if !strings.HasPrefix(column, "_") && !slices.Contains(rowColumns, column) {
			out[column] = v
		}
	}
	maps.Copy(out, input)
	return out
}
