package engine

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/frappe"
)

// meRoot gives the caller as ERPNext knows him. It costs no call of the operation's
// budget: who calls is asked once for a credential and a short time, whatever the query.
func meRoot(x *execution, f graphql.CollectedField) (task, error) {
	fields := graphql.CollectFields(x.op, f.Selections, []string{"Me"})
	t := &rawTask{rootField: rootField{x, f}, empty: "null"}
	var me *frappe.User
	t.read = func(ctx context.Context) (err error) {
		me, err = x.set.Caller(ctx)
		return err
	}
	t.show = func(w *writer) {
		w.strings(fields, map[string]string{"__typename": "Me", "user": me.Name, "fullName": me.FullName}, func(graphql.CollectedField) {
			w.b = append(w.b, '[')
			for i, role := range me.Roles {
				if i > 0 {
					w.b = append(w.b, ',')
				}
				w.b = appendQuoted(w.b, role)
			}
			w.b = append(w.b, ']')
		})
	}
	return t, nil
}
