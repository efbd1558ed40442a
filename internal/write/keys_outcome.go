package write

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// outcome is what a key remembers of a write: identity and messages, or the public error
// of a refusal.
type outcome struct {
	Type     string   `json:"type,omitempty"`
	Name     string   `json:"name,omitempty"`
	Names    []string `json:"names,omitempty"`
	Messages []string `json:"messages,omitempty"`
	// Created tells of a document that was made that it is this one, whatever others are
	// called later: its creation, as the site wrote it.
	Created string        `json:"created,omitempty"`
	Error   *outcomeError `json:"error,omitempty"`
}

type outcomeError struct {
	Code       apierror.Code  `json:"code"`
	Message    string         `json:"message"`
	DocType    string         `json:"doctype,omitempty"`
	Name       string         `json:"name,omitempty"`
	Field      string         `json:"field,omitempty"`
	Extensions jsontext.Value `json:"extensions,omitempty"`
}

// Uncertain tells whether err is that of a write of which nobody knows whether it was
// made.
func Uncertain(err error) bool {
	if e, ok := errors.AsType[*frappe.Error](err); ok && e.Uncertain {
		return true
	}
	e, ok := apierror.As(err)
	if !ok {
		return false
	}
	uncertain, _ := e.Extensions["uncertain"].(bool)
	return uncertain
}

// Running tells whether err is that of a write that another request with the same key, or
// for the same outbox, is at, or that ERPNext may be: extensions.retryAfter says when to
// come again.
func Running(err error) bool {
	e, ok := apierror.As(err)
	return ok && e.Code == apierror.Conflict && e.Extensions["retryAfter"] != nil
}

// byChance are refusals that come of what else goes on at the site (exceptions.py).
var byChance = []string{"DocumentLockedError", "QueryDeadlockError"}

// refusal tells whether the same request would be refused again: its content is the
// reason.
func refusal(err error) bool {
	if errors.Is(err, errContended) {
		return false
	}
	if e, ok := errors.AsType[*frappe.Error](err); ok && slices.Contains(byChance, e.ExcType) {
		return false
	}
	switch apierror.CodeOf(err) {
	case apierror.Validation, apierror.Conflict, apierror.Forbidden, apierror.NotFound, apierror.BadUserInput:
		return true
	default:
		return false
	}
}

func outcomeOf(r *Result) outcome {
	o := outcome{Name: r.Name, Names: r.Names, Messages: r.Messages, Created: r.created}
	if r.Type != nil {
		o.Type = r.Type.Key
	}
	return o
}

func newOutcomeError(err error) *outcomeError {
	e, ok := apierror.As(err)
	if !ok {
		return &outcomeError{Code: apierror.Internal}
	}
	o := &outcomeError{Code: e.Code, Message: e.Message, DocType: e.DocType, Name: e.DocName, Field: e.Field}
	if len(e.Extensions) > 0 {
		if b, err := json.Marshal(e.Extensions, json.Deterministic(true)); err == nil {
			o.Extensions = b
		}
	}
	return o
}

func (o *outcomeError) restore() *apierror.Error {
	e := &apierror.Error{Code: o.Code, Message: o.Message, DocType: o.DocType, DocName: o.Name, Field: o.Field}
	if len(o.Extensions) > 0 && json.Unmarshal(o.Extensions, &e.Extensions) != nil {
		e.Extensions = nil
	}
	return e
}
