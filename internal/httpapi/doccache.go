package httpapi

import (
	"container/list"
	"sync"
)

// documentCache is an LRU bounded by the bytes of the texts it keeps, as the
// size of a parsed document follows its text.
type documentCache struct {
	mu     sync.Mutex
	max    int
	size   int
	order  *list.List // of *cached, the latest used in front
	byText map[string]*list.Element
}

type cached struct {
	text string
	doc  *document
}

func newDocumentCache(maximum int) *documentCache {
	return &documentCache{max: maximum, order: list.New(), byText: make(map[string]*list.Element)}
}

func (c *documentCache) get(text string) (*document, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.byText[text]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*cached).doc, true
}

// add keeps a document, unless it alone would take more than a 16th of the room.
func (c *documentCache) add(text string, doc *document) {
	if len(text) > c.max/16 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byText[text]; ok {
		return
	}
	c.byText[text] = c.order.PushFront(&cached{text: text, doc: doc})
	c.size += len(text)
	for c.size > c.max {
		oldest := c.order.Back()
		gone := c.order.Remove(oldest).(*cached)
		delete(c.byText, gone.text)
		c.size -= len(gone.text)
	}
}
