package trail

import (
	"context"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"

	"erpgraph/internal/frappe"
)

// Rename is what a Comment says: that Old is New from then on. Until [Site.Verify] has
// looked at it that is a claim.
type Rename struct {
	// Comment is the Comment's docname.
	Comment  string
	DocType  string
	Old, New string
	// Owner is who made it.
	Owner    string
	Creation string // in Layout
	// reference is the document that the Comment hangs on. It moves with the document when
	// that is renamed again.
	reference string
}

// Moved tells whether the document has yet another name by now.
func (r Rename) Moved() bool { return r.reference != r.New }

// commentColumns are read of a Comment, besides creation and name.
var commentColumns = [...]string{"reference_doctype", "reference_name", "content", "owner", "modified"}

// maxContent bounds the text of a Comment that may tell of a rename: two docnames of 140
// characters, escaped, and some words around them.
const maxContent = 8 << 10

// ParseRename reads the text of a rename's or merge's Comment. It is a sentence in the
// language of whoever made it, with the old and the new name in bold, in this order. ok is
// false for any other text.
func ParseRename(content string) (from, to string, ok bool) {
	if len(content) > maxContent {
		return "", "", false
	}
	var names []string
	for rest := content; ; {
		name, after, found := nextBold(rest)
		if !found {
			break
		}
		names, rest = append(names, name), after
	}
	if len(names) != 2 || names[0] == "" || names[1] == "" || names[0] == names[1] {
		return "", "", false
	}
	return names[0], names[1], true
}

// nextBold finds the next bold text: <strong>, or <b> as older versions wrote.
func nextBold(s string) (text, rest string, ok bool) {
	at, tag := -1, ""
	for _, t := range []string{"strong", "b"} {
		if i := strings.Index(s, "<"+t+">"); i >= 0 && (at < 0 || i < at) {
			at, tag = i, t
		}
	}
	if at < 0 {
		return "", "", false
	}
	inner, rest, ok := strings.Cut(s[at+len(tag)+2:], "</"+tag+">")
	if !ok || strings.Contains(inner, "<") { // no docname holds < or > (naming.py)
		return "", "", false
	}
	return html.UnescapeString(inner), rest, true
}

// RenameWalk is the walk through the Comments that may tell of renames of the DocTypes;
// [RenameOf] reads its rows.
func RenameWalk(doctypes []string) Walk {
	return Walk{
		DocType: Comment, Key: "creation", Columns: commentColumns[:],
		Filters: []frappe.Filter{
			{Field: "comment_type", Op: frappe.OpEq, Value: "Edit"},
			{Field: "reference_doctype", Op: frappe.OpIn, Value: doctypes},
		},
	}
}

// RenameOf reads a row of a RenameWalk. ok is false where it is no rename's: another text,
// or a Comment that was changed later, which Frappe never does.
func RenameOf(row Row) (r Rename, ok bool) {
	if len(row.Values) != len(commentColumns) {
		return Rename{}, false
	}
	modified, err := Stamp(row.Values[4])
	if err != nil || modified != row.Time {
		return Rename{}, false
	}
	from, to, ok := ParseRename(row.Values[2])
	return Rename{
		Comment: row.Name, Creation: row.Time, DocType: row.Values[0], reference: row.Values[1],
		Old: from, New: to, Owner: row.Values[3],
	}, ok
}

// claims are the renames that Comments of a DocType tell, of those that fit the filters.
func (s Site) claims(ctx context.Context, doctype string, filters ...frappe.Filter) ([]Rename, error) {
	w := RenameWalk([]string{doctype})
	w.Filters = append(w.Filters, filters...)
	var out []Rename
	err := s.Rows(ctx, w, func(rows []Row) error {
		for _, row := range rows {
			if r, ok := RenameOf(row); ok {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

// RenamesOf gives what is believed of the renames and merges of a document that is not
// there any more, oldest first, whenever they were. A document of which nothing is told
// has none.
func (s Site) RenamesOf(ctx context.Context, doctype, name string) ([]Rename, error) {
	read := func() ([]Rename, error) { return s.chain(ctx, doctype, name) }
	_, believed, err := s.believed(ctx, read, func(r Rename) bool { return r.Old == name })
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(believed, func(r Rename) bool { return r.Old != name }), nil
}

// chain are the claims about a name, and about those that its document had later.
func (s Site) chain(ctx context.Context, doctype, name string) ([]Rename, error) {
	var claims []Rename
	asked := map[string]bool{}
	for next := name; next != "" && !asked[next] && len(asked) < maxChain; {
		asked[next] = true
		told, err := s.claims(ctx, doctype, frappe.Filter{
			Field: "content", Op: frappe.OpLike, Value: "%>" + likeText(html.EscapeString(next)) + "<%",
		})
		if err != nil {
			return nil, fmt.Errorf("renames of %s: %w", doctype, err)
		}
		next = add(&claims, told, next)
	}
	return claims, nil
}

// Reread gives the claims as their Comments tell them now: these hang on the document, and
// go where it goes.
func (s Site) Reread(ctx context.Context, claims []Rename) ([]Rename, error) {
	byDocType := map[string][]string{}
	for _, c := range claims {
		byDocType[c.DocType] = append(byDocType[c.DocType], c.Comment)
	}
	var out []Rename
	for _, doctype := range slices.Sorted(maps.Keys(byDocType)) {
		err := chunked(byDocType[doctype], func(part []string) error {
			told, err := s.claims(ctx, doctype, frappe.Filter{Field: "name", Op: frappe.OpIn, Value: part})
			out = append(out, told...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("renames of %s: %w", doctype, err)
		}
	}
	return out, nil
}

// maxChain bounds how often a document that is looked for was renamed.
const maxChain = 16

// add takes the claims that begin at a name, and gives the new name of one whose document
// has yet another name by now.
func add(claims *[]Rename, told []Rename, name string) (next string) {
	for _, r := range told {
		if r.Old != name {
			continue
		}
		*claims = append(*claims, r)
		if r.Moved() {
			next = r.New
		}
	}
	return next
}

// likeText makes a pattern of a text that fits at least that text. What MariaDB or Frappe
// could take for a sign of its own stands for any one character; escapes of HTML are
// written in more than one way.
func likeText(s string) string {
	return strings.NewReplacer("%", "_", `\`, "_", "&#39;", "%", "&#34;", "%").Replace(s)
}
