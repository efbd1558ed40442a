// Package setup prepares an ERPNext site for erpgraph: it creates, mends and takes back
// the documents that erpgraph needs there, one OAuth Client and the Webhooks that tell of
// changes, and keeps the settings that follow from them in a file.
//
// It reads top-down:
//
//	run.go      what `erpgraph setup` does, step by step; check.go before it begins
//	client.go   the OAuth Client that users sign in with
//	webhook.go  the Webhooks that tell of changes; webhookkey.go by which secret they sign
//	plan.go     documents that should be there, compared with those that are
//	rule.go     what a field should hold
//	apply.go    the differences written; remove.go takes documents back
//	webhookrun.go  hundreds of Webhooks at once: webhookplan.go, webhookapply.go
//	trial.go    one event sent through the whole path
//	envfile.go  the settings merged into a file; envwrite.go puts it in place
//	report.go   what is told, and in which words; webhookreport.go of Webhooks
//
// A second run finds nothing to change and writes nothing. A run that ended early is
// finished by the next: settings are kept before Webhooks are written, and each Webhook
// tells by which secret it signs.
//
// Nothing here logs. Texts go to one writer and settings to another, so that the secret
// of a client is only ever where it was asked for.
package setup
