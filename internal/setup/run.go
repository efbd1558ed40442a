package setup

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"erpgraph/internal/frappe"
)

// Options are what `erpgraph setup` is asked to do.
type Options struct {
	// Upstream reaches the site at ERPNextURL; Credential is the API key of a System
	// Manager there.
	Upstream   Upstream
	Credential frappe.Credential
	ERPNextURL string
	// PublicURL is where browsers find erpgraph: its origin, as they write it. It must be
	// https, but on the machine itself. Not needed with Remove.
	PublicURL string
	// CallbackPath is where ERPNext sends browsers back to, below PublicURL.
	CallbackPath string

	// AppName tells erpgraph's OAuth Client from others, and is what users read when they
	// are asked to allow it. ClientID picks one where several have the name.
	AppName  string
	ClientID string
	// Trusted lets users in without asking them to allow it.
	Trusted bool
	// AllowedRoles are those of whom one is needed to sign in; none leaves the site's.
	AllowedRoles []string

	// EnvFile keeps the settings; "" writes them to Settings.
	EnvFile string
	// SessionKeys are those in use already, if any, for settings that have none. They are
	// not looked into here.
	SessionKeys string

	// Webhooks keeps the Webhooks by which ERPNext tells of changes to Watched. They send to
	// WebhookURL, where ERPNext reaches erpgraph; "" is WebhookPath below PublicURL, and no
	// Webhooks where that is of use on this machine only and the site is on another.
	Webhooks                bool
	WebhookURL, WebhookPath string
	Watched                 []WatchedDocType
	// WebhookSecrets are those in use already, if any, for settings that have none: between
	// commas, newest first. RotateWebhookSecret makes a new one for all Webhooks.
	WebhookSecrets      string
	RotateWebhookSecret bool

	// Check sets nothing up, but tries a Webhook: it makes a ToDo, waits until Await knows
	// of it, for CheckTime at most (0 means 30 s), and deletes it.
	Check     bool
	CheckTime time.Duration
	// Await waits until the event log has a document, and gives when it was logged. Its
	// error is that of ctx when it never comes.
	Await func(ctx context.Context, doctype, name string) (time.Time, error)

	// DryRun only tells what would be done. Remove takes the client and the Webhooks back.
	DryRun, Remove bool

	// Settings gets the settings and nothing else. Terminal tells that a person sees it.
	Settings io.Writer
	Terminal bool
	// Messages gets all that is told, never a secret.
	Messages io.Writer
}

// The settings of `serve` that follow from a client.
const (
	settingID     = "ERPNEXT_OAUTH_CLIENT_ID"
	settingSecret = "ERPNEXT_OAUTH_CLIENT_SECRET" //nolint:gosec // G101: the name of a setting
	settingSite   = "ERPNEXT_URL"
	settingPublic = "PUBLIC_URL"
	settingKeys   = "SESSION_KEYS"
	settingHooks  = "ERPNEXT_WEBHOOK_SECRETS"
)

// Run sets the site up, or takes it back. Errors that a person can mend by other options
// are *OptionError, *AmbiguousError, *MissingError and *EnvFileError; others come from the
// site, or tell that it did not do what it was asked. After any of them Run may be called
// again: it goes on from what is there.
func Run(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	r := run{Options: o, site: site{upstream: o.Upstream, credential: o.Credential}, report: report{o.Messages, o.DryRun}}
	if o.EnvFile != "" {
		var err error
		if r.env, err = openEnv(o.EnvFile); err != nil {
			return err
		}
	}
	user, err := r.site.checkAdmin(ctx)
	if err != nil {
		return err
	}
	r.report.begin(o.ERPNextURL, user)
	switch {
	case o.Check:
		return r.try(ctx, user)
	case o.Remove:
		return r.remove(ctx)
	}
	return r.setUp(ctx)
}

// run is one call of Run.
type run struct {
	Options

	site   site
	report report
	env    *storedEnv // nil: the settings go to Options.Settings
}

func (r *run) setUp(ctx context.Context) error {
	change, err := r.site.diff(ctx, oauthClient(&r.Options))
	if err != nil {
		return err
	}
	r.report.change(change)
	hooks, err := r.planWebhooks(ctx)
	if err != nil {
		return err
	}
	if r.DryRun {
		return r.foretell(change, hooks)
	}
	client, err := r.site.apply(ctx, change)
	if err != nil {
		return err
	}
	if !change.empty() {
		r.report.written(change.document, clientID(client))
	}
	settings, err := r.settings(clientID(client), clientSecret(client), hooks)
	if err != nil {
		return err
	}
	keep := r.print
	if r.env != nil {
		keep = r.store
	}
	if err := keep(settings); err != nil {
		return err
	}
	return r.writeWebhooks(ctx, hooks)
}

