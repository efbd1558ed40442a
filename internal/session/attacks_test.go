package session_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/simulator"
)

func codeOf(err error) apierror.Code { return apierror.CodeOf(err) }

func with(u *url.URL, name, value string) string {
	q := u.Query()
	q.Set(name, value)
	changed := *u
	changed.RawQuery = q.Encode()
	return changed.String()
}

// refused visits a callback that must not sign in.
func (v *browser) refused(t *testing.T, address string) {
	t.Helper()
	res, body := v.get(address)
	if res.StatusCode < 400 || res.StatusCode > 499 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if v.session() != "" || v.status()["signedIn"] != false {
		t.Error("it signed in")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{u.Query().Get("code"), u.Query().Get("state")} {
		if len(secret) > 5 && strings.Contains(body, secret) {
			t.Error("the page repeats the address")
		}
	}
}

func TestForeignCallbacks(t *testing.T) {
	t.Parallel()
	cases := map[string]func(t *testing.T, b *testBundle, v *browser){
		"no cookie": func(t *testing.T, b *testBundle, v *browser) {
			v.refused(t, b.browser().callback(sales, "/").String())
		},
		"state of another browser": func(t *testing.T, b *testBundle, v *browser) {
			back := b.browser().callback(sales, "/")
			v.callback(manager, "/") // has begun one of its own
			v.refused(t, back.String())
		},
		"cookie of another sign-in": func(t *testing.T, b *testBundle, v *browser) {
			// The value of one attempt's cookie under the name of another's.
			mine, other := v.callback(sales, "/"), b.browser()
			other.callback(manager, "/")
			for _, c := range v.cookies() {
				if strings.HasPrefix(c.Name, cookie+"-login-") {
					for _, o := range other.cookies() {
						if strings.HasPrefix(o.Name, cookie+"-login-") {
							v.jar.SetCookies(mine, []*http.Cookie{{Name: c.Name, Value: o.Value, Path: "/"}})
						}
					}
				}
			}
			v.refused(t, mine.String())
		},
		"state changed": func(t *testing.T, _ *testBundle, v *browser) {
			back := v.callback(sales, "/")
			v.refused(t, with(back, "state", back.Query().Get("state")+"x"))
			v.refused(t, with(back, "state", ""))
			v.refused(t, back.String()+"&state=two")
		},
		"too late": func(t *testing.T, b *testBundle, v *browser) {
			back := v.callback(sales, "/")
			b.clock.forward(11 * 60e9)
			v.refused(t, back.String())
		},
		"no code": func(t *testing.T, _ *testBundle, v *browser) {
			v.refused(t, with(v.callback(sales, "/"), "code", ""))
		},
		"code of another client": func(t *testing.T, b *testBundle, v *browser) {
			b.site.AddOAuthCode(simulator.OAuthCode{Code: "code-of-another-client", ClientID: "another", User: manager, Scopes: "all openid"})
			v.refused(t, with(v.callback(sales, "/"), "code", "code-of-another-client"))
		},
		"code of another browser": func(t *testing.T, b *testBundle, v *browser) {
			stolen := b.browser().callback(manager, "/").Query().Get("code")
			v.refused(t, with(v.callback(sales, "/"), "code", stolen)) // another verifier
		},
		"code without a challenge": func(t *testing.T, b *testBundle, v *browser) {
			// The site redeems it without any verifier; the nonce gives it away.
			b.site.AddOAuthCode(simulator.OAuthCode{Code: "code-without-challenge", ClientID: clientID, User: manager, Scopes: "all openid"})
			v.refused(t, with(v.callback(sales, "/"), "code", "code-without-challenge"))
			b.wantNoTokens(t, manager)
		},
		"code of another nonce": func(t *testing.T, b *testBundle, v *browser) {
			at := v.begin("/")
			b.site.AddOAuthCode(simulator.OAuthCode{
				Code: "code-of-another-nonce", ClientID: clientID, User: manager, Scopes: "all openid",
				Challenge: at.Query().Get("code_challenge"), Nonce: "another",
			})
			v.refused(t, b.url+"/auth/callback?code=code-of-another-nonce&state="+at.Query().Get("state"))
			b.wantNoTokens(t, manager)
		},
		"code without openid": func(t *testing.T, b *testBundle, v *browser) {
			at := v.begin("/")
			b.site.AddOAuthCode(simulator.OAuthCode{
				Code: "code-without-openid", ClientID: clientID, User: manager, Scopes: "all",
				Challenge: at.Query().Get("code_challenge"), Nonce: at.Query().Get("nonce"),
			})
			v.refused(t, b.url+"/auth/callback?code=code-without-openid&state="+at.Query().Get("state"))
			b.wantNoTokens(t, manager)
		},
		"claims that name another user": func(t *testing.T, b *testBundle, v *browser) {
			b.whoAmI = func(context.Context, frappe.Credential) (*frappe.User, error) {
				return &frappe.User{Name: manager}, nil
			}
			v.refused(t, v.callback(sales, "/").String())
			b.wantNoTokens(t, sales)
		},
		"token that the site does not know": func(t *testing.T, b *testBundle, v *browser) {
			b.whoAmI = func(context.Context, frappe.Credential) (*frappe.User, error) {
				return nil, apierror.New(apierror.Unauthenticated, "no")
			}
			v.refused(t, v.callback(sales, "/").String())
			b.wantNoTokens(t, sales)
		},
	}
	for name, attack := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			attack(t, b, b.browser())
			if n := b.count("auth_session"); n != 0 {
				t.Errorf("%d sessions", n)
			}
			if len(b.events("refused")) == 0 || len(b.events("sign_in")) != 0 {
				t.Error("the audit log lacks the refusal")
			}
		})
	}
}

func TestCallbackTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	back := v.callback(sales, "/")
	kept := v.cookies()
	v.get(back.String())
	if v.status()["signedIn"] != true {
		t.Fatal("the first one did not sign in")
	}
	again := b.browser()
	again.jar.SetCookies(back, kept)
	again.refused(t, back.String())
	if b.grants("authorization_code") != 1 {
		t.Errorf("%d codes were redeemed", b.grants("authorization_code"))
	}
}

// Administrator's name is no email address: what the site says is the truth.
func TestAdministrator(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.signIn("Administrator").status(); got["user"] != "Administrator" {
		t.Errorf("status: %v", got)
	}
}

func TestLogoutProtection(t *testing.T) {
	t.Parallel()
	json, preflight := map[string]string{"Content-Type": "application/json; charset=utf-8"}, map[string]string{"GraphQL-Preflight": "1"}
	for _, c := range []struct {
		name   string
		header map[string]string
		also   map[string]string
		want   int
	}{
		{"JSON", json, nil, 200},
		{"preflight", preflight, nil, 200},
		{"our page", json, map[string]string{"Origin": "OWN", "Sec-Fetch-Site": "same-origin"}, 200},
		{"typed by the user", json, map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"allowed origin", json, map[string]string{"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}, 200},
		{"form", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, map[string]string{"Origin": "OWN"}, 403},
		{"nothing", nil, nil, 403},
		{"text", map[string]string{"Content-Type": "text/plain;application/json"}, nil, 403},
		{"other origin", json, map[string]string{"Origin": "https://evil.example"}, 403},
		{"hidden origin", preflight, map[string]string{"Origin": "null"}, 403},
		{"same site", json, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"cross site", preflight, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			v := b.signIn(sales)
			header := map[string]string{}
			for _, from := range []map[string]string{c.header, c.also} {
				for name, value := range from {
					header[name] = strings.ReplaceAll(value, "OWN", b.url)
				}
			}
			res, body := v.send(http.MethodPost, b.url+"/auth/logout", header, "{}")
			if res.StatusCode != c.want || c.want == 403 && !strings.Contains(body, "FORBIDDEN") {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if on := v.status()["signedIn"]; on != (c.want == 403) {
				t.Errorf("signedIn %v", on)
			}
		})
	}
}
