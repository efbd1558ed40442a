package frappe

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of what is kept of an answer's messages.
const (
	maxMessage  = 1000 // bytes of a message, and of all of an error in one text
	maxMessages = 50
	maxMarked   = 20
	maxMark     = 200 // bytes
)

// told is what an answer tells its user.
type told struct {
	// texts are without HTML, and none is empty.
	texts []string
	// marked are the texts that the messages have in bold.
	marked []string
	// thrown says that a message was the reason of an exception (utils/messages.py
	// msgprint with raise_exception), whatever class that has.
	thrown bool
}

// serverMessages reads _server_messages: a JSON list of JSON objects, each a string. What
// is of another shape is passed over, as any app may put messages there.
func serverMessages(raw string) told {
	var t told
	var encoded []string
	if json.Unmarshal([]byte(raw), &encoded) != nil {
		return t
	}
	for _, one := range encoded {
		var message struct {
			Message lenient `json:"message"`
			Raised  any     `json:"raise_exception"`
		}
		if json.Unmarshal([]byte(one), &message) != nil {
			continue
		}
		switch message.Raised {
		case nil, false, 0.0, "":
		default:
			t.thrown = true
		}
		t.add(string(message.Message))
	}
	return t
}

// add takes one message in HTML.
func (t *told) add(message string) {
	text := truncate(plainText(message), maxMessage)
	if text == "" || len(t.texts) == maxMessages {
		return
	}
	t.texts = append(t.texts, text)
	for _, match := range boldText.FindAllStringSubmatch(message, maxMarked) {
		mark := plainText(match[1])
		if mark != "" && len(mark) <= maxMark && len(t.marked) < maxMarked && !slices.Contains(t.marked, mark) {
			t.marked = append(t.marked, mark)
		}
	}
}

// boldText is what frappe.bold makes of labels and values; some messages say <b>.
var boldText = regexp.MustCompile(`(?is)<(?:strong|b)>(.*?)</(?:strong|b)>`)

// text is all messages in one.
func (t *told) text() string { return truncate(strings.Join(t.texts, "\n"), maxMessage) }

// toldBy reads the messages of a success.
func toldBy(members map[string]jsontext.Value) []string {
	var raw lenient
	if json.Unmarshal(members["_server_messages"], &raw) != nil {
		return nil
	}
	return serverMessages(string(raw)).texts
}

// toldByError reads the messages of an error. The exception itself is used only where
// Frappe's own class says that it was raised for the user: others hold SQL and paths. So
// do some of Frappe's, whose argument is what MariaDB or Python said.
func toldByError(body errorBody) told {
	t := serverMessages(string(body.ServerMessages))
	if len(t.texts) > 0 {
		return t
	}
	t.add(string(body.ErrorMessage))
	if len(t.texts) > 0 {
		return t
	}
	class, text, _ := strings.Cut(string(body.Exception), ": ")
	if strings.HasPrefix(class, "frappe.exceptions.") && class != "frappe.exceptions."+excFrappeType && !pythonTuple.MatchString(text) {
		t.add(text)
	}
	return t
}

// pythonTuple is how an exception of several arguments prints: "('Item', 'X', …".
var pythonTuple = regexp.MustCompile(`^\((?:['"]|\d+, )`)
