package frappe_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// site answers by the last part of the path; what it lacks is a 404 of no Frappe.
type site map[string]http.Handler

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, method, _ := strings.Cut(r.URL.Path, "/api/method/")
	handler, found := s[method]
	if !found {
		http.NotFound(w, r)
		return
	}
	handler.ServeHTTP(w, r)
}

const (
	loggedUser = "frappe.auth.get_logged_user"
	getRoles   = "frappe.core.doctype.user.user.get_roles"
	getList    = "frappe.client.get_list"
)

var sally = &frappe.User{Name: "sales@example.com", FullName: "Sally Sales", Roles: []string{"Sales User", "All", "Guest", "Desk User"}}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	who := ok(`{"message": "sales@example.com"}`)
	roles := loadTranscript(t, "296-user-roles").Response
	named := ok(`{"message": [{"full_name": "Sally Sales"}]}`)
	nameless := &frappe.User{Name: sally.Name, FullName: sally.Name, Roles: sally.Roles}
	for name, c := range map[string]struct {
		site site
		want *frappe.User
		code apierror.Code
	}{
		"all is told":                 {site{loggedUser: who, getRoles: roles, getList: named}, sally, ""},
		"may not read users":          {site{loggedUser: who, getRoles: roles, getList: status(403)}, nameless, ""},
		"may not read the field":      {site{loggedUser: who, getRoles: roles, getList: status(417)}, nameless, ""},
		"not in the list":             {site{loggedUser: who, getRoles: roles, getList: ok(`{"message": []}`)}, nameless, ""},
		"the field is left out":       {site{loggedUser: who, getRoles: roles, getList: ok(`{"message": [{"name": "x"}]}`)}, nameless, ""},
		"the name is null":            {site{loggedUser: who, getRoles: roles, getList: ok(`{"message": [{"full_name": null}]}`)}, nameless, ""},
		"the token is unknown":        {site{loggedUser: answer401}, nil, apierror.Unauthenticated},
		"the token ends in between":   {site{loggedUser: who, getRoles: answer401, getList: named}, nil, apierror.Unauthenticated},
		"it ran as Guest":             {site{loggedUser: ok(`{"message": "Guest"}`)}, nil, apierror.Unauthenticated},
		"Guest is refused":            {site{loggedUser: status(403)}, nil, apierror.Unauthenticated},
		"no roles for it":             {site{loggedUser: who, getRoles: status(500), getList: named}, nil, apierror.UpstreamUnavailable},
		"no list for it":              {site{loggedUser: who, getRoles: roles, getList: status(500)}, nil, apierror.UpstreamUnavailable},
		"it is no ERPNext":            {site{}, nil, apierror.UpstreamUnavailable},
		"roles of nothing are no set": {site{loggedUser: who, getRoles: ok(`{"message": null}`), getList: named}, nil, apierror.UpstreamUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, c.site)
			user, err := b.WhoAmI(t.Context(), cred(t))
			if apierror.CodeOf(err) != c.code || !cmp.Equal(user, c.want) {
				t.Errorf("got %+v, %v", user, err)
			}
			if public, _ := apierror.As(err); c.code == apierror.Unauthenticated && !strings.Contains(public.Message, "sign in again") {
				t.Errorf("no hint: %v", err)
			}
		})
	}
}

// Whoever the profile of OpenID names: it is not asked.
func TestWhoAmIAsksTheTokenOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, site{
		loggedUser: ok(`{"message": "a&b?@example.com"}`),
		getRoles:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { roleNamed(r.FormValue("uid")).ServeHTTP(w, r) }),
		getList:    ok(`{"message": []}`),
		"frappe.integrations.oauth2.openid_profile": ok(`{"email": "boss@example.com", "roles": ["System Manager"]}`),
	})
	user, err := b.WhoAmI(t.Context(), cred(t))
	if err != nil || user.Name != "a&b?@example.com" || !cmp.Equal(user.Roles, []string{"a&b?@example.com"}) || b.count() != 3 {
		t.Errorf("got %+v, %v after %d calls", user, err, b.count())
	}
	for _, request := range b.requests {
		if strings.HasSuffix(request.uri, getList) {
			want := []any{[]any{"User", "name", "=", "a&b?@example.com"}}
			if got := request.json(t)["filters"]; !cmp.Equal(got, any(want)) {
				t.Errorf("filters %v", got)
			}
		}
	}
}

func roleNamed(role string) http.Handler { return ok(`{"message": [%q]}`, role) }

// users is a list of users without the one who is asked for.
func users(all string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "x@example.com") {
			ok(`{"message": []}`).ServeHTTP(w, r)
			return
		}
		ok("%s", all).ServeHTTP(w, r)
	})
}

func TestUserEnabled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user    string
		site    http.Handler
		enabled bool
		code    apierror.Code
		calls   int
	}{
		"enabled":              {"x@example.com", ok(`{"message": [{"enabled": 1}]}`), true, "", 1},
		"disabled":             {"x@example.com", ok(`{"message": [{"enabled": 0}]}`), false, "", 1},
		"without a value":      {"x@example.com", ok(`{"message": [{"enabled": null}]}`), false, "", 1},
		"missing":              {"x@example.com", users(`{"message": [{"name": "svc@example.com"}, {"name": "y@example.com"}]}`), false, "", 2},
		"may not read others":  {"x@example.com", users(`{"message": [{"name": "svc@example.com"}]}`), false, apierror.Forbidden, 2},
		"missing, then down":   {"x@example.com", users(`no`), false, apierror.UpstreamUnavailable, 2},
		"may not read users":   {"x@example.com", status(403), false, apierror.Forbidden, 1},
		"may not read enabled": {"x@example.com", ok(`{"message": [{"name": "x@example.com"}]}`), false, apierror.Forbidden, 1},
		"an unknown account":   {"x@example.com", answer401, false, apierror.Unauthenticated, 1},
		"down":                 {"x@example.com", status(500), false, apierror.UpstreamUnavailable, 1},
		"cannot be disabled":   {"Administrator", status(500), true, "", 0},
		"is nobody":            {"Guest", status(500), false, "", 0},
		"has no name":          {"", status(500), false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, c.site)
			enabled, err := b.UserEnabled(t.Context(), cred(t), c.user)
			if enabled != c.enabled || apierror.CodeOf(err) != c.code || b.count() != c.calls {
				t.Errorf("got %t, %v after %d calls", enabled, err, b.count())
			}
			if c.code == apierror.Forbidden && !strings.Contains(err.Error(), "service account lacks the right") {
				t.Errorf("it does not say whose fault it is: %v", err)
			}
		})
	}
}
