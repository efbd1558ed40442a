package setup

import (
	"context"
	"errors"
	"fmt"

	"erpgraph/internal/apierror"
)

// progressEvery is after how many writes it is told how far they are.
const progressEvery = 25

// apply writes a plan, one document after the other: each write makes the site forget what
// it knows of Webhooks, and its workers are few. What is refused does not keep others from
// being written, unless the site would refuse them as well.
func (s site) applyWebhooks(ctx context.Context, plan webhookPlan, progress func(done, of int)) error {
	var refused []error
	done, all := 0, len(plan.changes)+len(plan.removals)
	step := func(err error) (stop bool) {
		if err != nil {
			refused = append(refused, err)
			return hopeless(ctx, err)
		}
		if done++; done%progressEvery == 0 && done < all {
			progress(done, all)
		}
		return false
	}
	for _, c := range plan.changes {
		if _, err := s.apply(ctx, c); step(err) {
			return webhookErrors(refused)
		}
	}
	for _, name := range plan.removals {
		if step(s.removeWebhook(ctx, name)) {
			break
		}
	}
	return webhookErrors(refused)
}

// removeWebhook deletes a Webhook. What ERPNext noted of its deliveries stays (hooks.py
// ignore_links_on_delete).
func (s site) removeWebhook(ctx context.Context, name string) error {
	_, err := s.upstream.Delete(ctx, s.credential, doctypeWebhook, name)
	if err != nil && apierror.CodeOf(err) != apierror.NotFound {
		return fmt.Errorf("delete the Webhook %q: %w", name, err)
	}
	return nil
}

// hopeless tells whether the next write would fail as well.
func hopeless(ctx context.Context, err error) bool {
	switch apierror.CodeOf(err) {
	case apierror.Unauthenticated, apierror.Forbidden, apierror.UpstreamUnavailable, apierror.UpstreamTimeout, apierror.RateLimited:
		return true
	}
	return ctx.Err() != nil
}

// webhookErrors tells the first few of what was refused.
func webhookErrors(refused []error) error {
	const few = 5
	if n := len(refused); n > few {
		refused = append(refused[:few:few], fmt.Errorf("and %d more", n-few))
	}
	return errors.Join(refused...)
}
