package webhook

import "sync/atomic"

// Reason is why a delivery was refused.
type Reason int

// The reasons, each with the status that ERPNext gets.
const (
	// NotPost is another method than POST (405).
	NotPost Reason = iota
	// Unsigned has no signature, several, or one that can't be read (401).
	Unsigned
	// WrongSignature was signed with none of the secrets (401).
	WrongSignature
	// TooLarge is a body beyond the bound (413).
	TooLarge
	// Unread is a body that did not come whole, or in time (408, 400).
	Unread
	// Malformed is signed, but no JSON (400).
	Malformed
	// Foreign is signed JSON, but not what setup makes Webhooks send (422).
	Foreign
	// Busy came while as many as can wait were waiting, or when the service ended (503).
	Busy
	// Late was not committed in time (503). It may be committed still.
	Late
	// Failed could not be logged (503).
	Failed

	reasons
)

// String names the reason as metrics do.
func (r Reason) String() string {
	names := [reasons]string{
		"not_post", "unsigned", "wrong_signature", "too_large", "unread", "malformed", "foreign", "busy", "late", "failed",
	}
	if r < 0 || r >= reasons {
		return "unknown"
	}
	return names[r]
}

// Stats are how many deliveries came to which end since the start.
type Stats struct {
	// Accepted were answered 204. Of those Duplicates were in the log before, and
	// Unwatched are of DocTypes that nobody is told of.
	Accepted, Duplicates, Unwatched uint64
	// Refused by reason; those that never happened are left out.
	Refused map[Reason]uint64
	// Commits are the transactions that it took.
	Commits uint64
}

// counters are the Stats while they grow.
type counters struct {
	accepted, duplicates, unwatched, commits atomic.Uint64
	refused                                  [reasons]atomic.Uint64
}

// Stats counts.
func (h *Handler) Stats() Stats {
	s := Stats{
		Accepted: h.count.accepted.Load(), Duplicates: h.count.duplicates.Load(), Unwatched: h.count.unwatched.Load(),
		Commits: h.count.commits.Load(), Refused: make(map[Reason]uint64),
	}
	for reason := range reasons {
		if n := h.count.refused[reason].Load(); n > 0 {
			s.Refused[reason] = n
		}
	}
	return s
}
