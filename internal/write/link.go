package write

import (
	"context"
	"errors"
	"fmt"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/snapshot"
	"erpgraph/loaders"
)

// linkCheck is what is asked about one target of links: the names in all rows of all
// changes, at once.
type linkCheck struct {
	target *doctype.Type
	names  []string
	real   map[string]string // by the name given, the one that the document has
}

// checkLinks makes sure that the caller may read whatever the changes link to, in one call
// for each DocType and one read for each local type, and puts the name that a document
// really has in the place of the one given. errs has the error of each change; err is one
// that leaves all of them undecided.
func (w *Writer) checkLinks(ctx context.Context, changes []*Change) (errs []error, err error) {
	errs = make([]error, len(changes))
	checks, err := w.collectLinks(changes)
	if err != nil {
		return errs, err
	}
	err = errors.Join(loaders.Parallel(len(checks), func(i int) (err error) {
		checks[i].real, err = w.set.Readable(ctx, checks[i].target, checks[i].names)
		return err
	})...)
	if err != nil {
		return errs, fmt.Errorf("check links: %w", err)
	}
	for i, c := range changes {
		errs[i] = c.resolveLinks(checks)
	}
	return errs, nil
}

// links calls visit for each link that a change stores by its name.
func (c *Change) links(visit func(*cell) error) error {
	for _, s := range c.steps {
		for _, cell := range s.cells {
			if cell.field.Kind != doctype.Link || cell.row != nil || cell.value == nil {
				continue
			}
			if err := visit(cell); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) collectLinks(changes []*Change) ([]*linkCheck, error) {
	var checks []*linkCheck
	for _, c := range changes {
		err := c.links(func(l *cell) error {
			name, ok := l.value.(string)
			target := w.cfg.Registry.ByKey(l.field.Target)
			if !ok || target == nil {
				return fmt.Errorf("write: %s is no link to a type of the graph", l.path)
			}
			check := checkOf(checks, target)
			if check == nil {
				check = &linkCheck{target: target}
				checks = append(checks, check)
			}
			check.names = append(check.names, name)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return checks, nil
}

func checkOf(checks []*linkCheck, target *doctype.Type) *linkCheck {
	for _, check := range checks {
		if check.target == target {
			return check
		}
	}
	return nil
}

// resolveLinks is the error of the first link that can't be followed. Whether there is such
// a document is not told to those who could not read it.
func (c *Change) resolveLinks(checks []*linkCheck) error {
	return c.links(func(l *cell) error {
		name, _ := l.value.(string)
		check := checkOf(checks, c.w.cfg.Registry.ByKey(l.field.Target))
		found, ok := check.real[name]
		if !ok {
			return apierror.New(apierror.Validation, "%s: %s %q does not exist, or can't be read with your rights", l.path, check.target.Key, name).
				About(check.target.Key, name, l.path)
		}
		l.value = found
		return nil
	})
}

// snapshots are the titles, as the check of the links has read them, that links with a snapshot
// are to keep.
func (c *Change) snapshots() []snapshot.Seen {
	var out []snapshot.Seen
	for _, s := range c.steps {
		for _, cell := range s.cells {
			name, ok := cell.value.(string)
			if !cell.field.Snapshot || !ok {
				continue
			}
			if seen, ok := c.w.set.SeenTitle(snapshot.Document{DocType: cell.field.Target, Name: name}); ok {
				out = append(out, seen)
			}
		}
	}
	return out
}
