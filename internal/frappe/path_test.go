package frappe

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// FuzzPaths checks that no name and no path leads outside of its place, as the site
// sees it, as a proxy that cleans paths sees it, and as one that decodes twice does.
func FuzzPaths(f *testing.F) {
	for _, s := range []string{"/files/a b", "/private/files/%2e%2e/x", "..", "a/../b", "x//y", "/files/..%5cx", "a%2f..", "é?#;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if escaped, err := escapeFilePath(s); err == nil {
			checkInside(t, escaped, s, "/files/", "/private/files/")
			twice, err := url.PathUnescape(s)
			if err == nil && path.Clean(twice) != twice {
				t.Fatalf("%q decoded twice is %q", s, twice)
			}
		}
		if fitsPath(s) {
			checkInside(t, documentByPath(Credential{}, "Customer", s).path, "/api/resource/Customer/"+s, "/api/resource/Customer/")
		}
	})
}

func checkInside(t *testing.T, escaped, want string, prefixes ...string) {
	t.Helper()
	u, err := url.Parse("https://erp.example" + escaped)
	if err != nil {
		t.Fatalf("%q: %v", escaped, err)
	}
	if u.Host != "erp.example" || u.Path != want || u.RawQuery != "" || u.Fragment != "" {
		t.Fatalf("%q is read as %+v", escaped, u)
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(path.Clean(u.Path), prefix) && path.Clean(u.Path) == u.Path {
			return
		}
	}
	t.Fatalf("%q leads to %q", want, path.Clean(u.Path))
}
