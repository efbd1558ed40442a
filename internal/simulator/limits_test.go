package simulator

import (
	"slices"
	"strconv"
	"testing"
)

// A site that runs for long forgets the oldest of what it keeps for tests alone.
func TestLimits(t *testing.T) {
	t.Parallel()
	log := newSecretLog()
	for i := range maxSecrets + 1 {
		log.add(strconv.Itoa(i), "")
	}
	all := log.all()
	if len(all) > maxSecrets || !slices.Contains(all, strconv.Itoa(maxSecrets)) || slices.Contains(all, "0") {
		t.Errorf("%d secrets", len(all))
	}
	if log.add("0"); !slices.Contains(log.all(), "0") {
		t.Error("what was forgotten cannot be learnt again")
	}
	s := newSessions()
	for range maxSessions + 1 {
		s.begin("sales@example.com")
	}
	last := s.begin("sales@example.com")
	if _, ok := s.get(last); len(s.byID) > maxSessions || !ok {
		t.Errorf("%d sessions, the last among them: %t", len(s.byID), ok)
	}
}
