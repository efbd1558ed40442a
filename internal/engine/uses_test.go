package engine

import (
	"testing"

	"erpgraph/internal/doctype"
)

// A reverse link is a filter by the field that holds it, so it must be readable.
func TestReverseLinksUseTheirField(t *testing.T) {
	t.Parallel()
	secret := &doctype.Field{Name: "secretCustomer", Column: "secret_customer", Kind: doctype.Link, Target: "Customer", PermLevel: 1}
	links := &doctype.Field{Name: "links", Column: "links", Kind: doctype.Table, Target: "Dynamic Link", PermLevel: 1}
	from := &doctype.Type{Name: "Deal", Key: "Deal", Fields: []*doctype.Field{secret, links}}
	doctype.NewRegistry([]*doctype.Type{from})
	for _, c := range []struct {
		link *doctype.Reverse
		want *doctype.Field
	}{
		{&doctype.Reverse{From: "Deal", Field: "secret_customer"}, secret},
		{&doctype.Reverse{From: "Deal", Through: "Dynamic Link", ThroughField: "links"}, links},
	} {
		uses := (&connection{typ: from, link: c.link}).uses()
		if len(uses) != 1 || uses[0].Field != c.want || uses[0].Type != from {
			t.Errorf("%+v uses %+v", c.link, uses)
		}
	}
}
