package setup

// RefusedError is what a site that drops fields makes of a run.
type RefusedError = refusedError

// ErrStillLinked is what is left when rows come faster than they go.
var ErrStillLinked = errStillLinked

// ErrNoEvent is a trial whose event did not come.
var ErrNoEvent = errNoEvent
