package event

import "time"

// SetPoll sets how often the hub looks without being woken.
func (h *Hub) SetPoll(every time.Duration) { h.poll = every }

// Topics is how many sets of DocTypes are listened to.
func (h *Hub) Topics() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.topics) + len(h.all) + len(h.byType)
}

// ListenerName is the application_name of the connection that listens.
const ListenerName = listenerName
