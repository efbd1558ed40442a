package simulator

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// collation folds text to keys that compare as utf8mb4_unicode_ci does: without case
// and accents, blanks at the end ignored, all characters beyond the basic plane equal
// to each other. MariaDB compares names, links and every other text of a site with it.
type collation struct {
	ascii     [utf8.RuneSelf]string
	collators sync.Pool
}

// folder is a collator with its buffer; neither may be shared between goroutines.
type folder struct {
	collator *collate.Collator
	buffer   collate.Buffer
}

func newCollation() *collation {
	c := &collation{}
	c.collators.New = func() any {
		return &folder{collator: collate.New(language.Und, collate.Loose)}
	}
	// Under collate.Loose a key is the plain sequence of its characters' primary
	// weights, so that ASCII can be folded from a table. The collator is several times
	// slower and nearly all names of a site are ASCII.
	for i := range c.ascii {
		c.ascii[i] = c.slowKey(string(rune(i)))
	}
	return c
}

// key folds s. Keys compare as byte strings.
func (c *collation) key(s string) string {
	s = strings.TrimRight(s, " ")
	size := 0
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return c.slowKey(s)
		}
		size += len(c.ascii[s[i]])
	}
	var b strings.Builder
	b.Grow(size)
	for i := range len(s) {
		b.WriteString(c.ascii[s[i]])
	}
	return b.String()
}

func (c *collation) slowKey(s string) string {
	s = strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, s)
	f := c.collators.Get().(*folder)
	defer c.collators.Put(f)
	f.buffer.Reset()
	return string(f.collator.KeyFromString(&f.buffer, s))
}

// likeFold prepares a text for LIKE, which compares character by character: blanks at
// the end count there.
func likeFold(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(s)
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s)))
}

// like reports whether s matches a LIKE pattern; both are folded. % stands for any run
// of characters, _ for one, \ takes the next character as it is.
func like(s, pattern string) bool {
	text, pat := []rune(s), likePattern(pattern)
	t, p, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pat) && pat[p].any:
			star, mark = p, t
			p++
		case p < len(pat) && (pat[p].one || pat[p].r == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pat) && pat[p].any {
		p++
	}
	return p == len(pat)
}

type likeToken struct {
	r        rune
	any, one bool
}

func likePattern(pattern string) []likeToken {
	tokens := make([]likeToken, 0, len(pattern))
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			tokens, escaped = append(tokens, likeToken{r: r}), false
		case r == '\\':
			escaped = true
		case r == '%':
			tokens = append(tokens, likeToken{any: true})
		case r == '_':
			tokens = append(tokens, likeToken{one: true})
		default:
			tokens = append(tokens, likeToken{r: r})
		}
	}
	if escaped {
		tokens = append(tokens, likeToken{r: '\\'})
	}
	return tokens
}
