package frappe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"erpgraph/internal/apierror"
)

// guest is the user that Frappe runs a request as when it has no credential.
const guest = "Guest"

// LoggedUser is the user that the credential stands for. It is the only test of a
// token that can be trusted: introspection calls expired tokens active.
//
// UNAUTHENTICATED is Frappe's own word alone: any user may ask who they are, and only
// Guest may not. A refusal without an exception's class is that of a proxy, which says
// nothing about the credential: UPSTREAM_UNAVAILABLE.
func (c *Client) LoggedUser(ctx context.Context, cred Credential) (string, error) {
	var user string
	err := c.call(ctx, getMethod(methodUser, cred, nil), message(&user, 1))
	var e *Error
	if errors.As(err, &e) && e.Code == apierror.Forbidden {
		e.Code = apierror.Unauthenticated
		if e.ExcType == "" {
			e.Code = apierror.UpstreamUnavailable
		}
	}
	if err != nil {
		return "", err
	}
	if user == "" || user == guest {
		return "", &Error{Code: apierror.Unauthenticated, Status: http.StatusOK, Method: methodUser}
	}
	return user, nil
}

// Roles are the roles of a user, the implicit ones ("All", "Guest", "Desk User")
// included. Any user may ask for any user's.
func (c *Client) Roles(ctx context.Context, cred Credential, user string) ([]string, error) {
	if user == "" {
		return nil, apierror.New(apierror.BadUserInput, "whose roles?")
	}
	var roles []string
	err := c.call(ctx, getMethod(methodRoles, cred, url.Values{"uid": {user}}), message(&roles, 1))
	if err != nil {
		return nil, err
	}
	return roles, nil
}

// Versions are the versions of the installed apps, such as "15.44.2".
type Versions struct {
	Frappe  string
	ERPNext string            // "" when it is not installed
	Apps    map[string]string // all, by app name
}

// Versions asks for the versions; any user may.
func (c *Client) Versions(ctx context.Context, cred Credential) (Versions, error) {
	var apps map[string]struct {
		Version string `json:"version"`
	}
	if err := c.call(ctx, getMethod(methodVer, cred, nil), message(&apps, 1)); err != nil {
		return Versions{}, err
	}
	v := Versions{Apps: make(map[string]string, len(apps))}
	for name, app := range apps {
		v.Apps[name] = app.Version
	}
	v.Frappe, v.ERPNext = v.Apps["frappe"], v.Apps["erpnext"]
	if v.Frappe == "" {
		return Versions{}, malformed(methodVer, "", "no version of frappe")
	}
	return v, nil
}

// TimeZone is the site's zone, in which all its datetimes are. It needs no credential.
func (c *Client) TimeZone(ctx context.Context) (*time.Location, error) {
	var zone *time.Location
	r := getMethod(methodZone, Credential{}, nil)
	r.guest = true
	var answer struct {
		TimeZone string `json:"time_zone"`
	}
	decode := message(&answer, 1)
	err := c.call(ctx, r, func(body []byte) (int, error) {
		rows, err := decode(body)
		if err != nil {
			return rows, err
		}
		if answer.TimeZone == "" || answer.TimeZone == "Local" { // to Go both have a meaning of their own
			return rows, fmt.Errorf("not a time zone: %q", answer.TimeZone)
		}
		zone, err = time.LoadLocation(answer.TimeZone)
		return rows, err
	})
	if err != nil {
		return nil, err
	}
	return zone, nil
}

// Site is what a client must know of a site before it reads from it.
type Site struct {
	Versions Versions
	TimeZone *time.Location
}

// Site asks for the versions and the time zone.
func (c *Client) Site(ctx context.Context, cred Credential) (Site, error) {
	versions, err := c.Versions(ctx, cred)
	if err != nil {
		return Site{}, err
	}
	zone, err := c.TimeZone(ctx)
	if err != nil {
		return Site{}, err
	}
	return Site{Versions: versions, TimeZone: zone}, nil
}
