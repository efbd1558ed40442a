package session

import (
	"net/url"
	"strings"

	"erpgraph/internal/apierror"
)

// maxReturnTo bounds return_to in bytes: it travels in a cookie, and a browser sends
// all cookies of sign-ins that were begun with every request.
const maxReturnTo = 512

// checkReturnTo gives the path to return to after the sign-in, "/" for "". Whatever a
// browser, or a proxy that decodes once more, could take for another host is refused:
// BAD_USER_INPUT about return_to.
func checkReturnTo(raw string) (string, error) {
	if raw == "" {
		return "/", nil
	}
	if !isLocalPath(raw) {
		refusal := apierror.New(apierror.BadUserInput,
			"return_to must be a path of this site, such as /playground/, of at most %d ASCII characters", maxReturnTo)
		refusal.Field = "return_to"
		return "", refusal
	}
	return raw, nil
}

func isLocalPath(raw string) bool {
	if len(raw) > maxReturnTo || raw[0] != '/' || !plain(raw) {
		return false
	}
	u, err := url.Parse(raw)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	// Path is decoded once; what is still encoded may be decoded by a proxy.
	path := u.Path
	for range 3 {
		if !plainPath(path) {
			return false
		}
		if path, err = url.PathUnescape(path); err != nil {
			break // nobody can
		}
	}
	return true
}

// plain tells whether a text has only visible ASCII and no backslash, which browsers
// read as a slash. They also drop tabs and line ends, wherever they stand.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '\\' {
			return false
		}
	}
	return true
}

// plainPath refuses what is a slash to a browser or ends a header, what could begin with
// a host once dots are resolved, and our own pages for sign-in, which would go round in
// circles.
func plainPath(path string) bool {
	control := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
	if strings.Contains(path, "//") || strings.ContainsFunc(path, control) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return path != "/auth" && !strings.HasPrefix(path, "/auth/")
}
