// Package migrations holds the SQL of the custom app's tables, numbered, each file in
// goose's format. They run when the server starts (postgres.Migrate). A file that has
// run anywhere is never edited: a change is a new file.
package migrations

import "embed"

// FS holds the migrations: NNNNN_name.sql.
//
//go:embed *.sql
var FS embed.FS
