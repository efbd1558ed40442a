package frappe_test

import (
	"bytes"
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
	c := cred(t)
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
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} { // also those that vet would refuse
		texts = append(texts, fmt.Sprintf(verb, c), fmt.Sprintf(verb, h))
	}
	for _, text := range texts {
		if strings.Contains(text, "sales00secret") || strings.Contains(text, "4a1c0f5be2d1101") {
			t.Errorf("told: %s", text)
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
