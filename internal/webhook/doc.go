// Package webhook receives what ERPNext tells of changed documents, and logs it.
//
// It reads top-down:
//
//	handler.go    a delivery from the request to the answer
//	signature.go  is it ERPNext's
//	delivery.go   what it says, and which event that is
//	committer.go  deliveries that come together are committed together
//	stats.go      what is counted
//
// ERPNext sends each delivery up to three times within seconds, and gives up (Frappe 15,
// integrations/doctype/webhook). A delivery carries no id and no time of its own, so one
// that is sent again, by ERPNext or by whoever saw it, can't be told from the first: the
// log must keep one row for what happened, however often it is told. Nothing of a
// document but its identity is read; all else is asked of ERPNext, by those who may.
package webhook
