package doctype

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Reason says why a field is not in the graph, in the words of the report.
type Reason string

// The reasons.
const (
	ReasonLayout   Reason = "only arranges the form: holds no value"
	ReasonPassword Reason = "a password: ERPNext never shows it"
	ReasonVirtual  Reason = "virtual: not stored, so no list can read it"
	ReasonStandard Reason = "a standard field under another guise"
	ReasonUnknown  Reason = "a field type this version does not know"
	ReasonNoFacts  Reason = "a child table without facts"
	ReasonExcluded Reason = "matches exclude_fields (site-specific)"
	ReasonHide     Reason = "listed under hide"
	ReasonNotKept  Reason = "not in the type's keep list"
	ReasonHidden   Reason = "hidden in ERPNext's forms"
)

// remedy is the setting of schema/doctypes.yml that brings a field back.
func (r Reason) remedy() string {
	switch r {
	case ReasonExcluded:
		return "doctypes.<DocType>.include_excluded: [field], or drop the pattern from exclude_fields"
	case ReasonHide:
		return "take it from doctypes.<DocType>.hide"
	case ReasonNotKept:
		return "add it to doctypes.<DocType>.fields"
	case ReasonHidden:
		return "doctypes.<DocType>.include_hidden: [field], or include.hidden: true for all"
	case ReasonNoFacts:
		return "run `go run ./cmd/schemagen pull`"
	default:
		return "none"
	}
}

// LeftOut is one field that is not in the graph.
type LeftOut struct {
	DocType, Field string
	Reason         Reason
	Setting        string // the detail: which pattern, which child table
}

// Clash is a name that was taken, and what was done about it.
type Clash struct{ DocType, Field, What string }

// Foreign is a DocType outside the graph that fields link to: they stay strings.
type Foreign struct {
	DocType string
	Fields  []string // "Sales Order.project"
}

// RequiredFields are the fields that a new row of one type must be given.
type RequiredFields struct {
	DocType string
	Fields  []string // GraphQL names
}

// Report is what Build tells about its choices.
type Report struct {
	Types, Children, Singles, Locals int
	Fields, Links, Reverse           int

	Left    []LeftOut
	Clashes []Clash
	Foreign []Foreign
	// Required are the fields that create inputs can't do without.
	Required []RequiredFields
	// Notes are choices that are neither a clash nor a field left out.
	Notes []string

	links map[string][]string
}

func (r *Report) left(doctype, field string, reason Reason, setting string) {
	r.Left = append(r.Left, LeftOut{DocType: doctype, Field: field, Reason: reason, Setting: setting})
}

func (r *Report) clash(doctype, field, what string) {
	r.Clashes = append(r.Clashes, Clash{DocType: doctype, Field: field, What: what})
}

func (r *Report) notef(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Report) foreign(target, doctype, field string) {
	if r.links == nil {
		r.links = map[string][]string{}
	}
	if target == "" {
		target = "(no DocType named)"
	}
	r.links[target] = append(r.links[target], doctype+"."+field)
}

// count fills the totals.
func (r *Report) count(types []*Type) {
	for _, t := range types {
		switch t.Source {
		case Upstream:
			r.Types++
		case Child:
			r.Children++
		case Single:
			r.Singles++
		case Local:
			r.Locals++
		}
		r.Reverse += len(t.Reverse)
		for _, f := range t.Fields {
			r.Fields++
			if f.Kind == Link {
				r.Links++
			}
		}
	}
}

// sort puts everything into the order it is told in.
func (r *Report) sort() {
	slices.SortStableFunc(r.Left, func(a, b LeftOut) int {
		return cmp.Or(strings.Compare(string(a.Reason), string(b.Reason)), strings.Compare(a.DocType, b.DocType))
	})
	slices.SortStableFunc(r.Clashes, func(a, b Clash) int {
		return cmp.Or(strings.Compare(a.DocType, b.DocType), strings.Compare(a.Field, b.Field))
	})
	for _, target := range slices.Sorted(maps.Keys(r.links)) {
		slices.Sort(r.links[target])
		r.Foreign = append(r.Foreign, Foreign{DocType: target, Fields: r.links[target]})
	}
	slices.Sort(r.Notes)
}

