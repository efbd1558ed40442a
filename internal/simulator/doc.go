// Package simulator is an ERPNext 15 small enough to run inside a test: the REST
// surface that erpgraph reads and writes, over documents held in memory.
//
// It imitates behaviour, not recordings. Lists are parsed, checked and run the way
// Frappe and its database would: the filter operators with their treatment of NULL,
// case- and accent-insensitive text, joins of child tables that repeat the parent,
// role permissions, field levels, user permissions and shares, and the holes among
// those that a careful client has to know about. Errors carry the status, class and
// messages of the real server. The replay test holds the package against pairs of
// requests and responses recorded from Frappe 15.44 with ERPNext 15.90.
//
// A request goes through the files in this order:
//
//	call.go, respond.go             the request read, the answer written
//	auth.go, session.go             who is calling
//	authorize.go, oauth.go          OAuth, over the documents of oauthclient.go and oauthtoken.go
//	pages.go, apps.go               login, consent and revocation for a browser
//	resource.go, method.go, v2.go   endpoints; client.go, desk.go, search.go, files.go
//	args.go                         list arguments as Frappe checks them before it builds a query
//	query.go, filter.go, order.go   the arguments compiled against the tables
//	listperm.go, permission.go      what the caller may see
//	plan.go, exec.go, group.go      the query run
//	write.go, rows.go, links.go     documents written; validate.go, fields.go, submitted.go check them
//	single.go                       the one document of a single DocType
//	naming.go, compute.go           what the original's code makes of them; price.go, status.go
//	controllers.go, payment.go      what the code of some DocTypes fills in or refuses; filedoc.go
//	remove.go, rename.go            documents deleted, renamed and merged; backlinks.go
//	workflow.go, mapped.go          functions that write or draft; writemethods.go, bulk.go
//	multipart.go, upload.go, blob.go  files taken in and kept
//	webhook.go, hookdoctypes.go     webhooks as documents; hooktemplate.go their bodies
//	hookfire.go                     which of them a change fires
//	delivery.go, deliver.go         how they are sent; deliveryheap.go, requestlog.go
//	errors.go                       failures as they look on the wire
//
// It is a site to try things on, with passwords and tokens in the open: nothing to let
// others reach over a network.
//
// The data is one immutable snapshot behind an atomic pointer (store.go): readers
// never wait, writers replace it.
package simulator
