package e2e_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Rows of a bulk of local rows are each a transaction of their own; what the database or
// ERPNext refuses names the row's field.
func TestLocalBulk(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	good := contract("Semi;Colon")
	bad := func(field string, value any) doc {
		input := contract("Semi;Colon")
		input[field] = value
		return input
	}
	var data struct {
		CreateServiceContracts struct {
			Results []struct {
				Index           int
				ID              *string
				ServiceContract doc
				Error           *struct{ Code, Field, Doctype, Name string }
			}
		}
	}
	b.query(t, manager, `mutation($inputs: [ServiceContractCreate!]!) { createServiceContracts(inputs: $inputs) {
		results { index id serviceContract { customer { name } } error { code field doctype name } } } }`, doc{"inputs": []any{
		good, bad("customer", "Nobody At All"), bad("endDate", "2025-01-01"), bad("monthlyFee", "-1"), good,
	}}).into(t, &data)
	type failure struct{ Code, Field, Doctype, Name string }
	for i, want := range []*failure{
		nil,
		{"VALIDATION", "inputs.1.customer", "Customer", "Nobody At All"},
		{"VALIDATION", "inputs.2.endDate", "ServiceContract", ""},
		{"VALIDATION", "inputs.3.monthlyFee", "ServiceContract", ""},
		nil,
	} {
		r := data.CreateServiceContracts.Results[i]
		switch {
		case r.Index != i || (r.ID == nil) != (want != nil) || (r.ServiceContract == nil) != (want != nil) || (r.Error == nil) != (want == nil):
			t.Errorf("row %d: %+v", i, r)
		case want != nil && failure(*r.Error) != *want:
			t.Errorf("row %d: %+v, want %+v", i, *r.Error, *want)
		}
	}
	if n := (story{t, b}).count(`{ serviceContracts { totalCount } }`); n != 2 {
		t.Errorf("%d contracts, want 2", n)
	}
}

// What the database refuses is VALIDATION with the field, by rules of the app's own
// migrations, which the SDL does not tell of.
func TestLocalConstraints(t *testing.T) {
	t.Parallel()
	migrated := setup(t, options{signIn: true})
	migrated.sql(t, `create unique index one_contract on service_contract (customer, item)`)
	s := story{t, setup(t, options{beside: migrated})} // which reads the table's rules
	first := s.contracted("Semi;Colon")
	s.visited(first)
	migrated.sql(t, `alter table service_visit drop constraint service_visit_contract_fkey,
		add constraint visits_stay foreign key (contract) references service_contract (id) on delete restrict`)
	twice := s.refused(manager, createContract, doc{"input": contract("Semi;Colon")}, "VALIDATION", "input.customer")
	if diff := cmp.Diff([]any{"input.customer", "input.item"}, twice.Errors[0].Extensions["fields"]); diff != "" || twice.Errors[0].Extensions["constraint"] != "one_contract" {
		t.Errorf("%s%s", diff, twice.raw)
	}
	linked := s.refused(manager, `mutation($id: ID!) { deleteServiceContract(id: $id) { id } }`, doc{"id": first}, "VALIDATION", "")
	if e := linked.Errors[0].Extensions; e["constraint"] != "visits_stay" {
		t.Errorf("the linked row: %s", linked.raw)
	}
	other := s.contracted("Bright Traders Ltd")
	s.refused(manager, `mutation($id: ID!) { updateServiceContract(id: $id, input: { customer: "Semi;Colon" }) { id } }`, doc{"id": other}, "VALIDATION", "input.customer")
	if contracts, visits := s.count(`{ serviceContracts { totalCount } }`), s.count(`{ serviceVisits { totalCount } }`); contracts != 2 || visits != 1 {
		t.Errorf("%d contracts and %d visits, want 2 and 1", contracts, visits)
	}
}
