package loaders

import (
	"context"
	"fmt"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// WorkflowActions asks ERPNext what the caller may do with a document by the workflow of
// its DocType: one call.
func (s *Set) WorkflowActions(ctx context.Context, t *doctype.Type, name string) ([]frappe.WorkflowAction, error) {
	if err := s.spend(); err != nil {
		return nil, err
	}
	actions, err := s.cfg.Upstream.WorkflowActions(ctx, s.cred, t.Key, name)
	s.heard(err)
	if err != nil {
		return nil, fmt.Errorf("workflow actions of %s: %w", t.Key, err)
	}
	return actions, nil
}
