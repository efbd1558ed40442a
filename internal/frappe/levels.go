package frappe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Levels are the permlevels of a DocType's fields and of its child tables', and the roles
// that may write at each. Frappe resets a field above the caller's levels without a word
// (TX 315), so who writes must know before. Rows that are new in a new document are the
// exception there: their fields keep what was sent (model/document.py
// validate_higher_perm_levels).
type Levels struct {
	fields  map[string]map[string]int // by DocType and fieldname
	writers map[int][]string          // roles by level
}

// Levels reads them as the desk does, customizations included, see [Client.Meta].
func (c *Client) Levels(ctx context.Context, cred Credential, doctype string) (*Levels, error) {
	docs, err := c.Meta(ctx, cred, doctype)
	if err != nil {
		return nil, err
	}
	levels, err := parseLevels(docs, doctype)
	if err != nil {
		return nil, malformed(methodMeta, doctype, err.Error())
	}
	return levels, nil
}

// Field is the permlevel of a field of the DocType or of one of its child tables. A field
// that the site does not have is not known: the schema is older than a change there, or
// it is a standard field such as "owner".
func (l *Levels) Field(doctype, fieldname string) (level int, known bool) {
	level, known = l.fields[doctype][fieldname]
	return level, known
}

// Writable tells whether one of the roles may write fields of that level, of rows of
// child tables too: those go by the rights of the DocType. Level 0 is always writable, as
// rights on the document as a whole decide there. Administrator, whom Frappe does not
// ask for roles, is for the caller to know.
func (l *Levels) Writable(roles []string, level int) bool {
	if level == 0 {
		return true
	}
	return slices.ContainsFunc(l.writers[level], func(role string) bool { return slices.Contains(roles, role) })
}

// metaDoc is a DocType document, as far as levels need it.
type metaDoc struct {
	DocType string `json:"doctype"`
	Name    string `json:"name"`
	Fields  []struct {
		Fieldname string `json:"fieldname"`
		Level     level  `json:"permlevel"`
	} `json:"fields"`
	Permissions []struct {
		Role  string `json:"role"`
		Level level  `json:"permlevel"`
		Write level  `json:"write"`
	} `json:"permissions"`
}

// level is a small number, 0 where it is null or left out. Anything else is an error: to
// read it as 0 would open a field.
type level int

// UnmarshalJSON takes a number or null.
func (l *level) UnmarshalJSON(data []byte) error {
	var n *int
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("not a level: %w", err)
	}
	*l = 0
	if n != nil {
		*l = level(*n)
	}
	return nil
}

func parseLevels(docs jsontext.Value, doctype string) (*Levels, error) {
	var all []metaDoc
	if err := json.Unmarshal(docs, &all); err != nil {
		return nil, fmt.Errorf("the definition can't be read: %w", err)
	}
	l := &Levels{fields: make(map[string]map[string]int), writers: make(map[int][]string)}
	for _, doc := range all {
		if doc.DocType != "DocType" {
			continue
		}
		fields := make(map[string]int, len(doc.Fields))
		for _, field := range doc.Fields {
			fields[field.Fieldname] = int(field.Level)
		}
		l.fields[doc.Name] = fields
		if doc.Name != doctype {
			continue
		}
		for _, row := range doc.Permissions {
			if row.Write == 1 {
				l.writers[int(row.Level)] = append(l.writers[int(row.Level)], row.Role)
			}
		}
	}
	if _, ok := l.fields[doctype]; !ok {
		return nil, errors.New("the DocType is not in its definition")
	}
	return l, nil
}
