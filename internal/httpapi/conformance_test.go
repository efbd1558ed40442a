package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestGraphQLOverHTTP holds the cases of the server audits of npm graphql-http
// under the same ids, so that go test covers what e2e/conformance runs.
func TestGraphQLOverHTTP(t *testing.T) {
	t.Parallel()
	type audit struct {
		id, accept, body string
		get              url.Values
		noContentType    bool
		contentType      string
		status           int
		want             string // of the Content-Type
		noErrors, noData bool
	}
	typename, q := `{"query":"{ __typename }"}`, `{"query":`
	typed := `{"query":"query Type($name: String!) { __type(name: $name) { name } }","variables":{"name":"sometype"}}`
	coerce := `{"query":"query CoerceFailure($id: ID!){ __typename }","variables":{"id":null}}`
	unknown := `{"query":"{ f31403dfe404bccbb0e835f2629c6a7 }"}`
	typedURL := url.Values{"query": {"query Type($name: String!) { __type(name: $name) { name } }"}, "variables": {`{"name":"sometype"}`}}
	audits := []audit{
		{id: "22EB", accept: graphqlJSON, body: typename, status: 200, want: graphqlJSON},
		{id: "4655", accept: plainJSON, body: typename, status: 200, want: plainJSON},
		{id: "47DE", accept: "*/*", body: typename, status: 200, want: plainJSON},
		{id: "80D8 82A3 78D5 2C94 03D4", body: typename, status: 200, want: plainJSON},
		{id: "BF61", contentType: "application/json; charset=utf-8", body: q + `"{ __type(name: \"Run🏃Swim🏊\") { name } }"}`, status: 200},
		{id: "5A70", get: url.Values{"query": {"{ __typename }"}}, status: 200},
		{id: "9C48", accept: graphqlJSON, get: url.Values{"query": {"mutation { __typename }"}}, status: 405},
		{id: "9ABE", body: typename, noContentType: true, status: 415},
		{id: "A5BF", status: 400},
		{id: "423L", accept: graphqlJSON, body: `{"notquery":"{ __typename }"}`, status: 400},
		{id: "34A2", accept: graphqlJSON, body: typename, status: 200},
		{id: "13EE", accept: plainJSON, body: typename, status: 200, noErrors: true},
		{id: "8161", accept: graphqlJSON, body: `{"operationName":"Query","query":"query Query { __typename }"}`, status: 200},
		{id: "B8B3", accept: plainJSON, body: `{"operationName":"Query","query":"query Query { __typename }"}`, status: 200, noErrors: true},
		{id: "2EA1", accept: graphqlJSON, body: typed, status: 200},
		{id: "28B9", accept: plainJSON, body: typed, status: 200, noErrors: true},
		{id: "D6D5", accept: graphqlJSON, get: typedURL, status: 200, noErrors: true},
		{id: "6A70", accept: plainJSON, get: typedURL, status: 200, noErrors: true},
		{id: "428F", accept: graphqlJSON, body: q + `"{ __typename }","extensions":{"some":"value"}}`, status: 200},
		{id: "1B7A", accept: plainJSON, body: q + `"{ __typename }","extensions":{"some":"value"}}`, status: 200, noErrors: true},
		{id: "B6DC BCF8", accept: plainJSON, body: `{ "not a JSON`, status: 400},
		{id: "B7N8", accept: graphqlJSON, body: `{ "not a JSON`, status: 400},
		{id: "8764 3E3A", body: `{"qeury":"{ __typename }"}`, status: 400},
		{id: "572B", accept: plainJSON, body: q + `"{"}`, status: 200},
		{id: "FDE2", accept: plainJSON, body: unknown, status: 200},
		{id: "7B9B", accept: plainJSON, body: coerce, status: 200},
		{id: "865D 556A D586", accept: graphqlJSON, body: q + `"{"}`, status: 400, noData: true},
		{id: "51FE 74FF 5E5B", accept: graphqlJSON, body: unknown, status: 400, noData: true},
		{id: "86EE", accept: graphqlJSON, body: coerce, status: 400},
	}
	for i, bad := range []string{`{"obj":"ect"}`, `0`, `false`, `["array"]`} {
		audits = append(audits,
			audit{id: fmt.Sprint("LKJ", i), body: q + bad + "}", status: 400},
			audit{id: fmt.Sprint("6C0", i), body: q + `"{ __typename }","operationName":` + bad + "}", status: 400})
	}
	for i, bad := range []string{`"string"`, `0`, `false`, `["array"]`} {
		audits = append(audits,
			audit{id: fmt.Sprint("476", i), body: q + `"{ __typename }","variables":` + bad + "}", status: 400},
			audit{id: fmt.Sprint("58B", i), body: q + `"{ __typename }","extensions":` + bad + "}", status: 400})
	}
	for i, name := range []string{"variables", "operationName", "extensions"} {
		audits = append(audits,
			audit{id: fmt.Sprint("94B", i), accept: graphqlJSON, body: q + `"{ __typename }","` + name + `":null}`, status: 200, noErrors: true},
			audit{id: fmt.Sprint("022", i), accept: plainJSON, body: q + `"{ __typename }","` + name + `":null}`, status: 200, noErrors: true})
	}
	ids := 0
	for _, a := range audits {
		ids += len(strings.Fields(a.id))
	}
	if ids != 61 {
		t.Errorf("%d audits, want 61", ids)
	}
	b := setup(t, nil, nil)
	for _, a := range audits {
		t.Run(a.id, func(t *testing.T) {
			t.Parallel()
			c := call{body: a.body, noContentType: a.noContentType, header: map[string]string{}}
			if a.accept != "" {
				c.header["Accept"] = a.accept
			}
			if a.contentType != "" {
				c.header["Content-Type"] = a.contentType
			}
			if a.get != nil {
				c.method, c.path = "GET", "/graphql?"+a.get.Encode()
			}
			got := b.do(t, c)
			if got.status != a.status {
				t.Errorf("status %d, want %d: %s", got.status, a.status, got.body)
			}
			if !json.Valid([]byte(got.body)) {
				t.Errorf("not JSON: %s", got.body)
			}
			if a.want != "" && got.header.Get("Content-Type") != a.want+"; charset=utf-8" {
				t.Errorf("Content-Type %q, want %q", got.header.Get("Content-Type"), a.want)
			}
			if a.noErrors && got.has["errors"] != nil {
				t.Errorf("errors: %s", got.body)
			}
			if _, data := got.has["data"]; a.noData && data {
				t.Errorf("data: %s", got.body)
			}
		})
	}
}
