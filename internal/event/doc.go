// Package event keeps the log of what changed, upstream and in the app's own tables, and
// hands it to those who listen.
//
// # The log
//
// A [Log] is a table of identities: which document, what happened, when. It never holds
// what a document says. Each append locks the log's one head row until its commit, so
// that the order of seq is the order of the commits: who has read up to n has seen all
// that will ever be at or before n. Upstream events come by several ways (a webhook, the
// same webhook once more, catch-up) and are logged once; the SQL function event_twin
// (migrations) is the rule.
//
// # The hub
//
// The [Hub] of a process tails the log and keeps, for each set of DocTypes that is
// listened to, the events that some [Stream] has still to take. A stream is little more
// than a place in that list: it has no goroutine and no queue of its own. What came before
// it was attached is read from the log, page by page.
//
// NOTIFY only wakes the hub. A notification that is lost costs a second, never an event.
package event
