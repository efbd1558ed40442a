package session

import (
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
)

func TestReturnTo(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{
		"/", "/playground/", "/playground/?tab=2#x", "/a?next=https://example.com//x", "/a%20b", "/%C3%BC", "/100%25", "/authors", "/a:b", "/a@b",
	} {
		if got, err := checkReturnTo(ok); got != ok || err != nil {
			t.Errorf("%q: %q, %v", ok, got, err)
		}
	}
	if got, err := checkReturnTo(""); got != "/" || err != nil {
		t.Errorf("nothing: %q, %v", got, err)
	}
	for _, bad := range []string{
		"https://evil.example/", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, "/\t/evil.example",
		"/\n/evil.example", "\t//evil.example", " //evil.example", "javascript:alert(1)", "data:text/html,x", "http:/evil.example", "evil.example", "?x", "#x", ".",
		"/%0d%0aSet-Cookie:x=1", "/x\r\nSet-Cookie: x=1", "/%00", "/%2f/evil.example", "/%2F%2Fevil.example", "/%5cevil.example", "/%5C%5Cevil.example",
		"/%252f%252fevil.example", "/%255cevil.example", "/.//evil.example", "/..//evil.example/%2e%2e", "/a/..//evil.example", "/%2e%2e/x", "/./x", "/%",
		"/ü", "/ / evil", "/\u2028", "/\x7f", "/auth/login", "/auth/", "/auth", "/%61uth/logout", "/" + strings.Repeat("a", maxReturnTo),
	} {
		got, err := checkReturnTo(bad)
		public, ok := apierror.As(err)
		if got != "" || !ok || public.Code != apierror.BadUserInput || public.Field != "return_to" {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
}

func FuzzReturnTo(f *testing.F) {
	for _, seed := range []string{"/", "//evil.example", `/\evil.example`, "/%2f/evil.example", "/a?b=c#d", "/\t/x", "/..//x"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://app.example.com/auth/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := checkReturnTo(raw)
		if err != nil {
			return
		}
		// As browsers do: without tabs and line ends, and with backslashes as slashes.
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(got)
		to, err := base.Parse(read)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || to.User != nil {
			t.Errorf("%q leads to %v, %v", raw, to, err)
		}
		if strings.ContainsAny(got, "\r\n\x00") || strings.HasPrefix(to.Path, "//") {
			t.Errorf("%q is let through", raw)
		}
	})
}
