// Package postgres is the custom app's own store: it opens the database (DATABASE_URL,
// or an embedded server in the data directory), migrates it, and reads and writes rows of
// local types by their descriptors. It also keeps what makes writes upstream safe to
// repeat: idempotency keys (ClaimKey) and the outbox (Tx.AddOutbox).
//
// Reads are typed queries, never SQL from outside: identifiers come from descriptors and
// are quoted, values are parameters always. Each read is one statement, whatever the
// number of rows or parents; rows come back as raw JSON that Postgres' own text became,
// so that a Decimal keeps its digits.
//
// Writes happen in a transaction (InTx), one statement for each row, and store what they
// are given or refuse it: nothing is rounded, cut or converted, but for Floats in
// columns of binary numbers.
//
// Errors that a caller may see are *apierror.Error with the cause kept: BAD_USER_INPUT
// for values that a column can't hold, VALIDATION for what the tables' rules refuse,
// CONFLICT for a transaction that lost against others, UPSTREAM_UNAVAILABLE while the database can't be
// reached, UPSTREAM_TIMEOUT past the deadline.
package postgres