// foretell ends a dry run.
func (r *run) foretell(change change, hooks *hooks) error {
	if r.env != nil {
		id, secret := clientID(change.current), clientSecret(change.current)
		if change.name == "" {
			id, secret = "new", "new"
		}
		settings, err := r.settings(id, secret, hooks)
		if err != nil {
			return err
		}
		r.tell(r.merge(settings))
	}
	r.report.end()
	return nil
}

// settings are those of `serve`. A key for sessions is made once: a new one would end
// all sessions.
func (r *run) settings(id, secret string, hooks *hooks) ([]setting, error) {
	if secret == "" {
		return nil, fmt.Errorf("the site does not tell the secret of the OAuth Client %q; a customization there may hide the field client_secret", id)
	}
	keys := r.SessionKeys
	if r.env != nil && r.env.get(settingKeys) != "" {
		keys = r.env.get(settingKeys)
	}
	if keys == "" {
		keys = newSessionKey()
	}
	settings := []setting{
		{settingSite, r.ERPNextURL},
		{settingPublic, r.PublicURL},
		{settingID, id},
		{settingSecret, secret},
		{settingKeys, keys},
	}
	for _, s := range settings[2:4] { // the others were checked, or stand in the file
		if !plainValue(s.value) {
			return nil, fmt.Errorf("%s of the OAuth Client has characters that not every reader of a file of settings takes as they are; give the client another on the site", s.name)
		}
	}
	if hooks != nil {
		settings = append(settings, hooks.setting())
	}
	return settings, nil
}

// newSessionKey is a key for AES-256 as SESSION_KEYS has it.
func newSessionKey() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}

// merge writes the settings into the file in memory, and gives the names of those that
// changed.
func (r *run) merge(settings []setting) []string {
	var changed []string
	for _, s := range settings {
		if s.name == settingKeys && r.env.get(settingKeys) != "" {
			continue // quoted or not, it stays as it stands
		}
		if r.env.set(s) {
			changed = append(changed, s.name)
		}
	}
	return changed
}

func (r *run) store(settings []setting) error {
	changed := r.merge(settings)
	if err := r.save(changed); err != nil {
		return err
	}
	r.tell(changed)
	return nil
}

func (r *run) tell(changed []string) { r.report.file(r.env, "set", "would set", changed) }

// save writes the file where there is a reason to.
func (r *run) save(changed []string) error {
	if r.DryRun || (len(changed) == 0 && !r.env.loose) {
		return nil
	}
	return r.env.write()
}

// print writes the settings where they can be read by the next program, or by whoever
// looks at the screen.
func (r *run) print(settings []setting) error {
	if r.Terminal {
		r.report.onScreen()
	}
	for _, s := range settings {
		if _, err := fmt.Fprintf(r.Settings, "%s=%s\n", s.name, s.value); err != nil {
			return fmt.Errorf("write the settings: %w", err)
		}
	}
	return nil
}

// remove takes Webhooks and client back, and their settings out of the file.
func (r *run) remove(ctx context.Context) error {
	all, err := r.removeWebhooks(ctx)
	if err != nil {
		return err
	}
	removal, err := r.site.removal(ctx, oauthClient(&r.Options))
	if err != nil {
		return err
	}
	r.report.removal(removal)
	if removal.name != "" && !r.DryRun {
		done, err := r.site.remove(ctx, removal)
		r.report.removed(done, err)
		if err != nil {
			return err
		}
	}
	if r.env != nil {
		if err := r.forget(ctx, removal.name, all); err != nil {
			return err
		}
	}
	r.report.end()
	return nil
}

// forget drops the settings of the removed client and, if all of them went, of the
// Webhooks. Those of another client or another site are in use, and stay.
func (r *run) forget(ctx context.Context, removed string, hooksToo bool) error {
	id, site := r.env.get(settingID), r.env.get(settingSite)
	if id != "" && id != removed {
		others, err := r.site.find(ctx, document{docType: doctypeClient, name: id})
		if err != nil {
			return err
		}
		if len(others) > 0 || (site != "" && site != r.ERPNextURL) {
			r.report.foreign(r.env, id)
			return nil
		}
	}
	var changed []string
	names := []string{settingID, settingSecret}
	if hooksToo {
		names = append(names, settingHooks)
	}
	for _, name := range names {
		if r.env.unset(name) {
			changed = append(changed, name)
		}
	}
	if err := r.save(changed); err != nil {
		return err
	}
	r.report.file(r.env, "dropped", "would drop", changed)
	return nil
}
