package simulator

import "net/http"

// app is an application that holds tokens of the user.
type app struct {
	ID, Name string
	Since    string // of the oldest token
}

// appsPage lists the applications that hold tokens of the user, each with a form to revoke
// them. Expired and revoked tokens count as well: the original asks for neither.
func (q *call) appsPage() (any, error) {
	if q.user.isGuest() {
		q.status = http.StatusForbidden
		return q.page("message.html", "Not Permitted", "You need to be logged in to access this page.")
	}
	if q.req.Method == http.MethodPost {
		if _, err := q.deleteClient(); err != nil {
			return nil, err
		}
		return redirect{to: "/third_party_apps", status: http.StatusSeeOther}, nil
	}
	var apps []app
	seen := make(map[string]bool)
	for _, t := range q.snap.tokensOf(q.user.name, "") {
		id := t.get("client").s
		client := q.client(id)
		if seen[id] || client == nil || q.arg("app") != "" && q.arg("app") != id {
			continue
		}
		seen[id] = true
		since, _ := parseTime(t.get("creation").s)
		apps = append(apps, app{ID: id, Name: client.get("app_name").s, Since: since.Format("2006-01-02 15:04")})
	}
	return q.page("apps.html", "Third Party Apps", struct {
		User, CSRF string
		Apps       []app
	}{q.user.name, q.csrf, apps})
}

// deleteClient deletes all tokens that a client holds of the caller. Codes stay.
func (q *call) deleteClient() (any, error) {
	return nil, q.transact(func(snap *snapshot) error {
		snap.dropTokens(q.user.name, q.arg("client_id"))
		return nil
	})
}
