package oauth

import (
	"time"

	"golang.org/x/oauth2"
)

// VerifyIDToken checks an id_token as Exchange does.
func VerifyIDToken(clientID, secret, idToken, access, nonce string, now time.Time) error {
	s := &settings{oauth: oauth2.Config{ClientID: clientID, ClientSecret: secret}}
	c := &Client{settings: &s, now: func() time.Time { return now }}
	answer := (&oauth2.Token{AccessToken: access}).WithExtra(map[string]any{"id_token": idToken})
	_, err := c.verify(answer, nonce)
	return err
}

// NewTokens are the given tokens.
func NewTokens(access, refresh string, expiry time.Time) *Tokens {
	return newTokens(access, refresh, expiry)
}
