package setup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/origin"
)

// OptionError is an option that is missing or can't be used.
type OptionError struct {
	// Option is the environment variable, or the flag where there is none.
	Option string
	// Message says how to mend it.
	Message string
}

// Error names the option first.
func (e *OptionError) Error() string { return e.Option + ": " + e.Message }

// adminKey is the option of the administrator's credential.
const adminKey = "ERPNEXT_ADMIN_KEY"

// check refuses options that would make a site that can't be used, before any call.
func (o *Options) check() error {
	o.PublicURL, o.ERPNextURL = strings.TrimRight(o.PublicURL, "/"), strings.TrimRight(o.ERPNextURL, "/")
	if o.Credential.IsZero() {
		return &OptionError{adminKey, "is not set; it is the API key of a System Manager of the site, key:secret"}
	}
	if err := checkName("--app-name", o.AppName); err != nil {
		return err
	}
	for _, role := range o.AllowedRoles {
		if err := checkName("--allowed-role", role); err != nil {
			return err
		}
	}
	if err := o.checkWebhooks(); err != nil || o.Remove || o.Check {
		return err // no other address is written
	}
	if err := checkPublicURL(o.PublicURL); err != nil {
		return err
	}
	for _, s := range []setting{{settingSite, o.ERPNextURL}, {settingPublic, o.PublicURL}, {settingKeys, o.SessionKeys}} {
		if s.value != "" && !plainValue(s.value) {
			return &OptionError{s.name, "has characters that not every reader of a file of settings takes as they are"}
		}
	}
	return nil
}

// checkWebhooks holds the address of Webhooks to what ERPNext can send to. It may well be
// http, inside of a network: what is sent is signed, and no secret.
func (o *Options) checkWebhooks() error {
	const option = "--webhook-url"
	if o.Check && o.Await == nil {
		return &OptionError{"--check", "needs DATABASE_URL, to see the event log"}
	}
	if o.WebhookURL == "" {
		return nil
	}
	u, err := url.Parse(o.WebhookURL)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return &OptionError{option, "must be an address that begins with http:// or https://"}
	case u.User != nil:
		return &OptionError{option, "must not contain a user or password"}
	case u.Path == "" || u.Path == "/":
		return &OptionError{option, "must be the whole address, such as http://erpgraph:8080" + o.WebhookPath}
	case u.RawQuery != "", u.ForceQuery, strings.ContainsAny(o.WebhookURL, "#<>{} \t\r\n"):
		return &OptionError{option, "must be an address without a query"}
	}
	return nil
}

// maxNameLength is the length of names in characters (varchar(140)).
const maxNameLength = 140

// checkName holds a name to what Frappe keeps as it came: trimmed, one line, and as long
// as its columns.
func checkName(option, name string) error {
	switch {
	case name == "":
		return &OptionError{option, "can't be empty"}
	case len([]rune(name)) > maxNameLength, strings.TrimSpace(name) != name, strings.ContainsFunc(name, unicode.IsControl), strings.ContainsAny(name, "<>"):
		return &OptionError{option, fmt.Sprintf("can't be used: %.200q", name)}
	}
	return nil
}

// checkPublicURL holds the address to what browsers let sign in: tokens and cookies need
// TLS, but on the machine itself.
func checkPublicURL(raw string) error {
	const option = settingPublic
	if raw == "" {
		return &OptionError{option, "is not set; it is the address that browsers use, such as https://graph.example.com"}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return &OptionError{option, "must be an address that begins with https://"}
	case u.User != nil:
		return &OptionError{option, "must not contain a user or password"}
	case u.Path != "", u.RawQuery != "", u.ForceQuery, strings.Contains(raw, "#"):
		return &OptionError{option, "must be scheme and host only, without a path or query: ERPNext compares redirect URIs byte for byte"}
	case !origin.Is(raw):
		return &OptionError{option, "must be scheme and host as browsers write them, for serve compares them so: in lower case, in ASCII, without the scheme's own port"}
	case u.Scheme == "http" && !origin.IsLoopback(u.Hostname()):
		return &OptionError{option, "must begin with https:// unless it is this machine's own (localhost, 127.0.0.1): sign-in needs cookies that travel encrypted"}
	}
	return nil
}

// checkAdmin finds out whose key it is, and that it may do what is to be done.
func (s site) checkAdmin(ctx context.Context) (user string, err error) {
	const role = "System Manager"
	user, err = s.upstream.LoggedUser(ctx, s.credential)
	switch {
	case apierror.CodeOf(err) == apierror.Unauthenticated:
		return "", &OptionError{adminKey, "ERPNext does not accept it; make a new one in the desk: User, Settings, API Access"}
	case err != nil:
		return "", reachError(err)
	case user == frappe.Administrator:
		return user, nil
	}
	roles, err := s.upstream.Roles(ctx, s.credential, user)
	if err != nil {
		return "", reachError(err)
	}
	if !slices.Contains(roles, role) {
		return "", &OptionError{adminKey, fmt.Sprintf("is the key of %q, who is not a %s; only they may change OAuth Clients and Webhooks", user, role)}
	}
	return user, nil
}

func reachError(err error) error {
	if errors.Is(err, frappe.ErrRedirect) {
		return &OptionError{settingSite, "the site answers with a redirect, and a key must not follow it: give the address that it leads to"}
	}
	return fmt.Errorf("ask ERPNext who the key belongs to: %w", err)
}
