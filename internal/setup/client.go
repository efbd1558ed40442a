package setup

import (
	"github.com/go-json-experiment/json/jsontext"
)

// doctypeClient is the DocType of an application that may ask for tokens
// (integrations/doctype/oauth_client).
const doctypeClient = "OAuth Client"

// callbackPath is where ERPNext sends browsers back to, below the public address.
const callbackPath = "/auth/callback"

// oauthClient is the OAuth Client that users sign in with.
//
// Redirect URIs are compared byte for byte (oauth.py), and an administrator may have
// added others, of an app that shares the client: those stay. Without any role given the
// roles are the site's business: a new client gets "Desk User" there, so that website
// users can't sign in.
func oauthClient(o *Options) Document {
	callback := o.PublicURL + callbackPath
	d := Document{
		DocType: doctypeClient,
		Find:    map[string]string{"app_name": o.AppName},
		Name:    o.ClientID,
		Fields: []Field{
			{Name: "redirect_uris", Rule: Word(callback)},
			{Name: "default_redirect_uri", Rule: Text(callback)},
			{Name: "scopes", Rule: Text("all openid")},
			{Name: "grant_type", Rule: Text("Authorization Code")},
			{Name: "response_type", Rule: Text("Code")},
			{Name: "skip_authorization", Rule: Check(o.Trusted)},
		},
		Dependents: []Dependent{
			{DocType: "OAuth Bearer Token", Field: "client"},
			{DocType: "OAuth Authorization Code", Field: "client"},
		},
	}
	if len(o.AllowedRoles) > 0 {
		d.Fields = append(d.Fields, Field{Name: "allowed_roles", Rule: RowSet{Field: "role", Values: o.AllowedRoles}})
	}
	return d
}

// clientSecret is the secret that Frappe has made for the client.
func clientSecret(client map[string]jsontext.Value) string { return text(client["client_secret"]) }

// clientID is the client's id, which is its name.
func clientID(client map[string]jsontext.Value) string { return text(client["name"]) }
