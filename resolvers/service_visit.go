package resolvers

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/engine"
	"erpgraph/internal/write"
	"erpgraph/loaders"
)

// Closing a visit spans both worlds: the report is stored here, the invoice is drafted at
// ERPNext. The two can't be one transaction, so the wish for the invoice is stored with the
// report, and carried out at once after; the visit tells by invoiceState what became of it.

const (
	serviceVisit = "ServiceVisit"
	invoiceSlot  = "invoice"
)

// completion are the arguments of completeServiceVisit.
type completion struct {
	ID      string `json:"id"`
	Report  string `json:"report"`
	Invoice bool   `json:"invoice"`
}

// completeVisit closes a visit. A result beside an error is a visit that is closed all the
// same.
//
// A change to the visit itself between reading and closing it is a CONFLICT. One to its
// parts in that moment is not noticed, as they are rows of their own: the invoice, which is
// a draft, bills them as they were read.
//
// Errors: NOT_FOUND and FORBIDDEN as for any write of a visit, VALIDATION for one that is
// closed or cancelled already, or that has nothing to bill, CONFLICT when somebody else
// was quicker.
func completeVisit(ctx context.Context, w *write.Writer, c completion) (*write.Result, error) {
	done, err := w.Replay(ctx, c)
	if err != nil {
		return nil, err
	}
	visit, err := w.Set().Lookup(ctx, serviceVisit, c.ID, "contract", "status", "invoiceState", "updatedAt")
	switch {
	case done != nil && outOfSight(err):
		return done, nil // it was closed; that it is out of sight by now shows in the answer
	case err != nil:
		return done, err
	case done != nil:
		return resumeInvoice(ctx, w, visit, done)
	}
	if err := w.Set().MayWrite(ctx, visit.Type); err != nil {
		return nil, err
	}
	if err := planned(visit); err != nil {
		return nil, err
	}
	var invoice write.Input
	if c.Invoice {
		if invoice, err = invoiceOf(ctx, w.Set(), visit); err != nil {
			return nil, err
		}
	}
	change, err := closing(w, visit, c.Report, invoice)
	if err != nil {
		return nil, err
	}
	result, err := change.Commit(ctx)
	if err != nil || !c.Invoice {
		return result, err
	}
	return draftInvoice(ctx, w, result, invoice)
}

// outOfSight tells whether err is that of a row that the caller does not see.
func outOfSight(err error) bool {
	code := apierror.CodeOf(err)
	return code == apierror.NotFound || code == apierror.Forbidden
}

// planned refuses a visit that can't be closed.
func planned(visit *loaders.Row) error {
	status, err := visit.String("status")
	if err == nil && status != "PLANNED" {
		return invalid(visit, "id", "the visit is %s already", strings.ToLower(status))
	}
	return err
}

// closing is the local part: the visit's own fields, and the wish for its invoice; nil for
// none.
func closing(w *write.Writer, visit *loaders.Row, report string, invoice write.Input) (*write.Change, error) {
	modified, err := visit.String("updatedAt")
	if err != nil {
		return nil, err
	}
	change := w.Change()
	row := change.Update(serviceVisit, visit.Key, write.Input{"status": "DONE", "report": report}).IfUnchanged(modified)
	if invoice != nil {
		change.Outbox(write.OutboxSpec{
			On: row, Slot: invoiceSlot, Create: "Sales Invoice", Input: invoice,
			State: "invoiceState", Problem: "invoiceProblem", Link: "invoice",
		})
	}
	return change, nil
}

