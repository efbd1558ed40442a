package frappe

import (
	"context"
	"errors"
	"slices"
	"strings"

	"erpgraph/internal/apierror"
)

// WorkflowAction is a step that the caller may take with a document.
type WorkflowAction struct {
	Action string `json:"action"`
	// NextState is the state that the document has afterwards.
	NextState string `json:"next_state"`
}

// WorkflowActions are the steps of the DocType's workflow that the caller's roles allow
// from the state that the document is in, in the workflow's order. There are none where
// the DocType has no active workflow, or the document no state: it was made before the
// workflow was, and Frappe puts it into the first state when it is next saved.
//
// A document that does not exist is NOT_FOUND, one that the caller may not read FORBIDDEN.
func (c *Client) WorkflowActions(ctx context.Context, cred Credential, doctype, name string) ([]WorkflowAction, error) {
	if err := checkDocument(doctype, name); err != nil {
		return nil, err
	}
	r, err := workflowCall(methodSteps, cred, doctype, name, "")
	if err != nil {
		return nil, err
	}
	var all []WorkflowAction
	decode := message(&all, 0)
	err = c.call(ctx, r, func(body []byte) (int, error) {
		_, err := decode(body)
		return len(all), err
	})
	var e *Error
	if errors.As(err, &e) && (e.ExcType == excWorkflowState || e.noWorkflow()) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	actions := make([]WorkflowAction, 0, len(all))
	for _, action := range all { // there is one for each role that the caller has
		if action.Action != "" && !slices.Contains(actions, action) {
			actions = append(actions, action)
		}
	}
	return actions, nil
}

// ApplyWorkflow takes a step with a document: it sets the state, and saves, submits or
// cancels the document as the new state says. [Written.Document] is as it is then. It acts
// on the document as it is stored, whatever the caller has seen of it.
//
// VALIDATION when the step is not one of [Client.WorkflowActions], when the caller made
// the document and may not approve it, and where there is no workflow. Other errors are
// those of [Client.Update].
func (c *Client) ApplyWorkflow(ctx context.Context, cred Credential, doctype, name, action string) (*Written, error) {
	if err := checkDocument(doctype, name); err != nil {
		return nil, err
	}
	if action == "" {
		return nil, apierror.New(apierror.BadUserInput, "which action of the workflow?")
	}
	r, err := workflowCall(methodStep, cred, doctype, name, action)
	if err != nil {
		return nil, err
	}
	r.write = true
	written, err := c.writeDocument(ctx, r, "message")
	var e *Error
	if errors.As(err, &e) && e.noWorkflow() {
		refused := apierror.Wrap(apierror.Validation, err, "there is no workflow for documents of this type")
		return nil, refused.About(doctype, name, "")
	}
	return written, err
}

// noWorkflow tells a workflow that is not found from a document that is not: Frappe looks
// for both by their names, and says that name (model/document.py load_from_db). The words
// around it are translated.
func (e *Error) noWorkflow() bool {
	return e.ExcType == excDoesNotExist && e.Message != "" && !strings.Contains(e.Message, plainText(e.DocName))
}

// workflowCall is a call of model/workflow.py, which loads the document that doc names.
func workflowCall(method string, cred Credential, doctype, name, action string) (request, error) {
	w := newJSONWriter()
	w.beginObject()
	w.key("doc")
	w.beginObject()
	w.key("doctype")
	w.str(doctype)
	w.key("name")
	w.str(name)
	w.endObject()
	if action != "" {
		w.key("action")
		w.str(action)
	}
	w.endObject()
	body, err := w.bytes()
	r := postJSON(method, cred, body)
	r.doctype, r.docname = doctype, name
	return r, err
}
