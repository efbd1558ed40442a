package engine

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/frappe"
)

// workflow asks what the caller may do with a document by its workflow. ERPNext tells it
// of one document at a time, for conditions may be part of it: a call for each.
func (l *level) workflow(x *execution, owner *object, f *field) {
	var actions []frappe.WorkflowAction
	var err error
	l.others = append(l.others, call{
		run: func(ctx context.Context) { actions, err = x.set.WorkflowActions(ctx, owner.row.Type, owner.name) },
		deliver: func() {
			if err != nil {
				x.failOnce(err, place{owner: owner, field: f.Field, index: -1}, failure{field: f.Field, name: failureName(err, owner.name)})
				return
			}
			owner.slots[f.slot].value = finished(x.workflowJSON(f, actions))
		},
	})
}

func (x *execution) workflowJSON(f *field, actions []frappe.WorkflowAction) []byte {
	fields := graphql.CollectFields(x.op, f.Selections, []string{"WorkflowAction"})
	w := &writer{x: x, b: []byte{'['}}
	for i, a := range actions {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.strings(fields, map[string]string{"__typename": "WorkflowAction", "action": a.Action, "nextState": a.NextState}, nil)
	}
	return append(w.b, ']')
}
