package e2e_test

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

const keyHeader = "Idempotency-Key"

// customersNamed counts the customers whose name begins so.
func (b *bundle) customersNamed(t *testing.T, name string) int {
	t.Helper()
	var data struct{ Customers struct{ TotalCount int } }
	b.query(t, manager, `query($like: String!) { customers(where: { name: { like: $like } }) { totalCount } }`, map[string]any{"like": name + "%"}).into(t, &data)
	return data.Customers.TotalCount
}

const createNamed = `mutation($name: String!) { createCustomer(input: { customerName: $name, customerGroup: "Retail", territory: "East" }) { name customer { name creation } } }`

// A retry with the same key gives the same answer and writes nothing, here or in another
// process; another body, and another caller, are another matter.
func TestRetryWithKey(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	second := setup(t, options{beside: b})
	key := map[string]string{keyHeader: "order-4711"}
	name := map[string]any{"name": "Once Only"}
	first := b.send(t, manager, createNamed, name, key)
	first.into(t, new(any))
	for _, process := range []*bundle{b, second} {
		if again := process.send(t, manager, createNamed, name, key); string(again.Data) != string(first.Data) {
			t.Errorf("the retry gave %s, want %s", again.raw, first.Data)
		}
	}
	if n := b.customersNamed(t, "Once Only"); n != 1 {
		t.Errorf("%d customers, want 1", n)
	}
	other := b.send(t, manager, createNamed, map[string]any{"name": "Another"}, key)
	if !slices.Equal(other.codes(), []string{"BAD_USER_INPUT"}) || b.customersNamed(t, "Another") != 0 {
		t.Errorf("another body with the same key: %s", other.raw)
	}
	// The key is the caller's own.
	b.send(t, sales, createNamed, name, key).into(t, new(any))
	if n := b.customersNamed(t, "Once Only"); n != 2 {
		t.Errorf("%d customers, want 2", n)
	}
}

// A key that a field brings itself counts for that field alone; a refusal is repeated
// as it was.
func TestKeyOfOneField(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	mutation := `mutation($key: String!) {
		once: createCustomer(input: { customerName: "Field Once", customerGroup: "Retail", territory: "East" }) @idempotent(key: $key) { name }
		twice: createCustomer(input: { customerName: "Field Twice", customerGroup: "Retail", territory: "East" }) { name }
	}`
	for range 2 {
		b.query(t, manager, mutation, map[string]any{"key": "k1"}).into(t, new(any))
	}
	if once, twice := b.customersNamed(t, "Field Once"), b.customersNamed(t, "Field Twice"); once != 1 || twice != 2 {
		t.Errorf("%d and %d customers, want 1 and 2", once, twice)
	}
	bad := `mutation { createCustomer(input: { customerName: "Refused", customerGroup: "None such", territory: "East" }) @idempotent(key: "k2") { name } }`
	one, two := b.query(t, manager, bad, nil), b.query(t, manager, bad, nil)
	if !slices.Equal(one.codes(), []string{"VALIDATION"}) || !slices.Equal(two.codes(), one.codes()) || one.Errors[0].Message != two.Errors[0].Message {
		t.Errorf("refused by %s, then by %s", one.raw, two.raw)
	}
	for _, key := range []string{"", strings.Repeat("k", 256), "a b", "ä"} {
		if got := b.query(t, manager, mutation, map[string]any{"key": key}); !slices.Contains(got.codes(), "BAD_USER_INPUT") {
			t.Errorf("key %q: %s", key, got.raw)
		}
	}
}

// Requests with one key at the same time: one writes, the others get its answer or are
// told to wait.
func TestKeyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	var mu sync.Mutex
	codes := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := b.send(t, manager, createNamed, map[string]any{"name": "At Once"}, map[string]string{keyHeader: "at-once"})
			mu.Lock()
			defer mu.Unlock()
			codes[strings.Join(got.codes(), ",")]++
		})
	}
	wg.Wait()
	if n := b.customersNamed(t, "At Once"); n != 1 {
		t.Errorf("%d customers, want 1", n)
	}
	if codes[""] == 0 || codes[""]+codes["CONFLICT"] != 8 {
		t.Errorf("answers by code: %v", codes)
	}
}

// The process dies between ERPNext's answer to a write and anything that is kept of it. A
// retry with the same key at another process finds what was written and writes nothing.
func TestKilledAfterTheWrite(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		credential, prepare, mutation string
		check                         func(t *testing.T, b *bundle)
	}{
		"create": {
			mutation: `mutation { createCustomer(input: { customerName: "Killed", customerGroup: "Retail", territory: "East" }) { name customer { name } } }`,
			check: func(t *testing.T, b *bundle) {
				t.Helper()
				if n := b.customersNamed(t, "Killed"); n != 1 {
					t.Errorf("%d customers, want 1", n)
				}
			},
		},
		"update": {
			prepare:  `mutation { createCustomer(input: { customerName: "Killed", customerGroup: "Retail", territory: "East" }) { name } }`,
			mutation: `mutation { updateCustomer(name: "Killed", input: { website: "https://killed.example.com" }) { name customer { website } } }`,
		},
		"delete": {
			credential: admin,
			prepare:    `mutation { createCustomer(input: { customerName: "Killed", customerGroup: "Retail", territory: "East" }) { name } }`,
			mutation:   `mutation { deleteCustomer(name: "Killed") { name } }`,
		},
		"rename": {
			prepare:  `mutation { createCustomer(input: { customerName: "Killed", customerGroup: "Retail", territory: "East" }) { name } }`,
			mutation: `mutation { renameCustomer(name: "Killed", to: "Risen") { name customer { name } } }`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{signIn: true})
			credential := cmp.Or(tt.credential, manager)
			if tt.prepare != "" {
				b.query(t, manager, tt.prepare, nil).into(t, new(any))
			}
			address := freeAddress(t)
			b.process(t, address, dieVariable+"=1", "OPERATION_TIMEOUT=500ms", "UPSTREAM_TIMEOUT=500ms", "UPSTREAM_BUSY=1ms")
			if body := sendTo(t, "http://"+address, credential, tt.mutation, "killed"); body != "" {
				t.Fatalf("the process answered: %s", body)
			}
			b.site.ResetCalls()
			got := retryWhileRunning(t, b, credential, tt.mutation, "killed")
			got.into(t, new(any))
			for _, call := range b.site.Calls() {
				if call.Method != http.MethodGet && !strings.Contains(call.Path, "get_list") && !strings.Contains(call.Path, "has_permission") {
					t.Errorf("the retry wrote: %s %s", call.Method, call.Path)
				}
			}
			if tt.check != nil {
				tt.check(t, b)
			}
		})
	}
}

// sendTo sends a mutation with a key to a process that may end before it answers: "" then.
func sendTo(t *testing.T, address, credential, mutation, key string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": mutation})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", credential)
	req.Header.Set(keyHeader, key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return string(answer)
}

// retryWhileRunning sends a mutation until the process that had begun it is believed dead.
func retryWhileRunning(t *testing.T, b *bundle, credential, mutation, key string) answer {
	t.Helper()
	for {
		got := b.send(t, credential, mutation, nil, map[string]string{keyHeader: key})
		if len(got.Errors) == 0 || got.codes()[0] != "CONFLICT" || got.Errors[0].Extensions["retryAfter"] == nil {
			return got
		}
		if t.Context().Err() != nil {
			t.Fatal("the key is held for ever")
		}
	}
}
