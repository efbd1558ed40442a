package setup

import (
	"context"
	"net/url"
	"strings"

	"erpgraph/internal/origin"
)

// hooks are the Webhooks of one run: what is to be written, and the secrets that follow.
type hooks struct {
	webhooks

	plan    webhookPlan
	secrets []string // the setting, newest first
	// made tells that the newest secret was made by this run; rotated, that it takes the
	// place of others.
	made, rotated bool
}

// planWebhooks finds out what to do about Webhooks; nil is nothing at all.
func (r *run) planWebhooks(ctx context.Context) (*hooks, error) {
	if !r.Webhooks {
		return nil, nil
	}
	if r.WebhookURL == "" && unreachable(r.PublicURL, r.ERPNextURL) {
		r.report.noWebhooks(r.PublicURL)
		return nil, nil
	}
	h, err := r.secrets()
	if err != nil {
		return nil, err
	}
	h.app, h.url, h.key = r.AppName, r.webhookURL(), webhookKey(h.secrets[0])
	if h.plan, err = r.site.webhookPlan(ctx, h.webhooks, r.Watched); err != nil {
		return nil, err
	}
	r.report.webhooks(h)
	return h, nil
}

// webhookURL is where ERPNext finds erpgraph; "" where that is not known.
func (r *run) webhookURL() string {
	if r.WebhookURL == "" && r.PublicURL != "" {
		return r.PublicURL + r.WebhookPath
	}
	return r.WebhookURL
}

// unreachable tells that a site on another machine can't send to an address that means
// the machine it is used on.
func unreachable(publicURL, site string) bool { return isLoopback(publicURL) && !isLoopback(site) }

func isLoopback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && origin.IsLoopback(u.Hostname())
}

// secrets are those of the file, or those that are in use; the first of all is made here.
func (r *run) secrets() (*hooks, error) {
	value := r.WebhookSecrets
	if r.env != nil && r.env.get(settingHooks) != "" {
		value = r.env.get(settingHooks)
	}
	secrets, err := webhookSecrets(value)
	if err != nil {
		return nil, err
	}
	h := &hooks{secrets: secrets}
	if len(secrets) == 0 || r.RotateWebhookSecret {
		h.made, h.rotated = true, len(secrets) > 0
		h.secrets = append([]string{string(newWebhookKey())}, secrets...)
	}
	return h, nil
}

// setting is that of serve.
func (h *hooks) setting() setting { return setting{settingHooks, strings.Join(h.secrets, ",")} }

// writeWebhooks carries the plan out. The settings are kept by then: a secret that only
// the site knew would be lost.
func (r *run) writeWebhooks(ctx context.Context, h *hooks) error {
	if h == nil {
		return nil
	}
	if !h.plan.empty() {
		if err := r.site.applyWebhooks(ctx, h.plan, r.report.progress); err != nil {
			return err
		}
		r.report.webhooksWritten(h)
	}
	r.report.oldSecrets(h)
	return nil
}

// removeWebhooks takes the Webhooks back: those that setup marked, or those that send to
// an address that is given. It tells whether none is left that could be erpgraph's.
func (r *run) removeWebhooks(ctx context.Context) (all bool, err error) {
	h := &hooks{webhooks: webhooks{app: r.AppName, url: r.WebhookURL}}
	if h.plan, err = r.site.removeWebhooks(ctx, h.webhooks); err != nil {
		return false, err
	}
	r.report.webhooks(h)
	if !r.DryRun {
		if err := r.writeWebhooks(ctx, h); err != nil {
			return false, err
		}
	}
	return len(h.plan.left) == 0, nil
}