// invoiceOf is the draft that bills a visit: the parts that have a rate, or where none has
// one, the contract's item for its monthly fee.
func invoiceOf(ctx context.Context, set *loaders.Set, visit *loaders.Row) (write.Input, error) {
	id, err := visit.String("contract")
	if err != nil {
		return nil, err
	}
	contract, err := set.Lookup(ctx, "ServiceContract", id, "customer", "item", "monthlyFee")
	if err != nil {
		return nil, err
	}
	items, err := partItems(ctx, set, visit)
	if err != nil {
		return nil, err
	}
	fee, err := contract.Float("monthlyFee")
	switch {
	case err != nil:
		return nil, err
	case len(items) == 0 && fee <= 0:
		return nil, invalid(visit, "invoice", "there is nothing to bill: no part has a rate, and the contract has no monthly fee")
	case len(items) == 0:
		items = []any{item(contract.Text("item"), "1", contract.Text("monthly_fee"))}
	}
	return write.Input{
		"customer": contract.Text("customer"),
		"items":    items,
		// Finds the draft again where ERPNext did not confirm it; people find the visit by it.
		"remarks": "Service visit " + visit.Key,
	}, nil
}

// partItems are the items of an invoice for the parts of a visit that have a rate.
func partItems(ctx context.Context, set *loaders.Set, visit *loaders.Row) ([]any, error) {
	parts, err := set.RowsOf(ctx, visit, "parts", "item", "qty", "rate")
	if err != nil {
		return nil, err
	}
	var items []any
	for _, part := range parts {
		if rate := part.Text("rate"); rate != "" {
			items = append(items, item(part.Text("item"), part.Text("qty"), rate))
		}
	}
	return items, nil
}

// item is a row of an invoice; its numbers keep the digits that they are stored with.
func item(code, qty, rate string) map[string]any {
	return map[string]any{"itemCode": code, "qty": json.Number(qty), "rate": json.Number(rate)}
}

// draftInvoice carries out the wish for an invoice. What ERPNext has against it is told by
// the visit. The visit is closed by now: its result stands beside an error too.
func draftInvoice(ctx context.Context, w *write.Writer, result *write.Result, invoice write.Input) (*write.Result, error) {
	draft, err := w.Deliver(ctx, serviceVisit, result.Name, invoiceSlot, invoice)
	if err != nil {
		return result, err
	}
	result.Messages = append(result.Messages, draft.Row.Messages...)
	return result, nil
}

// resumeInvoice ends a request that was cut off before its invoice was drafted.
func resumeInvoice(ctx context.Context, w *write.Writer, visit *loaders.Row, done *write.Result) (*write.Result, error) {
	state, err := visit.String("invoiceState")
	if err != nil || state != write.Pending {
		return done, err
	}
	invoice, err := invoiceOf(ctx, w.Set(), visit)
	if err != nil {
		return done, err
	}
	return draftInvoice(ctx, w, done, invoice)
}

// retryInvoice tries again to draft the invoice of a visit, for what the visit shows now:
// what somebody else asked for then shows nowhere, and may not be what this caller would
// bill. Where it was drafted before, that stays.
func retryInvoice(ctx context.Context, w *write.Writer, id string) (*write.Result, error) {
	visit, err := w.Set().Lookup(ctx, serviceVisit, id, "contract", "invoiceState")
	if err != nil {
		return nil, err
	}
	if err := w.Set().MayWrite(ctx, visit.Type); err != nil {
		return nil, err
	}
	state, err := visit.String("invoiceState")
	if err != nil {
		return nil, err
	}
	var invoice write.Input
	if state == write.Pending || state == write.Failed {
		if invoice, err = invoiceOf(ctx, w.Set(), visit); err != nil {
			return nil, err
		}
	}
	draft, err := w.Deliver(ctx, serviceVisit, visit.Key, invoiceSlot, invoice)
	if err != nil {
		return nil, err
	}
	return draft.Row, nil
}

// showVisit is the payload of a mutation of a visit, with the error of what came after.
func (r *mutationResolver) showVisit(ctx context.Context, result *write.Result, err error) (*engine.Result, error) {
	if result == nil {
		return nil, err
	}
	if err != nil {
		graphql.AddError(ctx, err)
	}
	return r.Engine.Written(ctx, result)
}

func invalid(visit *loaders.Row, field, format string, args ...any) error {
	return apierror.New(apierror.Validation, field+": "+format, args...).About(visit.Type.Key, visit.Key, field)
}
