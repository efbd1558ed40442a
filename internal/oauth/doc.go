// Package oauth is the client of a Frappe site's OAuth 2.0 server: the authorization
// code flow with PKCE (S256), refresh and revocation, by golang.org/x/oauth2.
//
// What is special about Frappe 15 (frappe/oauth.py, frappe/integrations/oauth2.py):
//
//   - The client's id and secret go into the form; a Basic header is read as an API key
//     pair. The token endpoint does not check the secret, so PKCE and the nonce are what
//     binds a code to the browser that asked for it.
//   - A refresh gives a new pair of tokens and leaves the old pair valid; who replaces a
//     token must revoke it. To revoke an access token ends its refresh token too.
//   - A refresh token that was revoked, or never was, is 404 DoesNotExistError; so is an
//     OAuth Client that was deleted, of which only the text tells.
//   - The id_token is signed by HS256 with the client's secret, which has 10 hex digits.
//     It is checked, and may contradict, but whose token one has says only a call that
//     is made with it.
//   - Answers set cookies of the user Guest, and a cookie beats any other credential:
//     this client has no cookie jar.
//
// No token, code, secret or verifier is ever in an error's text: of an answer that
// failed only the status and Frappe's names of errors are repeated.
package oauth
