package frappe

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"strings"

	"erpgraph/internal/apierror"
)

// maxAuthorization bounds an Authorization header in bytes. Frappe's own tokens
// have 30 characters; signed tokens of a front proxy may have thousands.
const maxAuthorization = 8 << 10

const redacted = "[redacted]"

// Credential is what a caller proves their identity with: an API key pair, an OAuth
// bearer token, or one of a session whose token changes, see [Renewable]. It never
// prints itself; [Credential.Key] stands for it in logs, maps and comparisons. The
// zero Credential is no credential.
type Credential struct {
	// A pointer, because fmt prints unexported strings of an enclosing struct
	// without asking for String, but of a nested pointer only the address.
	secret *secret
}

// secret holds the header, or where a header's token comes from, behind a second
// pointer: on a wrong verb fmt follows one.
type secret struct {
	header *string
	source *TokenSource // nil where header is the whole truth
	key    string
}

// ParseAuthorization reads the value of an Authorization header: "Bearer x",
// "token key:secret" or "Basic base64(key:secret)", the scheme in any case. Basic
// is what Frappe reads as an API key pair too (auth.py), so both give the same
// Credential. Anything else is an UNAUTHENTICATED error, above all what Frappe
// would ignore and run as Guest.
func ParseAuthorization(header string) (Credential, error) {
	if len(header) > maxAuthorization {
		return Credential{}, badAuthorization("it is too long")
	}
	scheme, value, ok := strings.Cut(header, " ")
	if !ok || value == "" || !visibleASCII(value) {
		return Credential{}, badAuthorization("it must be a scheme and one word")
	}
	switch strings.ToLower(scheme) {
	case "bearer":
		return newCredential("Bearer " + value), nil
	case "token":
		return keyPair(value)
	case "basic":
		pair, err := base64.StdEncoding.DecodeString(value)
		if err != nil || !visibleASCII(string(pair)) {
			return Credential{}, badAuthorization("Basic must carry base64 of key:secret")
		}
		return keyPair(string(pair))
	default:
		return Credential{}, badAuthorization("the scheme must be Bearer, token or Basic")
	}
}

// keyPair makes a credential of "key:secret". Frappe splits at every colon and
// treats other than two parts as no credential.
func keyPair(pair string) (Credential, error) {
	key, value, ok := strings.Cut(pair, ":")
	if !ok || key == "" || value == "" || strings.Contains(value, ":") {
		return Credential{}, badAuthorization("an API key must be key:secret")
	}
	return newCredential("token " + pair), nil
}

func newCredential(header string) Credential {
	return Credential{secret: &secret{header: &header, key: keyOf("credential", header)}}
}

// keyOf is the [Credential.Key] of a text; texts of different kinds never share one.
func keyOf(kind, text string) string {
	sum := sha256.Sum256([]byte("erpgraph " + kind + "\x00" + text))
	return hex.EncodeToString(sum[:16])
}

// badAuthorization never quotes the header: it may hold a mistyped secret.
func badAuthorization(why string) error {
	return apierror.New(apierror.Unauthenticated, "the Authorization header can't be used: %s", why)
}

// visibleASCII tells whether s has only characters from '!' to '~': no blanks, no
// control characters, nothing that a proxy could read in two ways.
func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Key stands for the credential where it must be compared, counted or logged: 32
// hex digits of a SHA-256, "" for the zero Credential.
func (c Credential) Key() string {
	if c.secret == nil {
		return ""
	}
	return c.secret.key
}

// IsZero tells whether there is no credential.
func (c Credential) IsZero() bool { return c.secret == nil }

// String hides the credential.
func (c Credential) String() string { return redacted }

// GoString hides the credential from %#v.
func (c Credential) GoString() string { return "frappe.Credential(" + redacted + ")" }

// LogValue logs the Key in place of the credential.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.Key()) }

// MarshalText hides the credential from encoders, of JSON too.
func (c Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON hides the credential.
func (c Credential) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
