package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/doctype"
	"erpgraph/internal/engine"
	"erpgraph/internal/event"
	"erpgraph/internal/frappe"
	"erpgraph/internal/httpapi"
	"erpgraph/internal/links"
	"erpgraph/internal/snapshot"
	"erpgraph/internal/webhook"
)

// events are the parts that learn of changes and hand them on.
type events struct {
	log     *event.Log
	hub     *event.Hub
	shown   *event.Shown
	keeper  *links.Keeper
	hook    *webhook.Handler
	catchup *catchup.Catchup // nil without a service account
	// snapshots keeps the titles of documents that local rows link to.
	snapshots *links.Snapshots
}

// setUpEvents makes the parts; startEvents runs them.
func (a *App) setUpEvents(opts Options) error {
	keeper := links.New(a.registry, a.log)
	e := &events{keeper: keeper}
	e.log = event.NewLog(event.LogConfig{
		Pool: a.db.Pool(), Logger: a.log,
		Upkeep: func(ctx context.Context, tx pgx.Tx, ev event.Event) ([]event.Event, error) {
			ev.Vanished = ev.Vanished || a.cfg.ServiceKey == "" // a merge can't be told from a deletion then
			return keeper.Apply(ctx, tx, ev)
		},
		Restored: keeper.Restored, Linked: keeper.Linked,
		Stage: func(ev event.Event) bool { return a.cfg.ServiceKey != "" && keeper.NeedsMergeCheck(ev.DocType) },
	})
	e.hub = event.NewHub(event.HubConfig{Log: e.log, Logger: a.log})
	e.shown = event.NewShown(e.log)
	watched := map[string]bool{}
	for _, w := range a.registry.Watched() {
		watched[w.Name] = true
	}
	var err error
	e.hook, err = webhook.New(webhook.Config{
		Secrets: a.cfg.WebhookSecrets, Watched: func(doctype string) bool { return watched[doctype] },
		Append: e.log.Append, Logger: a.log,
	})
	if err != nil {
		return &SettingError{"ERPNEXT_WEBHOOK_SECRETS", err.Error()}
	}
	snapshots := links.SnapshotsConfig{Registry: a.registry, Pool: a.db.Pool(), Hub: e.hub, Logger: a.log}
	if a.cfg.ServiceKey != "" {
		service, err := frappe.ParseAuthorization("token " + a.cfg.ServiceKey)
		if err != nil {
			return fmt.Errorf("ERPNEXT_SERVICE_KEY: %w", err)
		}
		e.catchup = a.newCatchup(e, opts, service)
		snapshots.Site = &trail.Site{Upstream: a.frappe, Credential: service}
	}
	e.snapshots = links.NewSnapshots(snapshots)
	a.events = e
	return nil
}

func (a *App) newCatchup(e *events, opts Options, service frappe.Credential) *catchup.Catchup {
	cfg := catchup.Config{
		Upstream: a.frappe, Credential: service, Log: e.log, Pool: a.db.Pool(), Location: a.site.Location,
		Every: a.cfg.CatchupEvery, Now: opts.Now, Logger: a.log,
		Nightly: func(ctx context.Context) error {
			return e.keeper.Repair(ctx, trail.Site{Upstream: a.frappe, Credential: service}, a.db.Pool(), e.log)
		},
	}
	for _, w := range a.registry.Watched() {
		cfg.Watched = append(cfg.Watched, catchup.Watched{DocType: w.Name, Single: w.Single, Submittable: w.Submittable})
	}
	return catchup.New(cfg)
}

// eventLog is how package write logs what it does to local rows.
type eventLog struct {
	*event.Log

	keeper *links.Keeper
}

// Cascade gives the events of the rows that go with one.
func (l eventLog) Cascade(ctx context.Context, tx pgx.Tx, t *doctype.Type, id string) ([]event.Event, error) {
	return l.keeper.Cascade(ctx, tx, t, id)
}

// live is what the engine needs to run subscriptions.
func (a *App) live() *engine.LiveConfig {
	return &engine.LiveConfig{
		Hub: a.events.hub, Shown: a.events.shown, Time: a.cfg.OperationTimeout,
		EndStream: httpapi.EndStream, NoteCursor: httpapi.NoteCursor, LastEventID: httpapi.LastEventID,
	}
}

