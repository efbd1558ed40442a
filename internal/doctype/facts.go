package doctype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Facts is what a site tells about one DocType, cut to what the graph is made of.
// Custom Fields and Property Setters are already merged in. The JSON keys are those
// of Frappe's own DocType document; keys are declared in the order they are written.
type Facts struct {
	AllowRename          Flag         `json:"allow_rename,omitempty"`
	Autoname             Text         `json:"autoname,omitempty"`
	Custom               Flag         `json:"custom,omitempty"`
	Description          Text         `json:"description,omitempty"`
	DocumentType         Text         `json:"document_type,omitempty"`
	Fields               []FieldFacts `json:"fields"`
	ImageField           Text         `json:"image_field,omitempty"`
	IsSubmittable        Flag         `json:"is_submittable,omitempty"`
	IsTree               Flag         `json:"is_tree,omitempty"`
	IsVirtual            Flag         `json:"is_virtual,omitempty"`
	Issingle             Flag         `json:"issingle,omitempty"`
	Istable              Flag         `json:"istable,omitempty"`
	Module               Text         `json:"module,omitempty"`
	Name                 Text         `json:"name"`
	NamingRule           Text         `json:"naming_rule,omitempty"`
	NsmParentField       Text         `json:"nsm_parent_field,omitempty"`
	Permissions          []Permission `json:"permissions,omitempty"`
	SearchFields         Text         `json:"search_fields,omitempty"`
	ShowTitleFieldInLink Flag         `json:"show_title_field_in_link,omitempty"`
	SortField            Text         `json:"sort_field,omitempty"`
	SortOrder            Text         `json:"sort_order,omitempty"`
	TitleField           Text         `json:"title_field,omitempty"`
	TrackChanges         Flag         `json:"track_changes,omitempty"`
	// Workflow is the field that holds the state of the DocType's active workflow; "" where
	// there is none. It is no key of Frappe's: see ParseFacts.
	Workflow Text `json:"workflow,omitempty"`
}

// FieldFacts is one DocField, in Frappe's own words.
type FieldFacts struct {
	AllowOnSubmit         Flag `json:"allow_on_submit,omitempty"`
	Default               Text `json:"default,omitempty"`
	Description           Text `json:"description,omitempty"`
	FetchFrom             Text `json:"fetch_from,omitempty"`
	FetchIfEmpty          Flag `json:"fetch_if_empty,omitempty"`
	Fieldname             Text `json:"fieldname"`
	Fieldtype             Text `json:"fieldtype"`
	Hidden                Flag `json:"hidden,omitempty"`
	IgnoreUserPermissions Flag `json:"ignore_user_permissions,omitempty"`
	InGlobalSearch        Flag `json:"in_global_search,omitempty"`
	IsCustomField         Flag `json:"is_custom_field,omitempty"`
	IsVirtual             Flag `json:"is_virtual,omitempty"`
	Label                 Text `json:"label,omitempty"`
	Length                Num  `json:"length,omitempty"`
	MandatoryDependsOn    Text `json:"mandatory_depends_on,omitempty"`
	NoCopy                Flag `json:"no_copy,omitempty"`
	NonNegative           Flag `json:"non_negative,omitempty"`
	NotNullable           Flag `json:"not_nullable,omitempty"`
	Options               Text `json:"options,omitempty"`
	Permlevel             Num  `json:"permlevel,omitempty"`
	Precision             Text `json:"precision,omitempty"`
	ReadOnly              Flag `json:"read_only,omitempty"`
	Reqd                  Flag `json:"reqd,omitempty"`
	SearchIndex           Flag `json:"search_index,omitempty"`
	SetOnlyOnce           Flag `json:"set_only_once,omitempty"`
	Unique                Flag `json:"unique,omitempty"`
}

// Permission is one row of a DocType's role permissions.
type Permission struct {
	Amend     Flag `json:"amend,omitempty"`
	Cancel    Flag `json:"cancel,omitempty"`
	Create    Flag `json:"create,omitempty"`
	Delete    Flag `json:"delete,omitempty"`
	IfOwner   Flag `json:"if_owner,omitempty"`
	Permlevel Num  `json:"permlevel,omitempty"`
	Read      Flag `json:"read,omitempty"`
	Report    Flag `json:"report,omitempty"`
	Role      Text `json:"role"`
	Select    Flag `json:"select,omitempty"`
	Share     Flag `json:"share,omitempty"`
	Submit    Flag `json:"submit,omitempty"`
	Write     Flag `json:"write,omitempty"`
}