// Markdown is the report as it is committed beside the generated SDL.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What the generator made of the facts\n\n"+
		"Written by `schemagen generate`; settings are in `schema/doctypes.yml`.\n\n"+
		"Document types: %d, child tables: %d, single DocTypes: %d, local types: %d. Fields: %d, "+
		"links among them: %d. Reverse connections: %d.\n",
		r.Types, r.Children, r.Singles, r.Locals, r.Fields, r.Links, r.Reverse)
	r.markdownLeft(&b)
	b.WriteString("\n## Names that were taken\n\n")
	if len(r.Clashes) == 0 {
		b.WriteString("None.\n")
	}
	for _, c := range r.Clashes {
		fmt.Fprintf(&b, "- %s: %s\n", c.where(), c.What)
	}
	b.WriteString("\n## Links to DocTypes outside the graph\n\nThey are strings until the DocType is listed in `schema/doctypes.yml`.\n\n")
	if len(r.Foreign) == 0 {
		b.WriteString("None.\n")
	}
	for _, f := range r.Foreign {
		fmt.Fprintf(&b, "- %s: %s\n", f.DocType, strings.Join(f.Fields, ", "))
	}
	r.markdownRequired(&b)
	if len(r.Notes) > 0 {
		b.WriteString("\n## Notes\n\n")
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
	}
	return b.String()
}

// markdownRequired tells what a new document can't be made without.
func (r *Report) markdownRequired(b *strings.Builder) {
	b.WriteString("\n## Required on create\n\nA field that ERPNext fills by its own code goes under `optional` in `schema/doctypes.yml`.\n\n")
	if len(r.Required) == 0 {
		b.WriteString("None.\n")
	}
	for _, q := range r.Required {
		fmt.Fprintf(b, "- %s: %s\n", q.DocType, strings.Join(q.Fields, ", "))
	}
}

// markdownLeft tells the fields left out, by reason and DocType.
func (r *Report) markdownLeft(b *strings.Builder) {
	b.WriteString("\n## Fields left out\n")
	if len(r.Left) == 0 {
		b.WriteString("\nNone.\n")
	}
	var reason Reason
	var doctype string
	for _, l := range r.Left {
		if l.Reason != reason {
			if reason != "" && reason != ReasonLayout {
				b.WriteByte('\n')
			}
			reason, doctype = l.Reason, ""
			fmt.Fprintf(b, "\n### %s (%d)\n\nSetting that brings one back: %s.\n", upperFirst(string(reason)), r.LeftFor(reason), reason.remedy())
			if reason != ReasonLayout {
				b.WriteByte('\n')
			}
		}
		if reason == ReasonLayout {
			continue // thousands of section breaks help nobody
		}
		detail := ""
		if l.Setting != "" && l.Setting != "hide" && l.Setting != "fields" && l.Setting != "include_hidden" {
			detail = " (" + strings.TrimPrefix(l.Setting, "exclude_fields: ") + ")"
		}
		if l.DocType != doctype {
			if doctype != "" {
				b.WriteByte('\n')
			}
			doctype = l.DocType
			fmt.Fprintf(b, "- %s: %s%s", doctype, l.Field, detail)
			continue
		}
		fmt.Fprintf(b, ", %s%s", l.Field, detail)
	}
	if reason != "" && reason != ReasonLayout {
		b.WriteByte('\n')
	}
}

// LeftFor counts the fields left out for a reason.
func (r *Report) LeftFor(reason Reason) int {
	n := 0
	for _, l := range r.Left {
		if l.Reason == reason {
			n++
		}
	}
	return n
}

// Summary is the report in a few lines, for a terminal.
func (r *Report) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "document types: %d, child tables: %d, single DocTypes: %d, local types: %d; fields: %d, links among them: %d, reverse connections: %d\n",
		r.Types, r.Children, r.Singles, r.Locals, r.Fields, r.Links, r.Reverse)
	var seen []Reason
	for _, l := range r.Left {
		if !slices.Contains(seen, l.Reason) {
			seen = append(seen, l.Reason)
			fmt.Fprintf(&b, "left out %4d: %s (bring back: %s)\n", r.LeftFor(l.Reason), l.Reason, l.Reason.remedy())
		}
	}
	for _, c := range r.Clashes {
		fmt.Fprintf(&b, "name: %s: %s\n", c.where(), c.What)
	}
	if len(r.Foreign) > 0 {
		names := make([]string, len(r.Foreign))
		for i, f := range r.Foreign {
			names[i] = fmt.Sprintf("%s (%d)", f.DocType, len(f.Fields))
		}
		fmt.Fprintf(&b, "links to DocTypes outside the graph stay strings: %s\n", strings.Join(names, ", "))
	}
	return b.String()
}

func (c Clash) where() string {
	if c.Field == "" {
		return c.DocType
	}
	return c.DocType + "." + c.Field
}
