package catchup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/frappe"
)

// round reads everything once: first what is gone or has another name, then what changed,
// so that a document's new name comes before news of it. A DocType that fails does not
// hold up the others, unless ERPNext as a whole can't be asked.
func (c *Catchup) round(ctx context.Context) error {
	unreadable, err := c.read(ctx)
	c.setStatus(func(s *Status) {
		s.Err = err
		if err == nil {
			s.LastRound, s.Unreadable = c.cfg.Now(), unreadable
		}
	})
	return err
}

// step is one part of a round.
type step struct {
	doctype string
	read    func(context.Context, moment) error
}

func (c *Catchup) steps() []step {
	var steps []step
	if len(c.doctypes()) > 0 {
		steps = append(steps, step{trail.DeletedDocument, c.deletions}, step{trail.Comment, c.renames})
	}
	for _, w := range c.cfg.Watched {
		read := c.documents
		if w.Single {
			read = c.single
		}
		steps = append(steps, step{w.DocType, func(ctx context.Context, m moment) error { return read(ctx, m, w) }})
	}
	for _, w := range c.cfg.Watched {
		if !w.Single {
			steps = append(steps, step{w.DocType, func(ctx context.Context, m moment) error { return c.vanished(ctx, m, w) }})
		}
	}
	return steps
}

func (c *Catchup) read(ctx context.Context) (unreadable []string, err error) {
	m := moment{at: c.cfg.Now()}
	if m.siteNow, m.zone, err = c.siteNow(ctx, m.at); err != nil {
		return nil, err
	}
	var failed []error
	for _, s := range c.steps() {
		err := s.read(ctx, m)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case trail.Unreadable(err):
			unreadable = append(unreadable, c.tell(ctx, s.doctype, err))
		case outage(err):
			return nil, fmt.Errorf("catch-up of %s: %w", s.doctype, err)
		default:
			failed = append(failed, fmt.Errorf("catch-up of %s: %w", s.doctype, err))
		}
	}
	slices.Sort(unreadable)
	return slices.Compact(unreadable), errors.Join(failed...)
}

// tell says once that a DocType can't be read, and gives which.
func (c *Catchup) tell(ctx context.Context, doctype string, err error) string {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		doctype = cmp.Or(e.DocType, doctype)
	}
	if !c.once("unreadable " + doctype) {
		return doctype
	}
	missed := "changes that its webhooks miss"
	switch doctype {
	case trail.DeletedDocument:
		missed = "deletions that webhooks miss, renames and merges"
	case trail.Comment:
		missed = "renames, and that a deletion was a merge"
	}
	c.cfg.Logger.WarnContext(ctx, "the service account can't read a DocType: some changes stay unknown", "doctype", doctype, "unknown", missed, "error", err)
	return doctype
}

// outage tells whether ERPNext as a whole can't be asked now. An answer of 500 to one list
// is that list's trouble.
func outage(err error) bool {
	if e, ok := errors.AsType[*frappe.Error](err); ok && e.Status == http.StatusInternalServerError {
		return false
	}
	e, ok := errors.AsType[*apierror.Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case apierror.UpstreamUnavailable, apierror.UpstreamTimeout, apierror.RateLimited, apierror.Unauthenticated:
		return true
	default:
		return false
	}
}