// Flag is a Check of Frappe's: 0 or 1 on the wire, now and then true or "1".
type Flag bool

// UnmarshalJSON takes any of Frappe's spellings; what is not one of them is false.
func (f *Flag) UnmarshalJSON(data []byte) error {
	*f = Flag(scalarText(data) == "1" || scalarText(data) == "true")
	return nil
}

// MarshalJSON writes 1 or 0, as Frappe does.
func (f Flag) MarshalJSON() ([]byte, error) {
	if f {
		return []byte("1"), nil
	}
	return []byte("0"), nil
}

// Num is an Int of Frappe's, sometimes sent as text.
type Num int

// UnmarshalJSON takes a number or a number in a string; anything else is 0.
func (n *Num) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseInt(scalarText(data), 10, 32)
	if err != nil {
		v = 0
	}
	*n = Num(v)
	return nil
}

// Text is a text of Frappe's; precision and default are sometimes sent as numbers.
type Text string

// UnmarshalJSON takes a string, number, boolean or null; a list or object is "".
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = Text(scalarText(data))
	return nil
}

// scalarText is the text of a JSON scalar, "" for null, lists and objects.
func scalarText(data []byte) string {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return ""
	}
	switch data[0] {
	case '"':
		var s string
		if json.Unmarshal(data, &s) != nil {
			return ""
		}
		return s
	case '{', '[', 'n':
		return ""
	}
	return string(data)
}

// ParseFacts reads the facts of one DocType: a committed file, or a DocType document
// as getdoctype answers it (all that is not a fact is dropped). With the document the
// site sends the active workflow of the DocType, if it has one (frappe/desk/form/meta.py:
// load_workflows).
func ParseFacts(data []byte) (*Facts, error) {
	var f struct {
		Facts
		WorkflowDocs []struct {
			DocType            Text `json:"doctype"`
			WorkflowStateField Text `json:"workflow_state_field"`
		} `json:"__workflow_docs"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read DocType facts: %w", err)
	}
	for _, doc := range f.WorkflowDocs {
		if doc.DocType == "Workflow" {
			f.Workflow = doc.WorkflowStateField
		}
	}
	if strings.TrimSpace(string(f.Name)) == "" {
		return nil, errors.New("read DocType facts: no name")
	}
	return &f.Facts, nil
}

// Marshal writes the facts as they are committed: sorted keys, one field or
// permission a line, so that a change of the site reads as a change of lines.
func (f *Facts) Marshal() ([]byte, error) {
	var flat bytes.Buffer
	enc := json.NewEncoder(&flat)
	enc.SetEscapeHTML(false) // people read this, and no page holds it
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("write facts of %s: %w", f.Name, err)
	}
	// The decoder walks the object just written, so keys keep their order.
	dec := json.NewDecoder(&flat)
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("write facts of %s: %w", f.Name, err)
	}
	var out bytes.Buffer
	for sep := "{\n"; dec.More(); sep = ",\n" {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("write facts of %s: %w", f.Name, err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("write facts of %s: %w", f.Name, err)
		}
		fmt.Fprintf(&out, "%s  %q: ", sep, key)
		if err := writeLines(&out, value); err != nil {
			return nil, fmt.Errorf("write facts of %s: %w", f.Name, err)
		}
	}
	out.WriteString("\n}\n")
	return out.Bytes(), nil
}

// writeLines writes a list one element a line, and anything else as it is.
func writeLines(out *bytes.Buffer, value json.RawMessage) error {
	if value[0] != '[' {
		out.Write(value)
		return nil
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(value, &rows); err != nil {
		return err
	}
	if len(rows) == 0 {
		out.WriteString("[]")
		return nil
	}
	sep := "[\n    "
	for _, row := range rows {
		out.WriteString(sep)
		out.Write(row)
		sep = ",\n    "
	}
	out.WriteString("\n  ]")
	return nil
}
