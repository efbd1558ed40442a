package frappe_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

func TestParseAuthorization(t *testing.T) {
	t.Parallel()
	good := map[string]string{ // header → another header of the same credential
		"token key:secret":       "TOKEN key:secret",
		"Basic a2V5OnNlY3JldA==": "token key:secret",
		"Bearer abc.def-_~+/==":  "bearer abc.def-_~+/==",
	}
	for header, same := range good {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			a, err := frappe.ParseAuthorization(header)
			if err != nil {
				t.Fatal(err)
			}
			b, err := frappe.ParseAuthorization(same)
			if err != nil {
				t.Fatal(err)
			}
			if a.IsZero() || len(a.Key()) != 32 || a.Key() != b.Key() {
				t.Errorf("keys %q and %q", a.Key(), b.Key())
			}
		})
	}
	bad := []string{
		"", " ", "token", "token ", "token key", "token key:", "token :secret", "token a:b:c",
		"token  key:secret", " token key:secret", "token key:secret ", "token key:secret more",
		"token\tkey:secret", "token key:secret\r\nX-Evil: 1", "token key:sec\x00ret", "token key:sécret",
		"Bearer", "Bearer a b", "Bearer é", "Digest abc", "Basic %%%", "Basic bm9jb2xvbg==", "Basic YTpiOmM=",
		"Basic a2V5OnNlYyByZXQ=", "Bearer " + strings.Repeat("x", 9000),
	}
	for _, header := range bad {
		t.Run(fmt.Sprintf("%.30q", header), func(t *testing.T) {
			t.Parallel()
			c, err := frappe.ParseAuthorization(header)
			if apierror.CodeOf(err) != apierror.Unauthenticated || !c.IsZero() {
				t.Fatalf("got %v, %v", c, err)
			}
			if _, value, _ := strings.Cut(header, " "); len(value) > 8 && strings.Contains(err.Error(), value) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestCredentialHides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]frappe.Credential{
		"of a header":  cred(t),
		"of a session": frappe.Renewable("session", fixed("4a1c0f5be2d1101-sales00secret")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkHidden(t, c)
		})
	}
}

func checkHidden(t *testing.T, c frappe.Credential) {
	t.Helper()
	type holder struct {
		Name  string
		inner frappe.Credential
		Outer frappe.Credential
	}
	h := holder{"h", c, c}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "cred", c, "holder", h)
	encoded, err := json.Marshal(map[string]any{"c": c, "h": h})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{fmt.Sprint(c), fmt.Sprintf("%+v", &h), logged.String(), string(encoded)}
	for verb := rune('A'); verb <= 'z'; verb++ { // also those that vet would refuse
		for _, flag := range []string{"", "+", "#", " "} {
			format := "%" + flag + string(verb)
			texts = append(texts, fmt.Sprintf(format, c), fmt.Sprintf(format, h), fmt.Sprintf(format, &h), fmt.Sprintf(format, []any{c, h}))
		}
	}
	for _, text := range texts {
		for _, secret := range []string{"sales00secret", "4a1c0f5be2d1101"} {
			if strings.Contains(text, secret) || strings.Contains(strings.ToLower(text), hex.EncodeToString([]byte(secret))) {
				t.Errorf("told: %s", text)
			}
		}
	}
	if !strings.Contains(logged.String(), c.Key()) {
		t.Errorf("the log does not tell the key: %s", logged.String())
	}
}

func FuzzParseAuthorization(f *testing.F) {
	for _, header := range []string{testHeader, "Bearer x", "Basic a2V5OnNlY3JldA==", "token a b", "Basic =", ""} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := frappe.ParseAuthorization(header)
		if (err == nil) == c.IsZero() {
			t.Fatalf("%q: %v, %v", header, c, err)
		}
		if err == nil && strings.Count(header, " ") != 1 {
			t.Fatalf("%q is not two words", header)
		}
		if err != nil && apierror.CodeOf(err) != apierror.Unauthenticated {
			t.Fatalf("%q: %v", header, err)
		}
	})
}
