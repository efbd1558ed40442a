package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

const secret = "k3y:s3cr3tvalue"

func parse(header string) (auth.Identity, error) {
	return auth.FromHeader(http.Header{"Authorization": {header}})
}

func mustParse(t *testing.T, header string) auth.Identity {
	t.Helper()
	id, err := parse(header)
	if err != nil || id.IsZero() {
		t.Fatalf("%q: %v", header, err)
	}
	return id
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Bearer abc", "bearer abc.DEF-1_2~3+4/5==", "token sales:demo", "TOKEN a:b", "Basic YTpi"} {
		mustParse(t, header)
	}
	for _, header := range []string{
		"", " ", "Bearer", "Bearer ", "Bearer  abc", " Bearer abc", "Bearer abc ", "Bearer a b",
		"Bearer a\tb", "Bearer ä", "token", "token abc", "token a:b:c", "token :b", "token a:", "token a:b c",
		"token a:b\r\nX-Other: 1", "token a:\x00", "token ä:b", "Basic !", "Digest x", "Bearer,abc", "Bearer\tabc",
		"Bearer " + strings.Repeat("a", 9000),
	} {
		id, err := parse(header)
		if apierror.CodeOf(err) != apierror.Unauthenticated || !id.IsZero() {
			t.Errorf("%q: %v, want UNAUTHENTICATED", header, err)
		}
	}
}

func TestFromHeader(t *testing.T) {
	t.Parallel()
	id, err := auth.FromHeader(http.Header{"Cookie": {"sid=abc"}})
	if err != nil || !id.IsZero() {
		t.Errorf("a cookie is no credential: %v, %v", id, err)
	}
	_, err = auth.FromHeader(http.Header{"Authorization": {"Bearer a", "Bearer a"}})
	if apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("two headers: %v, want UNAUTHENTICATED", err)
	}
	_, err = auth.FromHeader(http.Header{"Authorization": {""}})
	if apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("empty header: %v, want UNAUTHENTICATED", err)
	}
}

func TestErrorsDoNotRepeatTheValue(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"token hunter2", "hunter2", "Bearer hunter2 hunter2", "Hunter2 hunter2:x", "token hunter2:a:b"} {
		_, err := parse(header)
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "hunter2") {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestIdentityIsRedacted(t *testing.T) {
	t.Parallel()
	id := mustParse(t, "token "+secret)
	for name, id := range map[string]auth.Identity{"of a header": id, "of a session": auth.OfSession(id.Credential(), "a handle")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRedacted(t, id)
		})
	}
}

func wantRedacted(t *testing.T, id auth.Identity) {
	t.Helper()
	nested := struct{ id auth.Identity }{id}
	exported := struct{ ID auth.Identity }{id}
	byPointer := struct{ ID *auth.Identity }{&id}
	for _, v := range []any{id, &id, nested, &nested, exported, byPointer, []auth.Identity{id}, map[string]auth.Identity{"a": id}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t"} {
			wantClean(t, verb, fmt.Sprintf(verb, v))
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Errorf("json: %v", err)
		}
		wantClean(t, "json", string(encoded))
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "id", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", v)
		wantClean(t, "slog", log.String())
	}
	wantClean(t, "LogID", id.LogID())
}

func wantClean(t *testing.T, how, got string) {
	t.Helper()
	for _, bad := range []string{secret, "s3cr3t", fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%d", []byte("s3cr3t"))} {
		if strings.Contains(got, strings.Trim(bad, "[]")) {
			t.Errorf("%s shows the credential: %s", how, got)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	a, again, b := mustParse(t, "token a:b"), mustParse(t, "token a:b"), mustParse(t, "token a:c")
	if a.Key() != again.Key() || a.Key() == b.Key() || a.LogID() == b.LogID() || len(a.LogID()) != 16 {
		t.Errorf("keys: %s %s %s", a.LogID(), again.LogID(), b.LogID())
	}
	if nobody := (auth.Identity{}); nobody.LogID() != "" || nobody.Key() != "" || !nobody.Credential().IsZero() {
		t.Error("nobody has a credential")
	}
	if of := auth.Of(a.Credential()); of.Key() != a.Key() {
		t.Errorf("Of: %s, want %s", of.Key(), a.Key())
	}
}

// A session's caller has shown a cookie only, whatever its handle is.
func TestSessions(t *testing.T) {
	t.Parallel()
	credential := mustParse(t, "token a:b").Credential()
	for _, handle := range []string{"\x00\xff of any bytes", ""} {
		id := auth.OfSession(credential, handle)
		if !id.FromSession() || id.Session() != handle || id.IsZero() || id.Key() != credential.Key() {
			t.Errorf("%q: %t %q", handle, id.FromSession(), id.Session())
		}
	}
	for _, id := range []auth.Identity{{}, auth.Of(credential)} {
		if id.FromSession() || id.Session() != "" {
			t.Errorf("of a session: %q", id.Session())
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	if _, err := auth.FromContext(t.Context()); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("empty context: %v", err)
	}
	if _, err := auth.FromContext(auth.With(t.Context(), auth.Identity{})); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
	id := mustParse(t, "token a:b")
	got, err := auth.FromContext(auth.With(t.Context(), id))
	if err != nil || got.Key() != id.Key() {
		t.Errorf("FromContext = %v, %v", got, err)
	}
}
