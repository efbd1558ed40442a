package setup

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	fieldHeaders = "webhook_headers"
	fieldSecret  = "webhook_secret"
	// headerKey tells by which secret a Webhook signs. A site never shows a secret again, so
	// without it a run could not know whether an earlier one came this far.
	headerKey = "X-Erpgraph-Secret-Id"
)

// webhookKey is the secret that Webhooks sign with. It is the rule of the field that holds
// it, which a site shows as so many asterisks.
type webhookKey string

// newWebhookKey makes a secret of 256 bits.
func newWebhookKey() webhookKey {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	return webhookKey(base64.RawURLEncoding.EncodeToString(secret[:]))
}

// id tells the secret from others and gives nothing away: who reads it could as well
// guess by a signature.
func (k webhookKey) id() string {
	sum := sha256.Sum256([]byte("erpgraph webhook secret\x00" + string(k)))
	return hex.EncodeToString(sum[:8])
}

// mend wants a secret of this length: all that can be seen of it. See secretWritten
// for the rest.
func (k webhookKey) mend(current jsontext.Value) (any, bool) {
	mask := strings.Repeat("*", len([]rune(k)))
	return string(k), current == nil || text(current) != mask
}

// show tells that there is one.
func (webhookKey) show(value jsontext.Value) string {
	if text(value) == "" {
		return "nothing"
	}
	return "a secret"
}

// headers are those of a Webhook that signs with the key.
func (k webhookKey) headers() headersHold {
	return headersHold{{"Content-Type", "application/json"}, {headerKey, k.id()}}
}

// secretWritten adds the secret to the change of a Webhook that signs by another one.
func (k webhookKey) secretWritten(c change) change {
	has := func(name string) bool {
		return slices.ContainsFunc(c.fields, func(f fieldChange) bool { return f.name == name })
	}
	if keyID(c.current[fieldHeaders]) != k.id() && !has(fieldSecret) {
		c.fields = append(c.fields, fieldChange{name: fieldSecret, old: "another secret", new: "a secret", value: string(k)})
	}
	return c
}

// keyID is the id in the headers of a Webhook, "" where erpgraph made none.
func keyID(headers jsontext.Value) string {
	for _, row := range headerRows(headers) {
		if strings.EqualFold(row.Key, headerKey) {
			return row.Value
		}
	}
	return ""
}

// header is a row of the table of a Webhook's headers.
type header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// headersHold is a table of headers that has these, each once. Others, which a proxy on
// the way may need, stay. A table is written whole.
type headersHold []header

// mend puts these first.
func (h headersHold) mend(current jsontext.Value) (any, bool) {
	rows := slices.Clone(h)
	var ours headersHold
	for _, row := range headerRows(current) {
		if h.names(row.Key) {
			ours = append(ours, row)
		} else {
			rows = append(rows, row)
		}
	}
	return rows, current == nil || !slices.Equal(ours, h)
}

func (h headersHold) names(key string) bool {
	return slices.ContainsFunc(h, func(row header) bool { return strings.EqualFold(row.Key, key) })
}

// show gives the values of these alone: others may be secrets.
func (h headersHold) show(value jsontext.Value) string {
	var parts []string
	for _, row := range headerRows(value) {
		if h.names(row.Key) {
			parts = append(parts, row.Key+": "+row.Value)
		} else {
			parts = append(parts, row.Key)
		}
	}
	if len(parts) == 0 {
		return quoted("")
	}
	return quotedList(parts)
}

func headerRows(table jsontext.Value) []header {
	var rows []header
	if json.Unmarshal(table, &rows) != nil {
		return nil // NULL or no table: no rows
	}
	return rows
}

// webhookSecrets reads the setting of that name: secrets between commas, the newest first.
func webhookSecrets(value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	secrets := strings.Split(value, ",")
	for i, secret := range secrets {
		secrets[i] = strings.TrimSpace(secret)
		if secrets[i] == "" {
			return nil, &OptionError{settingHooks, "has an empty secret, with which anybody could sign; separate secrets by one comma"}
		}
	}
	if slices.ContainsFunc(secrets, func(s string) bool { return strings.Trim(s, "*") == "" || !plainValue(s) }) {
		return nil, &OptionError{settingHooks, "has characters that not every reader of a file of settings takes as they are"}
	}
	return secrets, nil
}
