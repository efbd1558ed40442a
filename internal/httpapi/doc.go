// Package httpapi is the door of erpgraph: the router, GraphQL over HTTP by its
// specification, the limits of one operation, the error presenter, the log line
// of each operation, and health.
//
// It knows a graphql.ExecutableSchema and a few hooks, never resolvers, loaders
// or the upstream client. A request passes, in this order: request id and panic
// guard (router.go) → content negotiation (negotiate.go) → credential → a slot
// (slots.go) → parameters (request.go) → document: size, tokens, shape,
// validity (document.go, shape.go) → operation: introspection, cost, the
// engine's own plan (executor.go, cost.go) → execution → errors made public
// (errors.go) → response (response.go) and one log line (oplog.go).
//
// GraphQL over HTTP means https://graphql.github.io/graphql-over-http/draft/.
// WebSocket and SSE are not served yet; their transports take the same
// graphql.GraphExecutor (executor.go), so limits and errors hold for them too.
package httpapi