// dangling lists the links of local rows that lead nowhere, for the engine.
func (a *App) dangling(ctx context.Context, after engine.Dangling, limit int) ([]engine.Dangling, error) {
	var types []string
	for _, t := range a.registry.Types() {
		if t.Source == doctype.Local {
			types = append(types, t.Key)
		}
	}
	found, err := a.events.keeper.Dangling(ctx, a.db.Pool(), types, links.Dangling{Type: after.Type, Row: after.ID, Field: after.Field}, limit)
	if err != nil {
		return nil, fmt.Errorf("dangling links: %w", err)
	}
	out := make([]engine.Dangling, len(found))
	for i, d := range found {
		out[i] = engine.Dangling{Type: d.Type, ID: d.Row, Field: d.Field, DocType: d.DocType, Name: d.Name, Since: d.Since}
	}
	return out, nil
}

// linkSnapshots reads what is kept of documents that local rows link to, for the loaders.
func (a *App) linkSnapshots(ctx context.Context, documents []snapshot.Document) (map[snapshot.Document]snapshot.Snapshot, error) {
	return snapshot.Read(ctx, a.db.Pool(), documents)
}

// checkCatchup tells what the last round of catch-up lacked, in the process that leads it.
func (a *App) checkCatchup(context.Context) error {
	status := a.events.catchup.Status()
	switch {
	case status.Err != nil:
		return apierror.Wrap(apierror.UpstreamUnavailable, status.Err, "the last round of catch-up failed; the log says why")
	case len(status.Unreadable) > 0:
		return apierror.New(apierror.Forbidden, "the service account can't read %s: what webhooks miss of it stays unknown", strings.Join(status.Unreadable, ", "))
	default:
		return nil
	}
}

// webhooks serves /webhooks/erpnext.
func (a *App) webhooks() http.Handler { return a.events.hook }

// runEvents runs the parts once the tables are there.
func (a *App) runEvents(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.events.hook.Run(ctx) })
	group.Go(func() error {
		select {
		case <-a.tables:
		case <-ctx.Done():
			return nil
		}
		return a.followLog(ctx)
	})
	return group.Wait()
}

func (a *App) followLog(ctx context.Context) error {
	if err := a.events.keeper.WarnUnindexed(ctx, a.db.Pool()); err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "the indexes of links could not be looked at", "error", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.events.hub.Run(ctx) })
	group.Go(func() error { return a.trimEvents(ctx) })
	group.Go(func() error { return a.events.snapshots.Run(ctx) })
	if a.events.catchup == nil {
		a.log.WarnContext(ctx, "without ERPNEXT_SERVICE_KEY only webhooks tell of changes in ERPNext: what they miss stays unknown to subscribers "+
			"(imports, renames, changes by SQL, deliveries that were given up), and links of local rows stay as they are when a document is deleted")
		if err := a.settlePending(ctx); err != nil {
			return err
		}
	} else {
		group.Go(func() error { return a.events.catchup.Run(ctx) })
	}
	if len(a.cfg.WebhookSecrets) == 0 {
		a.log.WarnContext(ctx, "without ERPNEXT_WEBHOOK_SECRETS every webhook is refused; erpgraph setup makes the secret and the Webhooks")
	}
	return group.Wait()
}

// trimEvery is how often the log is cut to its bounds.
const trimEvery = 10 * time.Minute

// trimEvents cuts the log to its bounds now and then.
func (a *App) trimEvents(ctx context.Context) error {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		if n, err := a.events.log.Trim(ctx, a.cfg.EventRetention, a.cfg.EventRows); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "old events could not be deleted", "error", err)
		} else if n > 0 {
			a.log.DebugContext(ctx, "deleted old events", "events", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// settlePending takes deletions that wait since there was a service account for what they
// are said to be: nobody can look whether they were merges any more.
func (a *App) settlePending(ctx context.Context) error {
	const page = 100
	for {
		pending, err := a.events.log.Pending(ctx, page)
		if err != nil {
			return fmt.Errorf("deletions that wait: %w", err)
		}
		for _, p := range pending {
			if err := a.events.log.Settle(ctx, p, p); err != nil {
				return fmt.Errorf("settle a deletion: %w", err)
			}
		}
		if len(pending) < page {
			return nil
		}
	}
}
