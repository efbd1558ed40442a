package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"erpgraph/internal/event"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
	"erpgraph/internal/session"
	"erpgraph/internal/setup"
)

// webhookPath is where the door (package httpapi) takes what ERPNext sends.
const webhookPath = "/webhooks/erpnext"

// setupConfig is the command line of `setup`.
type setupConfig struct {
	ERPNextURL string `name:"erpnext-url" env:"ERPNEXT_URL" help:"The ERPNext site, such as https://erp.example.com. Required."`
	AdminKey   string `name:"admin-key" env:"ERPNEXT_ADMIN_KEY" help:"API key of a System Manager of the site, key:secret. Required; in the environment other users of this machine don't see it."`
	PublicURL  string `name:"public-url" env:"PUBLIC_URL" help:"The address that browsers use, such as https://graph.example.com. Required, but to remove."`

	AppName      string   `name:"app-name" default:"erpgraph" help:"Name of the OAuth Client, which users read when they are asked to allow it."`
	ClientID     string   `name:"client-id" help:"The OAuth Client to change, where several have the name."`
	Trusted      bool     `name:"trusted" help:"Let users in without asking them to allow it."`
	AllowedRoles []string `name:"allowed-role" sep:"none" help:"A role whose users may sign in; may be given several times. Default: the site's choice, Desk User for a new client."`

	WriteEnv            string `name:"write-env" placeholder:"FILE" help:"Keep the settings for serve in this file, readable by its owner only; its other lines stay. Default: they are printed."`
	Webhooks            bool   `name:"webhooks" default:"true" negatable:"" help:"Keep the Webhooks by which ERPNext tells erpgraph of changes."`
	WebhookURL          string `name:"webhook-url" env:"WEBHOOK_URL" help:"Where ERPNext reaches erpgraph, such as http://erpgraph:8080/webhooks/erpnext. Default: /webhooks/erpnext below the public URL."`
	WebhookSecrets      string `name:"erpnext-webhook-secrets" env:"ERPNEXT_WEBHOOK_SECRETS" help:"Secrets of Webhooks in use already, separated by commas, the newest first. Default: those of the file, else a new one."`
	RotateWebhookSecret bool   `name:"rotate-webhook-secret" help:"Give all Webhooks a new secret; the old one stays in the list until you drop it."`

	Check       bool   `name:"check" help:"Change nothing, but try whether events come: make a ToDo, wait for its event, and delete it. It needs DATABASE_URL, where the event log is."`
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" help:"PostgreSQL of serve, to look into its event log with --check."`

	SessionKeys string `name:"session-keys" env:"SESSION_KEYS" help:"Keys of sessions in use already. Default: those of the file, else a new one."`

	DryRun bool `name:"dry-run" help:"Only show what would change."`
	Remove bool `name:"remove" help:"Take the OAuth Client and the Webhooks back; all who signed in by it are signed out."`
}

// runSetup sets up the site for serve, or takes that back.
func runSetup(ctx context.Context, cfg setupConfig, stdout, stderr io.Writer) error {
	if cfg.ERPNextURL == "" {
		return &SettingError{"ERPNEXT_URL", "is not set; it is the address of the ERPNext site to set up, such as https://erp.example.com"}
	}
	if err := checkAddress("ERPNEXT_URL", cfg.ERPNextURL); err != nil {
		return err
	}
	if cfg.SessionKeys != "" && !cfg.Remove {
		if _, err := session.ParseKeys(cfg.SessionKeys); err != nil {
			return &SettingError{"SESSION_KEYS", err.Error()}
		}
	}
	var admin frappe.Credential
	if cfg.AdminKey != "" {
		var err error
		if admin, err = frappe.ParseAuthorization("token " + cfg.AdminKey); err != nil {
			return &SettingError{"ERPNEXT_ADMIN_KEY", "must be key:secret, as ERPNext shows them when it makes an API key"}
		}
	}
	graph, err := builtIn()
	if err != nil {
		return err
	}
	// Failures are told by the errors; Frappe's tracebacks may hold tokens.
	client, err := frappe.New(frappe.Config{BaseURL: cfg.ERPNextURL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return &SettingError{"ERPNEXT_URL", err.Error()}
	}
	defer client.Close()
	var await func(context.Context, string, string) (time.Time, error)
	if cfg.Check && cfg.DatabaseURL != "" {
		db, err := postgres.Open(ctx, postgres.Config{URL: cfg.DatabaseURL})
		if err != nil {
			return &SettingError{"DATABASE_URL", err.Error()}
		}
		defer func() { _ = db.Close() }()
		await = awaitEvent(event.NewLog(event.LogConfig{Pool: db.Pool()}))
	}
	return setupError(setup.Run(ctx, setup.Options{
		Await:    await,
		Upstream: client, Credential: admin, ERPNextURL: cfg.ERPNextURL, PublicURL: cfg.PublicURL, CallbackPath: session.CallbackPath,
		AppName: cfg.AppName, ClientID: cfg.ClientID, Trusted: cfg.Trusted, AllowedRoles: cfg.AllowedRoles,
		Webhooks: cfg.Webhooks, WebhookURL: cfg.WebhookURL, WebhookPath: webhookPath, Watched: watchedDocTypes(graph),
		WebhookSecrets: cfg.WebhookSecrets, RotateWebhookSecret: cfg.RotateWebhookSecret, Check: cfg.Check,
		EnvFile: cfg.WriteEnv, SessionKeys: cfg.SessionKeys, DryRun: cfg.DryRun, Remove: cfg.Remove,
		Settings: stdout, Terminal: isTerminal(stdout), Messages: stderr,
	}))
}

// awaitEvent waits until the log has an event of a document, and gives when it was logged.
func awaitEvent(log *event.Log) func(ctx context.Context, doctype, name string) (time.Time, error) {
	const every = 50 * time.Millisecond
	return func(ctx context.Context, doctype, name string) (time.Time, error) {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			last, err := log.Last(ctx, doctype, []string{name})
			if err != nil {
				return time.Time{}, fmt.Errorf("look into the event log: %w", err)
			}
			if e, ok := last[name]; ok {
				return e.At, nil
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return time.Time{}, ctx.Err()
			}
		}
	}
}

// watchedDocTypes are those that setup keeps Webhooks for.
func watchedDocTypes(graph *Graph) []setup.WatchedDocType {
	watched := graph.Registry.Watched()
	out := make([]setup.WatchedDocType, len(watched))
	for i, w := range watched {
		out[i] = setup.WatchedDocType{Name: w.Name, Submittable: w.Submittable, Single: w.Single}
	}
	return out
}

// setupError names the setting of this program that mends an error, where one does.
func setupError(err error) error {
	if e, ok := errors.AsType[*setup.OptionError](err); ok {
		return &SettingError{e.Option, e.Message}
	}
	if e, ok := errors.AsType[*setup.AmbiguousError](err); ok {
		return &SettingError{"--client-id", fmt.Sprintf("%v; say which", e)}
	}
	if e, ok := errors.AsType[*setup.MissingError](err); ok {
		return &SettingError{"--client-id", e.Error()}
	}
	if e, ok := errors.AsType[*setup.EnvFileError](err); ok {
		return &SettingError{"--write-env", e.Error()}
	}
	return err
}

// isTerminal tells whether what is written is shown on a screen.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
