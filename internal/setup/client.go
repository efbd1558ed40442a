package setup

import (
	"github.com/go-json-experiment/json/jsontext"
)

// doctypeClient is the DocType of an application that may ask for tokens
// (integrations/doctype/oauth_client).
const doctypeClient = "OAuth Client"

// oauthClient is the OAuth Client that users sign in with.
//
// Redirect URIs are compared byte for byte (oauth.py), and an administrator may have
// added others, of an app that shares the client: those stay. Without any role given the
// roles are the site's business: a new client gets "Desk User" there, so that website
// users can't sign in.
func oauthClient(o *Options) document {
	callback := o.PublicURL + o.CallbackPath
	d := document{
		docType: doctypeClient,
		find:    map[string]string{"app_name": o.AppName},
		name:    o.ClientID,
		fields: []field{
			{name: "redirect_uris", rule: hasWord(callback)},
			{name: "default_redirect_uri", rule: textIs(callback)},
			{name: "scopes", rule: textIs("all openid")},
			{name: "grant_type", rule: textIs("Authorization Code")},
			{name: "response_type", rule: textIs("Code")},
			{name: "skip_authorization", rule: checkIs(o.Trusted)},
		},
		dependents: []dependent{
			{docType: "OAuth Bearer Token", field: "client"},
			{docType: "OAuth Authorization Code", field: "client"},
		},
	}
	if len(o.AllowedRoles) > 0 {
		d.fields = append(d.fields, field{name: "allowed_roles", rule: rowsAre{field: "role", values: o.AllowedRoles}})
	}
	return d
}

// clientSecret is the secret that Frappe has made for the client.
func clientSecret(client map[string]jsontext.Value) string { return text(client["client_secret"]) }

// clientID is the client's id, which is its name.
func clientID(client map[string]jsontext.Value) string { return text(client["name"]) }
