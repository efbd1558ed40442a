package trail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// sameAct is how long after a merge's Comment the document's deletion may be told: both are
// of one transaction, but a merge of much may take its time.
const sameAct = 10 * time.Minute

// Verify gives those of the claims that are believed, oldest first. People with the right
// to write Comments can write such a text, so the site must bear it out:
//
//   - The Comment hangs on the document of the new name (or on what that was renamed to by
//     a later one of the claims), which exists and is older than the Comment.
//   - The old name is gone, or in use by a document that was made after the Comment.
//   - Where the old name was deleted: the same user did it right after the Comment (that is
//     a merge), or it was before the document of the new name came to be (the name was used
//     twice).
//
// Frappe itself sets owner and creation of both rows when they are made, and no API lets
// them be changed. What Verify can't see through: a claim about a name that left no trace,
// by whoever may write Comments (System Managers and Website Managers); and
// exchanges of two names (A→T, B→A, T→B) between two looks, which are not believed.
func (s Site) Verify(ctx context.Context, claims []Rename) ([]Rename, error) {
	byDocType := map[string][]Rename{}
	for _, c := range claims {
		byDocType[c.DocType] = append(byDocType[c.DocType], c)
	}
	var out []Rename
	for _, doctype := range slices.Sorted(maps.Keys(byDocType)) {
		believed, err := s.verify(ctx, doctype, byDocType[doctype])
		if err != nil {
			return nil, fmt.Errorf("renames of %s: %w", doctype, err)
		}
		out = append(out, believed...)
	}
	slices.SortStableFunc(out, func(a, b Rename) int { return cmp.Compare(a.Creation, b.Creation) })
	return out, nil
}

func (s Site) verify(ctx context.Context, doctype string, claims []Rename) ([]Rename, error) {
	slices.SortStableFunc(claims, func(a, b Rename) int { return cmp.Compare(a.Creation, b.Creation) })
	var names, olds []string
	for i, c := range claims {
		names = append(names, c.Old, finalName(claims, i))
		olds = append(olds, c.Old)
	}
	present, err := s.Present(ctx, doctype, unique(names))
	if err != nil {
		return nil, err
	}
	deleted, err := s.Deletions(ctx, doctype, unique(olds))
	if err != nil {
		return nil, err
	}
	var out []Rename
	for i, c := range claims {
		now := finalName(claims, i)
		born, there := present[now]
		if now != c.reference || !there || born > c.Creation {
			continue
		}
		if d, was := deleted[c.Old]; was && !merged(c, d) && d.Creation >= born {
			continue
		}
		if ok, err := s.left(ctx, c, present); err != nil {
			return nil, err
		} else if ok {
			out = append(out, c)
		}
	}
	return out, nil
}

// believed reads claims, and gives all and those that are believed. It looks a second time where one
// that is wanted is not: the document may have got yet another name between the reading and
// the look at the site.
func (s Site) believed(ctx context.Context, read func() ([]Rename, error), wanted func(Rename) bool) (claims, believed []Rename, err error) {
	for again := false; ; again = true {
		if claims, err = read(); err != nil {
			return nil, nil, err
		}
		if believed, err = s.Verify(ctx, claims); err != nil {
			return nil, nil, err
		}
		if again || !slices.ContainsFunc(claims, func(r Rename) bool { return wanted(r) && !slices.Contains(believed, r) }) {
			return claims, believed, nil
		}
	}
}

// left tells whether the document of the old name is there no more.
func (s Site) left(ctx context.Context, c Rename, present map[string]string) (bool, error) {
	if born, there := present[c.Old]; there {
		return born > c.Creation, nil
	}
	return s.Gone(ctx, c.DocType, c.Old)
}

// finalName follows a claim's new name through the later ones.
func finalName(claims []Rename, i int) string {
	name := claims[i].New
	for _, later := range claims[i+1:] {
		if later.Old == name {
			name = later.New
		}
	}
	return name
}

// merged tells whether a deletion is the end of the merge that a Comment tells.
func merged(c Rename, d Deletion) bool {
	return c.DocType == d.DocType && c.Old == d.Name && c.Owner == d.Owner && c.Owner != "" &&
		d.Creation >= c.Creation && d.Creation <= Shift(c.Creation, sameAct)
}

// Merges gives those of the deletions of a DocType that were merges, by the name that was
// deleted. Comments must be read after the deletions were: the Comment is there as soon as
// the deletion is.
//
// earlier are, by that name too, claims from before the deletion that were made since a time
// ("" for the last minutes before it), other than merges: if they are true, the name was
// another document's then.
func (s Site) Merges(ctx context.Context, doctype string, deletions []Deletion, since string) (merges, earlier map[string]Rename, err error) {
	merges, earlier = map[string]Rename{}, map[string]Rename{}
	if len(deletions) == 0 {
		return merges, earlier, nil
	}
	first := deletions[0].Creation
	for _, d := range deletions {
		first = min(first, d.Creation)
	}
	if since != "" {
		first = min(first, since)
	}
	first = Shift(first, -sameAct)
	// Up to now: the survivor may have been renamed since.
	read := func() ([]Rename, error) {
		return s.claims(ctx, doctype, frappe.Filter{Field: "creation", Op: frappe.OpGte, Value: first})
	}
	claims, believed, err := s.believed(ctx, read, func(r Rename) bool {
		return slices.ContainsFunc(deletions, func(d Deletion) bool { return merged(r, d) })
	})
	if err != nil {
		return nil, nil, err
	}
	for _, d := range deletions {
		for _, r := range claims {
			switch {
			case r.Old != d.Name:
			case merged(r, d) && slices.Contains(believed, r):
				merges[d.Name] = r
			case r.Creation <= d.Creation:
				earlier[d.Name] = r
			}
		}
	}
	return merges, earlier, nil
}

// Shift moves a time in Layout.
func Shift(stamp string, by time.Duration) string {
	t, err := time.Parse(Layout, stamp)
	if err != nil {
		return stamp
	}
	return t.Add(by).Format(Layout)
}

func unique(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*apierror.Error](err)
	return ok && e.Code == apierror.NotFound
}
