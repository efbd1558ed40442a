package setup

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// The last line of what Python writes tells what to look at.
func TestAdvice(t *testing.T) {
	t.Parallel()
	const trace = `"Traceback (most recent call last):\n  File \"webhook.py\", line 150\n`
	for line, want := range map[string]string{
		trace + `requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: http://erpgraph:8080/webhooks/erpnext\n"`:   "signature",
		trace + `requests.exceptions.HTTPError: 405 Client Error: Method Not Allowed for url: http://erpgraph/\n"`:                  "receiver",
		trace + `requests.exceptions.HTTPError: 422 Client Error: UNPROCESSABLE ENTITY for url: http://erpgraph/\n"`:                "understand",
		trace + `requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: http://erpgraph/\n"`:                 "its log",
		trace + `requests.exceptions.ReadTimeout: HTTPConnectionPool(host='erpgraph', port=500): Read timed out. (read timeout=5)"`: "reach",
		trace + `requests.exceptions.ConnectionError: [Errno 111] Connection refused\n"`:                                            "reach",
		`"None"`:             "delivered",
		`"NoneType: None\n"`: "delivered",
		`""`:                 "delivered",
		`null`:               "delivered",
	} {
		if got := advice([]deliveryTry{{failure: lastLine(jsontext.Value(line))}}); !strings.Contains(got, want) {
			t.Errorf("%s: %s", line, got)
		}
	}
	if got := advice(nil); !strings.Contains(got, "workers") {
		t.Errorf("no try: %s", got)
	}
	if got := short(jsontext.Value(`" ` + strings.Repeat("ü", 300) + `"`)); len([]rune(got)) != 201 {
		t.Errorf("%d characters", len([]rune(got)))
	}
}
