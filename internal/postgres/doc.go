// Package postgres is the custom app's own store: it opens the database (DATABASE_URL,
// or an embedded server in the data directory), migrates it, and reads rows of local
// types by their descriptors.
//
// Reads are typed queries, never SQL from outside: identifiers come from descriptors and
// are quoted, values are parameters always. Each read is one statement, whatever the
// number of rows or parents; rows come back as raw JSON that Postgres' own text became,
// so that a Decimal keeps its digits.
//
// Errors that a caller may see are *apierror.Error with the cause kept: BAD_USER_INPUT
// for values that a column can't hold, UPSTREAM_UNAVAILABLE while the database can't be
// reached, UPSTREAM_TIMEOUT past the deadline.
package postgres
