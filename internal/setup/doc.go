// Package setup prepares an ERPNext site for erpgraph: it creates, mends and takes back
// the documents that erpgraph needs there, today one OAuth Client, and keeps the settings
// that follow from them in a file.
//
// It reads top-down:
//
//	run.go      what `erpgraph setup` does, step by step; check.go before it begins
//	client.go   the OAuth Client that users sign in with
//	plan.go     documents that should be there, compared with those that are
//	rule.go     what a field should hold
//	apply.go    the differences written; remove.go takes documents back
//	envfile.go  the settings merged into a file; envwrite.go puts it in place
//	report.go   what is told, and in which words
//
// A second run finds nothing to change and writes nothing. A document that another
// feature needs joins the plan as one more document.
//
// Nothing here logs. Texts go to one writer and settings to another, so that the secret
// of a client is only ever where it was asked for.
package setup
