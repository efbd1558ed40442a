package app

import (
	"context"
	"time"
)

// cleanEvery is how often idempotency keys that are too old are deleted.
const cleanEvery = time.Hour

// forgetKeys deletes idempotency keys past their time, until ctx ends. One that is asked
// for counts as new whether it is still there or not, so this is for space alone.
func (a *App) forgetKeys(ctx context.Context) error {
	ticker := time.NewTicker(cleanEvery)
	defer ticker.Stop()
	for {
		if a.migrated.Load() {
			if n, err := a.db.CleanKeys(ctx); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "idempotency keys past their time could not be deleted", "error", err)
			} else if n > 0 {
				a.log.DebugContext(ctx, "deleted idempotency keys past their time", "keys", n)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
