package catchup

import "context"

// Round does what the leader does at each turn.
func (c *Catchup) Round(ctx context.Context) error {
	if err := c.round(ctx); err != nil {
		return err
	}
	return c.settle(ctx)
}

// Nightly does what is due of the nightly check.
func (c *Catchup) Nightly(ctx context.Context) error { return c.nightly(ctx) }
