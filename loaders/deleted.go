package loaders

import (
	"context"
	"fmt"
	"slices"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// deletedDocument is the DocType that tells of deletions (Frappe's delete_doc.py writes it
// with each). Of stock ERPNext's users System Managers may read it.
const deletedDocument = "Deleted Document"

// Deleted tells of which documents of a DocType ERPNext shows this caller that they were
// deleted, in one call; of none where he may not know of deletions at all.
func (s *Set) Deleted(ctx context.Context, key string, names []string) (map[string]bool, error) {
	out := map[string]bool{}
	if len(names) == 0 {
		return out, nil
	}
	if err := s.spend(); err != nil {
		return nil, err
	}
	table, err := s.cfg.Upstream.List(ctx, s.cred, frappe.ListQuery{
		DocType: deletedDocument, Columns: plain([]string{"deleted_name"}), GroupBy: plain([]string{"deleted_name"}), Limit: len(names),
		Filters: []frappe.Filter{
			{Field: "deleted_doctype", Op: frappe.OpEq, Value: key},
			{Field: "deleted_name", Op: frappe.OpIn, Value: names},
		},
	})
	s.heard(err)
	if apierror.CodeOf(err) == apierror.Forbidden {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("deletions of %s: %w", key, err)
	}
	for _, row := range table.Rows {
		// ERPNext takes names as equal that differ in case or accents.
		if name := textOf(row[0]); slices.Contains(names, name) {
			out[name] = true
		}
	}
	return out, nil
}
