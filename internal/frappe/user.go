package frappe

import (
	"context"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"erpgraph/internal/apierror"
)

// Administrator is the one user whose name is not the email address, and who has all
// roles. It is the user that can't be disabled (core/doctype/user/user.py
// check_enable_disable), and that lists of User show to nobody else
// (get_permission_query_conditions).
const Administrator = "Administrator"

// User is one user of the site.
type User struct {
	Name     string // of the document: the email address, or Administrator
	FullName string
	// Roles are all that count, the implicit ones ("All", "Guest", "Desk User") included.
	Roles []string
}

// WhoAmI is the user that the credential stands for, by three calls. Who it is comes
// from [Client.LoggedUser] alone, and the rest is asked for that name: what OpenID's
// userinfo says is a profile, its email is not the user's name, and a token works without
// the scope for it.
//
// A user whom ERPNext does not let read their own full name is called by the name.
// UNAUTHENTICATED when ERPNext does not know the credential; a disabled user's works,
// see [Client.UserEnabled].
func (c *Client) WhoAmI(ctx context.Context, cred Credential) (*User, error) {
	name, err := c.LoggedUser(ctx, cred)
	if err != nil {
		return nil, err
	}
	user := &User{Name: name}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		var err error
		user.Roles, err = c.Roles(ctx, cred, name)
		return err
	})
	group.Go(func() error {
		var err error
		user.FullName, err = c.fullName(ctx, cred, name)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return user, nil
}

// fullName asks by a list, which holds what is asked and no more. Users may read
// themselves because Frappe shares every User document with its user (user.py
// share_with_self); an administrator may have taken that away.
func (c *Client) fullName(ctx context.Context, cred Credential, user string) (string, error) {
	cell, _, err := c.userField(ctx, cred, user, "full_name")
	switch apierror.CodeOf(err) {
	case "":
	case apierror.Forbidden, apierror.NotFound, apierror.Validation:
		return user, nil
	default:
		return "", err
	}
	var name string
	if json.Unmarshal(cell, &name) != nil || name == "" {
		return user, nil //nolint:nilerr // who may not read it has no other name
	}
	return name, nil
}

// UserEnabled tells whether the user may sign in, by the list of users that the service
// account sees; a user who is not in it may not. Frappe itself asks only at the login by
// password: API keys and tokens of a disabled user go on working (auth.py).
//
// FORBIDDEN means that the service account may not read users, UNAUTHENTICATED that
// ERPNext does not know the service account: neither says anything about the user.
func (c *Client) UserEnabled(ctx context.Context, service Credential, user string) (bool, error) {
	switch user {
	case "", guest:
		return false, nil
	case Administrator:
		return true, nil
	}
	cell, found, err := c.userField(ctx, service, user, "enabled")
	if err == nil && !found {
		err = c.seesUsers(ctx, service)
	}
	switch {
	case apierror.CodeOf(err) == apierror.Forbidden:
		return false, apierror.Wrap(apierror.Forbidden, err, "the service account lacks the right to read users")
	case err != nil:
		return false, err
	case !found:
		return false, nil
	case cell == nil: // left out: above its permlevel, or it has "select" only
		return false, apierror.New(apierror.Forbidden, "the service account lacks the right to read whether users are enabled")
	}
	return string(cell) == "1", nil
}

// seesUsers is FORBIDDEN for an account whose list of users holds itself alone. Whoever
// may not read users gets such a list, and no error, as their own document is shared
// with them: all others would seem to be missing.
func (c *Client) seesUsers(ctx context.Context, service Credential) error {
	table, err := c.List(ctx, service, ListQuery{DocType: "User", Columns: []Column{{Field: "name"}}, Limit: 2})
	if err != nil {
		return err
	}
	if len(table.Rows) < 2 {
		return apierror.New(apierror.Forbidden, "it sees no user but itself")
	}
	return nil
}

// userField reads one field of a user by a list. The cell is nil where it may not be read.
func (c *Client) userField(ctx context.Context, cred Credential, user, field string) (cell jsontext.Value, found bool, err error) {
	table, err := c.List(ctx, cred, ListQuery{
		DocType: "User",
		Columns: []Column{{Field: field}},
		Filters: []Filter{{Field: "name", Op: OpEq, Value: user}},
		Limit:   1,
	})
	if err != nil || len(table.Rows) == 0 {
		return nil, false, err
	}
	return table.Rows[0][0], true, nil
}
