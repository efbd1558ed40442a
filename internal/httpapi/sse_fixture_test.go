package httpapi_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const eventStream = "text/event-stream"

// streamClient reads a stream of events as browsers do, and nothing more.
type streamClient struct {
	t      *testing.T
	status int
	header http.Header
	// events come one by one; the channel is closed at the end of the response.
	events <-chan serverEvent
	leave  context.CancelFunc
}

// serverEvent is one block of a stream. Comments and retry are events without a name.
type serverEvent struct {
	name, id, data, comment, retry string
	hasData                        bool
}

// stream sends a request whose response is read as it comes.
func (b *testBundle) stream(t *testing.T, c call) *streamClient {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/graphql"
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, c.method, b.url+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", eventStream)
	if c.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan serverEvent)
	go func() {
		defer close(events)
		defer response.Body.Close()
		readEvents(ctx, response.Body, events)
	}()
	return &streamClient{t: t, status: response.StatusCode, header: response.Header, events: events, leave: cancel}
}

// subscribe begins an operation with a stream of its own.
func (b *testBundle) subscribe(t *testing.T, document string, header map[string]string) *streamClient {
	t.Helper()
	return b.stream(t, call{body: params(t, document, nil), header: header})
}

// readEvents takes a stream apart, https://html.spec.whatwg.org/multipage/server-sent-events.html.
func readEvents(ctx context.Context, from io.Reader, to chan<- serverEvent) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<24)
	var event serverEvent
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			select {
			case to <- event:
			case <-ctx.Done():
				return
			}
			event = serverEvent{}
		case field == "":
			event.comment = value
		case field == "event":
			event.name = value
		case field == "id":
			event.id = value
		case field == "retry":
			event.retry = value
		case field == "data":
			event.data, event.hasData = event.data+value, true
		}
	}
}

// read gives the next event that a page would see; ok is false at the end.
func (c *streamClient) read() (event serverEvent, ok bool) {
	c.t.Helper()
	for {
		select {
		case event, ok = <-c.events:
			if !ok || event.name != "" {
				return event, ok
			}
		case <-time.After(patience):
			c.t.Fatal("waited in vain")
		}
	}
}

// want reads the next event, which must be this one.
func (c *streamClient) want(name, data string) serverEvent {
	c.t.Helper()
	event, ok := c.read()
	if !ok || event.name != name || event.data != data || !event.hasData {
		c.t.Fatalf("got %+v, %t; want %s %s", event, ok, name, data)
	}
	return event
}

// wantError reads the next event, which must be a result that was not executed.
func (c *streamClient) wantError(prefix, code, part string) {
	c.t.Helper()
	event, ok := c.read()
	if !ok || event.name != "next" || !strings.HasPrefix(event.data, prefix+`{"errors":[`) || strings.Contains(event.data, `"data":`) ||
		!strings.Contains(event.data, `"code":"`+code+`"`) || !strings.Contains(event.data, part) {
		c.t.Fatalf("got %+v, %t; want %s with %q", event, ok, code, part)
	}
}

// wantEnd reads the end of the response, which must come next.
func (c *streamClient) wantEnd() {
	c.t.Helper()
	if event, ok := c.read(); ok {
		c.t.Fatalf("got %+v, want the end", event)
	}
}

// comment reads to the next comment.
func (c *streamClient) comment() string {
	c.t.Helper()
	for {
		if event := await(c.t, c.events); event.comment != "" {
			return event.comment
		} else if event == (serverEvent{}) {
			c.t.Fatal("the stream has ended")
		}
	}
}

// query is the address of an operation by GET.
func query(document string) string { return "/graphql?query=" + url.QueryEscape(document) }
