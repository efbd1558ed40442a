package event

import (
	"strings"
	"time"
	"unicode/utf8"

	"erpgraph/internal/apierror"
)

// Kind says what happened to a document or row.
type Kind string

// The kinds of events.
const (
	Created   Kind = "CREATED"
	Updated   Kind = "UPDATED"
	Submitted Kind = "SUBMITTED"
	Cancelled Kind = "CANCELLED"
	Deleted   Kind = "DELETED"
	Renamed   Kind = "RENAMED"
)

// Source says how an event was learnt of.
type Source string

// The sources of events.
const (
	Webhook Source = "WEBHOOK"
	Catchup Source = "CATCHUP"
	Local   Source = "LOCAL"
)

// Event is one change: identity only, never content.
type Event struct {
	// Seq is its place in the log: 1, 2, 3 in commit order without gaps. 0 before it is logged.
	Seq int64
	// DocType and Name say which document. For a local row they are the Key of its type, such
	// as "ServiceContract", and its id.
	DocType, Name string
	Kind          Kind
	// Previous is the old name of a RENAMED, and "" of any other.
	Previous string
	// Modified is the document's, in the layout ModifiedLayout; "" for local rows, and for
	// deletions that catch-up found. Of a RENAMED it is the creation of the Comment that tells
	// it.
	Modified string
	Source   Source
	// Vanished tells upkeep that a DELETED says no more than that the document is not there:
	// nobody knows whether it was deleted, or got another name. It is not kept.
	Vanished bool
	// At is when it was logged, by the database's clock, in UTC.
	At time.Time
}

// ModifiedLayout is how the log writes the site's timestamps: naive, in the site's zone,
// so that the order of the texts is that of the times.
const ModifiedLayout = "2006-01-02 15:04:05.000000"

// NormalModified brings a timestamp as Frappe writes it (with a blank or a T, and without
// a fraction where that is zero) into ModifiedLayout. Error: BAD_USER_INPUT with the field
// "modified".
func NormalModified(text string) (string, error) {
	if len(text) <= len(ModifiedLayout) {
		for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05"} {
			if t, err := time.Parse(layout, text); err == nil { // takes a fraction, too
				return t.Format(ModifiedLayout), nil
			}
		}
	}
	return "", invalid("modified", "is not a timestamp of the site")
}

// maxName bounds a name or DocType, in bytes: Frappe itself allows 140 characters
// (VARCHAR_LEN in frappe/database/database.py), which are at most 560 bytes. An index of
// Postgres holds the three texts of a version only up to 2,704 bytes.
const maxName = 1024

// Check tells whether an event can be logged at all. Whoever logs the events of several
// senders together checks each one before, lest one spoil it for all. Error:
// BAD_USER_INPUT, whose field is "doctype", "name", "kind", "previous", "modified" or
// "source".
func Check(e Event) error {
	if err := checkText("doctype", e.DocType); err != nil {
		return err
	}
	if err := checkText("name", e.Name); err != nil {
		return err
	}
	switch e.Kind {
	case Created, Updated, Submitted, Cancelled, Deleted:
		if e.Previous != "" {
			return invalid("previous", "belongs to a RENAMED")
		}
	case Renamed:
		if err := checkText("previous", e.Previous); err != nil {
			return err
		}
	default:
		return invalid("kind", "is not known")
	}
	return checkModified(e)
}

// checkModified wants a timestamp wherever the log compares by it: without one, all later
// changes of a document would be taken for the first.
func checkModified(e Event) error {
	switch e.Source {
	case Local:
		if e.Modified != "" {
			return invalid("modified", "is of no use for a local row")
		}
		return nil
	case Catchup:
		if e.Kind == Deleted && e.Modified == "" {
			return nil
		}
	case Webhook:
	default:
		return invalid("source", "is not known")
	}
	if normal, err := NormalModified(e.Modified); err != nil || normal != e.Modified {
		return invalid("modified", "is not a timestamp of the site")
	}
	return nil
}

func checkText(field, s string) error {
	switch {
	case s == "":
		return invalid(field, "is empty")
	case len(s) > maxName:
		return invalid(field, "is too long")
	case !utf8.ValidString(s), strings.ContainsRune(s, 0):
		return invalid(field, "is not a text that the database can hold")
	default:
		return nil
	}
}

func invalid(field, problem string) error {
	return apierror.New(apierror.BadUserInput, "the event's %s %s", field, problem).About("", "", field)
}
