package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/frappe"
)

const (
	// trialDocType is of what is made for a trial: a ToDo stands for itself, and nothing is
	// counted, booked or sent by it.
	trialDocType = "ToDo"
	trialEvent   = "after_insert"
	// trialTime is how long an event may take by default. ERPNext tries within some seconds, unless its
	// workers have much to do.
	trialTime = 30 * time.Second
	// cleanTime bounds the deletion at the end, which is made also when the run is over.
	cleanTime = 10 * time.Second
)

// errNoEvent is a trial whose event did not come.
var errNoEvent = errors.New("the event did not come in time")

// try sends one Webhook through the whole path, and tells how long it took, or where it
// was lost.
func (r *run) try(ctx context.Context, user string) (err error) {
	if !slices.ContainsFunc(r.Watched, func(w WatchedDocType) bool { return w.Name == trialDocType }) {
		return &OptionError{"--check", "needs the DocType " + trialDocType + " in the graph, of which it would make one"}
	}
	if r.DryRun {
		r.report.linef("%s: would be made for %q, waited for, and deleted", trialDocType, user)
		r.report.end()
		return nil
	}
	name, err := r.site.makeTrial(ctx, user)
	if err != nil {
		return err
	}
	r.report.linef("%s %s: made, to be deleted", trialDocType, quoted(name))
	defer func() { err = errors.Join(err, r.cleanUp(ctx, name)) }()

	began := time.Now()
	patience := cmp.Or(r.CheckTime, trialTime)
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at, err := r.Await(waiting, trialDocType, name)
	switch {
	case err == nil:
		r.report.linef("its event: in the log after %v, at %s", time.Since(began).Round(10*time.Millisecond), at.UTC().Format(time.RFC3339))
		return nil
	case ctx.Err() != nil || waiting.Err() == nil:
		return fmt.Errorf("wait for the event: %w", err)
	}
	r.report.linef("its event: did not come within %v", patience)
	if err := r.diagnose(ctx, name); err != nil {
		return errors.Join(errNoEvent, err)
	}
	return errNoEvent
}

// makeTrial inserts the document, of the administrator and for nobody else.
func (s site) makeTrial(ctx context.Context, user string) (name string, err error) {
	written, err := s.upstream.Insert(ctx, s.credential, trialDocType, map[string]any{
		"description":  "erpgraph setup --check: a trial, which deletes itself within a minute; it can be deleted at any time.",
		"allocated_to": user,
	})
	if err != nil {
		return "", fmt.Errorf("make a %s: %w", trialDocType, err)
	}
	return text(written.Document["name"]), nil
}

func (r *run) cleanUp(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	if _, err := r.site.upstream.Delete(ctx, r.site.credential, trialDocType, name); err != nil {
		return fmt.Errorf("delete the %s %q, which stays until you do: %w", trialDocType, name, err)
	}
	r.report.linef("%s %s: deleted", trialDocType, quoted(name))
	return nil
}

// diagnose tells how far the event came, by what ERPNext noted.
func (r *run) diagnose(ctx context.Context, name string) error {
	hook := webhooks{app: r.AppName}.name(trialDocType, trialEvent)
	there, err := r.site.webhooks(ctx)
	if err != nil {
		return err
	}
	document, ok := there[hook]
	switch {
	case !ok:
		r.report.linef("  the site has no Webhook %s: run setup without --check", quoted(hook))
		return nil
	case !checked(document["enabled"]):
		r.report.linef("  the Webhook %s is switched off: run setup without --check", quoted(hook))
		return nil
	}
	r.report.linef("  the Webhook %s sends to %s", quoted(hook), quoted(text(document["request_url"])))
	tries, err := r.site.tries(ctx, hook, name)
	if err != nil {
		return err
	}
	for _, t := range tries {
		r.report.linef("  %s", t)
	}
	r.report.linef("  %s", advice(tries))
	return nil
}

// deliveryTry is what ERPNext noted of one try to deliver (Webhook Request Log).
type deliveryTry struct{ at, answer, failure string }

// String tells the end of a try.
func (t deliveryTry) String() string {
	end := "answered"
	if t.failure != "" {
		end = quoted(t.failure)
	}
	if t.answer != "" {
		end += ", " + quoted(t.answer)
	}
	return "tried at " + quoted(t.at) + ": " + end
}

// tries reads what was noted of a document and a Webhook, oldest first. The headers of
// the requests are not read.
func (s site) tries(ctx context.Context, hook, name string) ([]deliveryTry, error) {
	table, err := s.upstream.List(ctx, s.credential, frappe.ListQuery{
		DocType: "Webhook Request Log",
		Columns: []frappe.Column{{Field: "creation"}, {Field: "response"}, {Field: "error"}},
		Filters: []frappe.Filter{
			{Field: "webhook", Op: frappe.OpEq, Value: hook},
			{Field: "reference_document", Op: frappe.OpEq, Value: name},
		},
		OrderBy: []frappe.Order{{Field: "creation"}},
		Limit:   10,
	})
	if err != nil {
		return nil, fmt.Errorf("read the Webhook Request Log: %w", err)
	}
	tries := make([]deliveryTry, 0, len(table.Rows))
	for _, row := range table.Rows {
		tries = append(tries, deliveryTry{at: text(row[0]), answer: short(row[1]), failure: lastLine(row[2])})
	}
	return tries, nil
}

const shortLength = 200

// short is the beginning of a text.
func short(value jsontext.Value) string {
	return cut(strings.TrimSpace(text(value)))
}

// lastLine is the last line of a traceback, which says what went wrong; "" for none.
func lastLine(value jsontext.Value) string {
	trace := strings.TrimRightFunc(text(value), unicode.IsSpace)
	line := cut(strings.TrimSpace(trace[strings.LastIndexByte(trace, '\n')+1:]))
	if line == "None" || line == "NoneType: None" { // what Python writes where nothing was raised
		return ""
	}
	return line
}

func cut(s string) string {
	if runes := []rune(s); len(runes) > shortLength {
		return string(runes[:shortLength]) + "…"
	}
	return s
}

// advice says what to look at, by the last try.
func advice(tries []deliveryTry) string {
	if len(tries) == 0 {
		return "ERPNext has not tried: look whether its background workers run and how much waits for them (RQ Job), and for errors in a Webhook's condition (Error Log)"
	}
	last := tries[len(tries)-1].failure
	if last == "" {
		return "ERPNext delivered it: look whether the serve at that address has the same DATABASE_URL and the same graph"
	}
	status := httpStatus.FindStringSubmatch(last)
	if status == nil {
		return "ERPNext can't reach that address: look at it from the machine of ERPNext's workers"
	}
	switch status[1] {
	case "401":
		return "erpgraph did not accept the signature: start serve with this " + settingHooks + ", or run setup --rotate-webhook-secret"
	case "400", "413", "422":
		return "erpgraph did not understand the body: run setup without --check"
	case "500", "502", "503", "504":
		return "erpgraph, or a proxy before it, could not take it: look at its log, and whether it reaches its database"
	}
	return "what answers there is not erpgraph's receiver: look at the address, and at the proxy before it"
}

// httpStatus finds the status of an answer in an error, such as the HTTPError of Python's
// requests: "…HTTPError: 401 Client Error: Unauthorized for url: …".
var httpStatus = regexp.MustCompile(`: ([1-5][0-9]{2}) [A-Z]`)
