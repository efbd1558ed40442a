package simulator

import (
	"embed"
	"fmt"
	"io/fs"
)

// The demo's data set: a small trading company, made by demo/generate.go.
//
//go:embed demo/*.jsonl.gz
var demoFiles embed.FS

// Demo is a site to try things on: a trading company with some hundred documents, in the
// zone Asia/Kolkata, and users that log in with "token NAME:demo", or with the bearer
// token "NAME-demo-token", or by OAuth as client "erpgraph-demo" with the user's address and
// the password "demo". Set Clients[0].RedirectURI to where the codes shall go.
//
//	admin    Administrator
//	sales    sales@example.com, Sales User
//	north    sales-north@example.com, Sales User restricted to the Territory North
//	manager  manager@example.com, the managers of sales, purchase, accounts and items
//	stock    stock@example.com, Stock User
//	nobody   nobody@example.com, a website user without roles
//	service  svc-full@example.com, System Manager and all business roles: it sees every DocType of the graph
func Demo() (Options, error) {
	data, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		return Options{}, fmt.Errorf("simulator: demo: %w", err)
	}
	o := Options{TimeZone: "Asia/Kolkata", Data: data, Clients: []OAuthClient{
		{ID: "erpgraph-demo", Name: "erpgraph demo", Secret: "demo-secret", RedirectURI: "http://127.0.0.1:8080/auth/callback", Scopes: "all openid"},
	}}
	for _, u := range []struct{ key, name, hint string }{
		{"admin", administrator, "administers"},
		{"sales", "sales@example.com", "sells"},
		{"north", "sales-north@example.com", "sells in the North only"},
		{"manager", "manager@example.com", "manages"},
		{"stock", "stock@example.com", "keeps the stock"},
		{"nobody", "nobody@example.com", "has no role, and may not sign in to erpgraph"},
		{"service", "svc-full@example.com", "is the service's own account"},
	} {
		o.LoginHints = append(o.LoginHints, u.name+" "+u.hint+", password demo")
		user := User{Name: u.name, APIKey: u.key, APISecret: "demo", Password: "demo", Bearer: []string{u.key + "-demo-token"}}
		if u.key == "service" { // whoever looks for changes has to see all that changes
			user.Roles = []string{"Support Team", "Projects User"}
		}
		o.Users = append(o.Users, user)
	}
	return o, nil
}
