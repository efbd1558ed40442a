package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
)

// clockLeeway is how far the site's clock may be from ours.
const clockLeeway = 2 * time.Minute

// maxIDToken bounds an id_token in bytes; Frappe's have less than 1 kB and the names of
// the user's roles.
const maxIDToken = 32 << 10

// Claims are what an id_token says of its user, as far as anybody reads it.
type Claims struct {
	// Email is the user's; but for Administrator it is the user's name too.
	Email string
}

type idClaims struct {
	jwt.RegisteredClaims
	Nonce  string `json:"nonce"`
	AtHash string `json:"at_hash"`
	Email  string `json:"email"`
}

// verify checks the id_token of an answer: signed by HS256 with the client's secret,
// for this client, in time, for this nonce and this access token. Frappe's "iss" is the
// address that the request came to, which in a cluster is nobody's public one: the
// secret is what tells the issuer.
func (c *Client) verify(answer *oauth2.Token, nonce string) (*Claims, error) {
	text, _ := answer.Extra("id_token").(string)
	if text == "" || len(text) > maxIDToken {
		return nil, fmt.Errorf("%w: there is none", ErrUntrusted)
	}
	cfg := &(*c.settings).oauth
	var claims idClaims
	_, err := jwt.ParseWithClaims(text, &claims,
		func(*jwt.Token) (any, error) { return []byte(cfg.ClientSecret), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithAudience(cfg.ClientID),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(clockLeeway), jwt.WithTimeFunc(c.now),
		jwt.WithStrictDecoding(),
	)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %s", ErrUntrusted, reason(err))
	case claims.IssuedAt == nil:
		return nil, fmt.Errorf("%w: it does not say when it was issued", ErrUntrusted)
	case nonce == "" || !equal(claims.Nonce, nonce):
		return nil, fmt.Errorf("%w: it answers another request", ErrUntrusted)
	case claims.AtHash != "" && !equal(claims.AtHash, atHash(answer.AccessToken)):
		return nil, fmt.Errorf("%w: it belongs to another access token", ErrUntrusted)
	}
	return &Claims{Email: claims.Email}, nil
}

// equal compares without telling by its time how much was right.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// atHash is the left half of the token's SHA-256 (OpenID Connect Core, 3.1.3.6).
func atHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}

// reason names what is wrong in words of ours: the parser's may quote the token.
func reason(err error) string {
	for _, known := range []error{
		jwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenExpired, jwt.ErrTokenUsedBeforeIssued,
		jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidAudience, jwt.ErrTokenRequiredClaimMissing, jwt.ErrTokenUnverifiable,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "it is not valid"
}
