package frappe

import (
	"context"
	"regexp"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
)

// Answer is what a server method came back with.
type Answer struct {
	Message  jsontext.Value // nil where the method returns nothing
	Messages []string       // as in [Written]
}

// methodPattern is a function of a module, or a server script of such a name. A path of
// one word is one of Frappe's own commands ("logout", "run_doc_method").
var methodPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)+$`)

// CallMethod calls a whitelisted method of the site, as a write: once. method is its
// dotted path and must come from the configuration, never from a client; args go as JSON.
//
// A method that the site lacks, or does not let be called, is UPSTREAM_UNAVAILABLE with
// [ErrNoMethod] behind it (TX 512–514); one that may be called by GET only is FORBIDDEN,
// as Frappe's answer is that of a missing right. Other errors are those of
// [Client.Insert]. An argument that the method does not have is dropped by Frappe without
// a word, one that it needs and does not get is VALIDATION.
func (c *Client) CallMethod(ctx context.Context, cred Credential, method string, args map[string]any) (*Answer, error) {
	if len(method) > maxName || !methodPattern.MatchString(method) {
		return nil, apierror.New(apierror.BadUserInput, "not the path of a method: %.200q", method)
	}
	body, err := encodeArgs(args)
	if err != nil {
		return nil, err
	}
	r := postJSON(method, cred, body)
	r.write, r.declared = true, true
	answer := &Answer{}
	err = c.call(ctx, r, func(body []byte) (int, error) {
		members, err := decodeObject(body)
		answer.Message, answer.Messages = members["message"], toldBy(members)
		return 0, err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// encodeArgs refuses "cmd", which is Frappe's own name for the method.
func encodeArgs(args map[string]any) ([]byte, error) {
	for name := range args {
		if err := checkField(name); err != nil || name == "cmd" {
			return nil, apierror.New(apierror.BadUserInput, "not the name of an argument: %.200q", name)
		}
	}
	if args == nil {
		args = map[string]any{}
	}
	body, err := json.Marshal(args, json.Deterministic(true))
	if err != nil {
		return nil, apierror.Wrap(apierror.BadUserInput, err, "an argument can't be written as JSON")
	}
	return body, nil
}
