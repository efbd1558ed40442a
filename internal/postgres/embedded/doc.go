// Package embedded runs a PostgreSQL server as a child process, over files in a data
// directory, so that erpgraph can be tried without a database of one's own.
//
// The binaries are those that the module github.com/fergusstrange/embedded-postgres
// fetches, checks and unpacks, kept in the user's cache directory. initdb and postgres are
// run from here rather than by that module, because it can't start them as another user,
// and PostgreSQL refuses to run as root.
//
// The server listens on 127.0.0.1 only, on a free port that is kept between starts, and
// asks for a generated password that only the owner of the data directory can read.
package embedded
