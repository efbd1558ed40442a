package origin_test

import (
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/origin"
)

// Browsers write an origin in one way only, people do not.
func TestOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://graph.example.com":              "https://graph.example.com",
		"https://Graph.Example.COM/path?q#f":     "https://graph.example.com",
		"HTTPS://graph.example.com":              "https://graph.example.com",
		"https://u:p@graph.example.com":          "https://graph.example.com",
		"https://graph.example.com:443":          "https://graph.example.com",
		"https://graph.example.com:0443":         "https://graph.example.com",
		"https://graph.example.com:":             "https://graph.example.com",
		"https://graph.example.com:80":           "https://graph.example.com:80",
		"https://graph.example.com:08443/":       "https://graph.example.com:8443",
		"https://graph.example.com:0":            "https://graph.example.com:0",
		"http://127.0.0.1:80":                    "http://127.0.0.1",
		"http://LOCALHOST:8080":                  "http://localhost:8080",
		"http://[0:0:0:0:0:0:0:1]:8080":          "http://[::1]:8080",
		"https://[2001:DB8::0:1]":                "https://[2001:db8::1]",
		"https://[::ffff:192.0.2.1]":             "https://[::ffff:c000:201]",
		"https://xn--mnchen-3ya.example":         "https://xn--mnchen-3ya.example",
		"https://4.example":                      "https://4.example",
		"https://graph.0xample":                  "https://graph.0xample",
		"https://example.com.":                   "https://example.com.",
		"https://münchen.example":                "",
		"https://m%C3%BCnchen.example":           "",
		"https://*.example.com":                  "",
		"https://graph.example.com:65536":        "",
		"https://[fe80::1%25eth0]":               "",
		"http://127.1":                           "",
		"http://0x7f.0.0.0x1":                    "",
		"http://2130706433":                      "",
		"http://127.0.0.01":                      "",
		"http://127.0.0.1.":                      "",
		"https://:8080":                          "",
		"https://":                               "",
		"ftp://graph.example.com":                "",
		"file:///etc/passwd":                     "",
		"graph.example.com":                      "",
		"javascript:alert(1)//graph.example.com": "",
		"null":                                   "",
		"":                                       "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := origin.Of(u); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
		if want != "" && !origin.Is(want) {
			t.Errorf("%q is none", want)
		}
		if address != want && origin.Is(address) {
			t.Errorf("%q is one", address)
		}
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "*", "https://a.example/", "https://a.example ", "https://a.example https://b.example", "https://a.example\n", "https://a.example:99999999999999999999", "%"} {
		if origin.Is(text) {
			t.Errorf("%q is one", text)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.9.8.7": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "127.1": false, "[::1]": false, "10.0.0.1": false,
	} {
		if got := origin.IsLoopback(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

// An origin is that of itself, in ASCII, and begins what browsers could take for another
// host in no case.
func FuzzOf(f *testing.F) {
	for _, seed := range []string{"https://a.example:8443", "http://[::1]", "https://münchen.example", "https://a@b:0443", "http://[::ffff:1.2.3.4]:80"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		got := origin.Of(u)
		if got == "" {
			return
		}
		if !origin.Is(got) || strings.ToLower(got) != got || strings.ContainsAny(strings.SplitN(got, "://", 2)[1], "/?#@\\% \t\r\n") {
			t.Errorf("%q: %q", address, got)
		}
	})
}
