// Package session keeps browsers signed in with ERPNext.
//
// A browser holds an opaque id in a cookie and nothing else. Postgres holds, under the
// id's SHA-256, whose session it is and ERPNext's tokens, sealed with a key that is not
// in the database. Each request reads its session's row, so that one that ended has
// ended in every process.
//
// # Sign-in
//
// /auth/login puts what only this browser may come back with (state, nonce and verifier,
// and where to return to) into a sealed cookie of its own and sends the browser to
// ERPNext; nothing is written. /auth/callback wants that cookie, takes each state once,
// redeems the code, and asks ERPNext by a call with the new token whose it is. The
// id_token must name the same user. The session id is always new.
//
// # Refresh
//
// A token is replaced before it ends, or when ERPNext refuses it. Who does it holds a
// lease in the session's row, which says for a generation of tokens that somebody is at
// it; all others, in this process and in others, wait for the next generation. No
// connection of the database is held while ERPNext is asked. Who dies with a lease costs
// the rest of its 15 seconds and nothing else, as ERPNext leaves the old pair valid.
// Therefore the old pair is revoked two minutes later, by the janitor ([Manager.Run]).
// Tokens that were renewed less than half a minute ago are not renewed again.
//
// # How a session ends
//
// By its user, by its age, and by ERPNext: when the user is disabled, when the refresh
// token is refused and the access token is not accepted either, and when ERPNext refuses
// with its own 401 a token that it has just made. Any other no may be a proxy's, or come of
// a mistake in the settings, and counts as an outage. The tokens of a session that ended
// are revoked in any case.
//
// # What is logged
//
// Lines with the message "audit" and the attribute event: sign_in, refused, refresh,
// revoked, sign_out, unrevoked; with user, session (the first 16 hex digits of the id's
// SHA-256), reason and requestId where known. Tokens, codes, states, keys, session ids
// and query strings are in no log and no error.
package session
