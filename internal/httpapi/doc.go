// Package httpapi is the door of erpgraph: the router, GraphQL over HTTP, over WebSocket and
// over streams of events by their specifications, the limits of one operation, what browsers may do
// with a session, the error presenter, the log line of each operation, and health.
//
// It knows a graphql.ExecutableSchema and a few hooks, never resolvers, loaders
// or the upstream client. A request passes, in this order: request id and panic
// guard (router.go) → CORS (cors.go) → content negotiation (negotiate.go) → caller
// (callers.go) and, for a session's cookie, the rules against forgery (csrf.go) →
// idempotency key (idempotency.go) → parameters (request.go), or a form with files
// (upload.go) → a slot (slots.go) → admission → document: size, tokens, shape, validity,
// whole characters, keys that count (document.go, shape.go, unicode.go, idempotent.go) →
// operation: introspection, files, cost, the engine's own plan
// (executor.go, cost.go) → execution → errors made public (errors.go) → what each field
// of a mutation did (outcomes.go) → response (response.go) and one log line (oplog.go).
//
// Files come by the GraphQL multipart request specification: upload.go decides who may
// send some, multipart.go and multipart_map.go read the form, paced_body.go keeps time,
// spool.go stores them on disk, upload_variables.go keeps them where the schema has
// them.
//
// GraphQL over HTTP means https://graphql.github.io/graphql-over-http/draft/.
//
// What stays open is the same from the caller on (live.go): a connection (connection.go,
// its times in clock.go) runs operations (operation.go, subscription.go) and writes their
// results to its channel. One channel is a WebSocket: socket.go answers the handshake,
// socket_conn.go reads and writes, socket_caller.go settles who it is, socket_operation.go
// begins operations, socket_protocol.go has the messages of graphql-transport-ws. The other
// is a stream of events: sse.go for one operation, sse_single.go for many, with their places
// (sse_reservations.go); sse_stream.go writes them in the form of graphql-sse
// (sse_protocol.go). All transports share one graphql.GraphExecutor (executor.go), so
// limits and errors hold for each.
//
// A stream of many operations has its place in one process. Where there are several, all
// requests that name its token must reach the same one; sockets, and streams of one
// operation each, need nothing of that.
package httpapi
