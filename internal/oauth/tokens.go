package oauth

import (
	"fmt"
	"log/slog"
	"time"
)

// Tokens are what a site gave for a code or a refresh token. They print as
// "[redacted]" in every format, log and encoding.
type Tokens struct {
	// Behind two pointers: fmt follows one, without asking for String, when the field
	// of a foreign struct gets a wrong verb.
	pair **pair
	// Expiry is when the access token ends, by the client's clock.
	Expiry time.Time
	// Claims are those of the id_token; nil after a refresh, which gives none.
	Claims *Claims
}

type pair struct{ access, refresh string }

func newTokens(access, refresh string, expiry time.Time) *Tokens {
	p := &pair{access, refresh}
	return &Tokens{pair: &p, Expiry: expiry}
}

// Access is the access token.
func (t *Tokens) Access() string { return (*t.pair).access }

// Refresh is the refresh token.
func (t *Tokens) Refresh() string { return (*t.pair).refresh }

// Format never shows the tokens.
func (Tokens) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue never shows the tokens.
func (Tokens) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText covers encodings.
func (Tokens) MarshalText() ([]byte, error) { return []byte(redacted), nil }
