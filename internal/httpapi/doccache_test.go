package httpapi

import (
	"strings"
	"testing"
)

func TestDocumentCache(t *testing.T) {
	t.Parallel()
	c := newDocumentCache(160)
	text := func(letter string) string { return strings.Repeat(letter, 10) }
	for i := range 16 {
		c.add(text(string(rune('a'+i))), &document{})
	}
	kept, ok := c.get(text("a")) // now b is the oldest
	if !ok {
		t.Fatal("a is gone though there is room")
	}
	c.add(text("a"), &document{})
	if again, _ := c.get(text("a")); again != kept {
		t.Error("adding twice replaced what requests share")
	}
	c.add(text("z"), &document{})
	for letter, want := range map[string]bool{"a": true, "b": false, "c": true, "z": true} {
		if _, ok := c.get(text(letter)); ok != want {
			t.Errorf("%s kept: %v, want %v", letter, ok, want)
		}
	}
	c.add(strings.Repeat("x", 11), &document{})
	if _, ok := c.get(strings.Repeat("x", 11)); ok || c.size != 160 || c.order.Len() != len(c.byText) {
		t.Errorf("a document too large was kept, or the books are wrong: %d bytes, %d, %d", c.size, c.order.Len(), len(c.byText))
	}
}
