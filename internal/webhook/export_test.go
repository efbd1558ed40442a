package webhook

import "erpgraph/internal/event"

// Parse reads a body as a Handler does.
func Parse(body []byte) (event.Event, error) { return read(body, true) }

// IsForeign tells an error of JSON that is not ours from others.
func IsForeign(err error) bool {
	_, ok := err.(*foreignError) //nolint:errorlint // it is never wrapped, and that is part of the test
	return ok
}
