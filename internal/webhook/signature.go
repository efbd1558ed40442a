package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
)

// SignatureHeader holds the base64 of the HMAC-SHA256 of the body's bytes, keyed with the
// Webhook's secret (Frappe 15, integrations/doctype/webhook).
const SignatureHeader = "X-Frappe-Webhook-Signature"

// signature gives the signature of a request: one, of the right length. What is no
// signature is told before the body is looked at.
func signature(h http.Header) (sum []byte, ok bool) {
	values := h.Values(SignatureHeader)
	if len(values) != 1 || len(values[0]) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return nil, false
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(values[0])
	return sum, err == nil && len(sum) == sha256.Size
}

// readSigned reads a body to its end, and tells whether it was signed with one of the
// secrets. It keeps no more than the first keepBody bytes: who can't sign must not be
// able to fill the memory. whole tells that these are all.
func readSigned(body io.Reader, sum []byte, secrets [][]byte) (kept []byte, whole, valid bool, err error) {
	macs := make([]hash.Hash, len(secrets))
	all := make([]io.Writer, len(secrets))
	for i, secret := range secrets {
		macs[i] = hmac.New(sha256.New, secret)
		all[i] = macs[i]
	}
	signed := io.TeeReader(body, io.MultiWriter(all...))
	if kept, err = io.ReadAll(io.LimitReader(signed, keepBody)); err != nil {
		return nil, false, false, err
	}
	rest, err := io.Copy(io.Discard, signed)
	if err != nil {
		return nil, false, false, err
	}
	// Every secret is tried, so that the time does not tell which of them is in use.
	match := 0
	for _, mac := range macs {
		match |= subtle.ConstantTimeCompare(mac.Sum(nil), sum)
	}
	return kept, rest == 0, match == 1, nil
}

// checkSecrets copies the secrets. An empty one would let anybody sign.
func checkSecrets(secrets []string) ([][]byte, error) {
	out := make([][]byte, len(secrets))
	for i, secret := range secrets {
		if secret == "" {
			return nil, errors.New("webhook: a secret is empty")
		}
		out[i] = []byte(secret)
	}
	return out, nil
}
