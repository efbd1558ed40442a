package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
	"erpgraph/internal/httpapi"
	"erpgraph/internal/oauth"
	"erpgraph/internal/session"
)

// setUpCallers makes what tells callers: who a credential belongs to, and with sign-in
// the sessions of browsers.
func (a *App) setUpCallers(opts Options) error {
	var service frappe.Credential
	if a.cfg.ServiceKey != "" {
		var err error
		if service, err = frappe.ParseAuthorization("token " + a.cfg.ServiceKey); err != nil {
			return fmt.Errorf("ERPNEXT_SERVICE_KEY: %w", err)
		}
	}
	a.callers = auth.NewDirectory(auth.DirectoryConfig{Upstream: a.frappe, Service: service, Now: opts.Now, Logger: a.log})
	if !a.cfg.signIn() {
		return nil
	}
	keys, err := a.sessionKeys()
	if err != nil {
		return err
	}
	public, err := url.Parse(a.cfg.PublicURL)
	if err != nil {
		return fmt.Errorf("PUBLIC_URL: %w", err)
	}
	forgery, err := httpapi.NewForgeryCheck(a.cfg.PublicURL, a.cfg.Origins)
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	a.oauth, err = oauth.New(oauth.Config{
		SiteURL: a.cfg.ERPNextURL, PublicSiteURL: a.cfg.SiteURL,
		ClientID: a.cfg.ClientID, ClientSecret: a.cfg.ClientSecret,
		RedirectURL: a.cfg.PublicURL + session.CallbackPath,
		HTTPClient:  opts.HTTPClient, Now: opts.Now,
	})
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	a.sessions, err = session.New(session.Config{
		OAuth: a.oauth, Pool: a.db.Pool(), Keys: keys,
		Who: a.callers.Who, Forget: a.callers.Forget,
		PublicURL: public, CheckForgery: forgery,
		RequestID: httpapi.RequestID,
		Logger:    a.log, Now: opts.Now,
		Lifetime: a.cfg.SessionLifetime, Idle: a.cfg.SessionIdle,
	})
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	return nil
}

// sessionKeys are those that were set, or one that is made once and kept: a process
// that shares its database with no other needs no more.
func (a *App) sessionKeys() (*session.Keyring, error) {
	if a.cfg.SessionKeys == "" {
		keys, err := session.LoadOrCreate(a.cfg.DataDir)
		if err != nil {
			return nil, fmt.Errorf("the session key in the data directory: %w", err)
		}
		return keys, nil
	}
	keys, err := session.ParseKeys(a.cfg.SessionKeys)
	if err != nil {
		return nil, fmt.Errorf("SESSION_KEYS: %w", err)
	}
	return keys, nil
}

// authenticate takes the one credential that counts: the Authorization header, else the
// session's cookie.
func (a *App) authenticate(r *http.Request) (auth.Identity, error) {
	id, err := auth.FromHeader(r.Header)
	if err != nil || !id.IsZero() || a.sessions == nil {
		return id, err
	}
	return a.sessions.Identity(r)
}

// admit refuses users who were disabled, which ERPNext itself does not do. It can tell
// only with a service account; without one nothing is asked here.
func (a *App) admit(ctx context.Context, id auth.Identity) error {
	if id.IsZero() || !a.callers.ChecksDisabled() {
		return nil
	}
	_, err := a.who(ctx, id)
	return err
}

// who is the user behind an identity. That of a user who was disabled has no session any
// more, wherever it is noticed: enabled again, they sign in again.
func (a *App) who(ctx context.Context, id auth.Identity) (*frappe.User, error) {
	user, err := a.callers.Who(ctx, id.Credential())
	if errors.Is(err, auth.ErrDisabled) && a.sessions != nil {
		a.sessions.EndIdentity(ctx, id, "the user is disabled in ERPNext")
	}
	return user, err
}

// user names whom a socket is for: another token may be handed over on it for the same
// user only.
func (a *App) user(ctx context.Context, id auth.Identity) (string, error) {
	user, err := a.who(ctx, id)
	if err != nil {
		return "", err
	}
	return user.Name, nil
}

// alive tells whether ERPNext still accepts whom a socket was opened for.
func (a *App) alive(ctx context.Context, id auth.Identity) error {
	if id.FromSession() && a.sessions != nil {
		if err := a.sessions.Alive(ctx, id); err != nil {
			return err
		}
	}
	_, err := a.who(ctx, id)
	if apierror.CodeOf(err) == apierror.Unauthenticated {
		a.callers.Forget(id.Credential())
	}
	return err
}

// signIn serves /auth/*; nil where nobody can sign in.
func (a *App) signIn() http.Handler {
	if a.sessions == nil {
		return nil
	}
	return a.sessions.Handler()
}
