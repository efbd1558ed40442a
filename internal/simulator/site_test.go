package simulator_test

import (
	"os"
	"testing"
	"time"

	"erpgraph/internal/simulator"
)

// siteServer is the recorded site.
func siteServer(tb testing.TB) *simulator.Server {
	tb.Helper()
	now := time.Date(2026, 11, 24, 17, 8, 40, 0, time.UTC)
	s, err := simulator.New(simulator.Options{
		TimeZone: "Asia/Kolkata",
		Data:     os.DirFS("testdata/site"),
		Now:      func() time.Time { return now },
		Users:    siteUsers(),
		Clients: []simulator.OAuthClient{
			{ID: "iq6g6mu54n", Secret: "ec19edaea6", RedirectURI: "http://127.0.0.1:8080/auth/callback", Scopes: "all openid", Trusted: true},
			{ID: "iq6hi0sqkd", Secret: "923e37b131", RedirectURI: "http://127.0.0.1:8080/auth/callback", Scopes: "all openid"},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	for code, challenge := range siteCodes {
		client := "iq6g6mu54n"
		if untrusted[code] {
			client = "iq6hi0sqkd"
		}
		s.AddOAuthCode(simulator.OAuthCode{Code: code, ClientID: client, User: "sales@example.com", Scopes: "all openid", Challenge: challenge})
	}
	return s
}

var passwords = map[string]string{
	"sales@example.com": "Sales#Pass2026", "nobody@example.com": "Nobody#Pass2026", "desk@example.com": "Desk#Pass2026x",
}

// siteSessions are the users of the recording's sessions by their ids.
var siteSessions = map[string]string{
	"6b055486dc46d00a57e1e97ac40b9ec6493e9f763eb2c5af625ebab7": "sales@example.com",
	"9f2a26273264df04cd2ce12d69bfbe91c64980600abc53dcc4e7080d": "sales@example.com",
	"5993291ee1d4e1e0fcb838694dd6f84996c1f5edb4f02dd7d0351208": "nobody@example.com",
}

// siteCodes are the authorization codes of the recording with their challenges;
// the untrusted are of the second client.
var (
	siteCodes = map[string]string{
		"tpKdx5aNGC4Kuesv4jRmBaTEaODHHa": challenge,
		"qrcy3Or7MruMEPrK1OLYsFlVnM4GtD": challenge,
		"8hFI4K5YsGQoantJ20zt7fbj577wup": challenge,
		"XY28SMDyJAlarVaK0GyZKlJ7VxcD7p": challenge,
		"vPAZGEJenC0ozZm18DgevSooOUbIBr": challenge,
		"MzeOruYOH7wmp31w86nSLq4eekgrEH": challenge,
		"iVxGZ3WaFG4kX9I3bV1NKCwJ9Fudwf": challenge,
		"4GvfOEjGEUIsPOwi5tHLQj3F7XAtaS": challenge,
		"IJRO3M2je1ll5lgQM63hDmwYF5xliP": challenge,
		"EP01Qnsl7T3krzs3zMJRr2KqvgEvPT": "HP-n00kDEozrHhIUbZZaSOKtABS93yvwzYG3c8_ebBU",
		"XomX22krmNVLRfMnGgqVCXeuqxFbFI": "vXA4jwVkvjMBXtF9l8ph4HUFOpdSy5eal76TCYgD6c4",
		"7GNPz81LR7Tk3vQ3hbKTxREhFpjNd1": "Lrp3oKQyxmIv0Ygo-GbdOaG-7rXlmtPau9N3WR7WZAA",
	}
	untrusted = map[string]bool{"EP01Qnsl7T3krzs3zMJRr2KqvgEvPT": true, "XomX22krmNVLRfMnGgqVCXeuqxFbFI": true, "7GNPz81LR7Tk3vQ3hbKTxREhFpjNd1": true}
)

const challenge = "chYYKXOts7iHPDRKZOk0TO5ymLA13r3rJnUDfQi8y3s"

// bearers are tokens that were given out on the recorded site.
var bearers = map[string][]string{
	"sales@example.com": {"DlemZ6Cgns5BJUZpZsefNVpmn79pnC"},
	"desk@example.com":  {"u1GHZmmRRvyIM30McjLg0gPG4FczHy"},
}

func siteUsers() []simulator.User {
	secrets := []struct{ name, key, secret string }{
		{"Administrator", "4a1c0f5be2d1100", "admin00secret00a"},
		{"sales@example.com", "4a1c0f5be2d1101", "sales00secret01a"},
		{"sales-north@example.com", "4a1c0f5be2d1102", "north00secret02a"},
		{"sales-two@example.com", "4a1c0f5be2d1103", "twocus0secret03a"},
		{"stock@example.com", "4a1c0f5be2d1104", "stock00secret04a"},
		{"nobody@example.com", "4a1c0f5be2d1105", "nobody0secret05a"},
		{"svc@example.com", "4a1c0f5be2d1106", "svc0000secret06a"},
		{"manager@example.com", "4a1c0f5be2d1107", "manager0secret7a"},
		{"desk@example.com", "4a1c0f5be2d1108", "desk000secret08a"},
		{"svc-full@example.com", "4a1c0f5be2d1109", "svcfull0secret9a"},
	}
	out := make([]simulator.User, len(secrets))
	for i, s := range secrets {
		out[i] = simulator.User{Name: s.name, APIKey: s.key, APISecret: s.secret, Bearer: bearers[s.name], Password: passwords[s.name]}
	}
	return out
}
