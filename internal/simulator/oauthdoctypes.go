package simulator

import "slices"

// The DocTypes in which a site keeps OAuth. Administrators see and change them like any
// other: a client made over REST can be used at once, a token deleted there is refused.
const (
	clientType     = "OAuth Client"
	clientRoleType = "OAuth Client Role"  // rows of a client
	tokenType      = "OAuth Bearer Token" //nolint:gosec // G101: a DocType
	codeType       = "OAuth Authorization Code"
)

// oauthDocTypes is the metadata of those DocTypes: fields, types, options and rights as
// Frappe 15 has them.
func oauthDocTypes() [][]byte {
	const admin = "System Manager"
	all := []string{"create", "delete", "email", "export", "print", "read", "report", "share", "write"}
	kept := []string{"delete", "email", "export", "print", "read", "report", "share"} // made by the site alone
	client := builtin{
		clientType, "Integrations", "hash", false,
		"Data client_id, Data app_name, Link user User, Table MultiSelect allowed_roles OAuth Client Role, Data client_secret, Check skip_authorization, " +
			"Text scopes, Text redirect_uris, Data default_redirect_uri, Select grant_type Authorization Code\nImplicit, Select response_type Code\nToken",
		map[string][]string{admin: all},
	}.object()
	client.set("title_field", "app_name")
	required := member{"reqd", int64(1)}
	amendFields(client, map[string]object{
		"app_name":             {required},
		"scopes":               {required, {"default", "all openid"}},
		"default_redirect_uri": {required},
		"skip_authorization":   {{"default", "0"}},
		"response_type":        {{"default", "Code"}},
		"client_id":            {{"read_only", int64(1)}},
		"client_secret":        {{"read_only", int64(1)}},
		"user":                 {{"hidden", int64(1)}},
	})
	out := [][]byte{encodeJSON(client)}
	for _, b := range []builtin{
		{clientRoleType, "Integrations", "", true, "Link role Role", nil},
		{
			tokenType, "Integrations", "field:access_token", false,
			"Link client OAuth Client, Link user User, Text scopes, Data access_token, Data refresh_token, Datetime expiration_time, Int expires_in, Select status Active\nRevoked",
			map[string][]string{admin: kept},
		},
		{
			codeType, "Integrations", "field:authorization_code", false,
			"Link client OAuth Client, Link user User, Text scopes, Data authorization_code, Datetime expiration_time, Data redirect_uri_bound_to_authorization_code, " +
				"Select validity Valid\nInvalid, Data nonce, Data code_challenge, Select code_challenge_method \ns256\nplain",
			map[string][]string{admin: kept},
		},
	} {
		out = append(out, b.meta())
	}
	return out
}

// amendFields adds members to the descriptions of fields.
func amendFields(meta object, more map[string]object) {
	fields := asList(meta.get("fields"))
	for i, f := range fields {
		o, _ := f.(object)
		fields[i] = slices.Concat(o, more[cstr(o.get("fieldname"))])
	}
}
