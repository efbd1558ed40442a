package oauth_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"erpgraph/internal/oauth"
)

const nonce = "n1"

// claims are those of transcript 483.
func claims() jwt.MapClaims {
	return jwt.MapClaims{
		"aud": clientID, "iat": today.Unix(), "exp": today.Add(time.Hour).Unix(), "nonce": nonce, "at_hash": "R8aEc5AMJyc4T3mZnli3Og",
		"iss": "http://127.0.0.1:8000", "sub": "9c767f1180de012dfdcf2491b00c1af61c4d0ed", "name": "Sally Sales",
		"email": "sales@example.com", "picture": nil, "roles": []string{"Sales User", "All"},
	}
}

// sign makes an id_token, changed as said; a nil value takes a claim away.
func sign(tb testing.TB, change map[string]any) string {
	tb.Helper()
	return signWith(tb, jwt.SigningMethodHS256, []byte(secret), change)
}

func signWith(tb testing.TB, method jwt.SigningMethod, key any, change map[string]any) string {
	tb.Helper()
	c := claims()
	for name, value := range change {
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
	}
	text, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	good := sign(t, nil)
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"good":                   {good, true},
		"no sub":                 {sign(t, map[string]any{"sub": nil}), true},
		"no at_hash":             {sign(t, map[string]any{"at_hash": nil}), true},
		"a clock a minute ahead": {sign(t, map[string]any{"iat": today.Add(time.Minute).Unix()}), true},
		"expired a minute ago":   {sign(t, map[string]any{"exp": today.Add(-time.Minute).Unix()}), true},
		"none":                   {"", false},
		"another secret":         {signWith(t, jwt.SigningMethodHS256, []byte("another"), nil), false},
		"an empty secret":        {signWith(t, jwt.SigningMethodHS256, []byte{}, nil), false},
		"HS512":                  {signWith(t, jwt.SigningMethodHS512, []byte(secret), nil), false},
		"alg none":               {signWith(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), false},
		"no signature":           {parts[0] + "." + parts[1] + ".", false},
		"another's claims":       {parts[0] + "." + strings.Split(sign(t, map[string]any{"email": "manager@example.com"}), ".")[1] + "." + parts[2], false},
		"two parts":              {parts[0] + "." + parts[1], false},
		"nonsense":               {"a.b.c", false},
		"much too long":          {good + strings.Repeat("A", 40<<10), false},
		"another audience":       {sign(t, map[string]any{"aud": "another"}), false},
		"no audience":            {sign(t, map[string]any{"aud": nil}), false},
		"expired":                {sign(t, map[string]any{"exp": today.Add(-time.Hour).Unix()}), false},
		"without an end":         {sign(t, map[string]any{"exp": nil}), false},
		"of the future":          {sign(t, map[string]any{"iat": today.Add(time.Hour).Unix()}), false},
		"without a time":         {sign(t, map[string]any{"iat": nil}), false},
		"another nonce":          {sign(t, map[string]any{"nonce": "n2"}), false},
		"no nonce":               {sign(t, map[string]any{"nonce": nil}), false},
		"another access token":   {sign(t, map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), false},
		"claims of other kinds":  {sign(t, map[string]any{"email": 1}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]answer{"get_token": tokenAnswer(c.token), "revoke_token": {status: 200, body: "{}"}})
			_, err := client(t, s.URL).Exchange(t.Context(), code, verifier, nonce)
			if c.ok {
				if err != nil || len(s.seen()) != 1 {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.Is(err, oauth.ErrUntrusted) || c.token != "" && strings.Contains(err.Error(), c.token[:3]) {
				t.Errorf("%v, want ErrUntrusted", err)
			}
			if calls := s.seen(); len(calls) != 2 || calls[1].Path != "revoke_token" || calls[1].Form.Get("token") != access {
				t.Errorf("the tokens were not revoked: %d calls", len(calls))
			}
		})
	}
	s := serve(t, map[string]answer{"get_token": tokenAnswer(sign(t, map[string]any{"nonce": ""})), "revoke_token": {status: 200, body: "{}"}})
	if _, err := client(t, s.URL).Exchange(t.Context(), code, verifier, ""); !errors.Is(err, oauth.ErrUntrusted) {
		t.Errorf("an empty nonce: %v", err)
	}
}

// The recorded answer of a site is what this client takes (transcript 483; the other
// tokens of that site are long over).
func TestRecordedAnswer(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "token.json"))
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	s := serve(t, map[string]answer{"get_token": {status: 200, body: string(text)}})
	c, err := oauth.New(oauth.Config{
		SiteURL: s.URL + "/sub", ClientID: "iq6hi0sqkd", ClientSecret: "923e37b131", RedirectURL: back,
		Now: func() time.Time { return time.Unix(1795540146, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	got, err := c.Exchange(t.Context(), "EP01Qnsl7T3krzs3zMJRr2KqvgEvPT", "625QThzbCksckhkmg0ryqSUZCcx2yxa2LEEJF-nQx2lwbiqX4f8T9w", nonce)
	if err != nil {
		t.Fatal(err)
	}
	if got.Access() != recorded.Access || got.Refresh() != recorded.Refresh || got.Claims.Email != "sales@example.com" {
		t.Errorf("claims: %+v", got.Claims)
	}
}

func FuzzIDToken(f *testing.F) {
	f.Add(sign(f, nil))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if token == sign(t, nil) {
			return
		}
		if err := oauth.VerifyIDToken(clientID, secret, token, access, nonce, today); err == nil {
			t.Errorf("took %q", token)
		}
	})
}
