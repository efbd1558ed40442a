package frappe

import (
	"html"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainText takes the markup out of a message that Frappe made for its web pages:
// tags are dropped, block tags become blanks, entities become characters, white
// space is folded. The result is text, not HTML: whoever shows it escapes it.
func plainText(message string) string {
	var b strings.Builder
	for message != "" {
		open := strings.IndexByte(message, '<')
		if open < 0 {
			b.WriteString(message)
			break
		}
		b.WriteString(message[:open])
		message = message[open:]
		end := tagEnd(message)
		if end == 0 { // "a < b" is no tag
			b.WriteByte('<')
			message = message[1:]
			continue
		}
		if isBreak(message[:end]) {
			b.WriteByte(' ')
		}
		message = message[end:]
	}
	return fold(html.UnescapeString(b.String()))
}

// tagEnd is the length of the tag or comment at the start of s, 0 when there is
// none. A '>' in a quoted attribute does not end it; a tag without end is the rest.
func tagEnd(s string) int {
	if len(s) < 2 || !isTagStart(s[1]) {
		return 0
	}
	if strings.HasPrefix(s, "<!--") {
		if end := strings.Index(s, "-->"); end >= 0 {
			return end + len("-->")
		}
		return len(s)
	}
	var quote byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			if s[i-1] == '=' { // an apostrophe elsewhere is a stray one
				quote = c
			}
		case c == '>':
			return i + 1
		}
	}
	return len(s)
}

func isTagStart(c byte) bool {
	return c == '/' || c == '!' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isBreak tells whether a browser would begin a new line at the tag.
func isBreak(tag string) bool {
	name := strings.TrimLeft(strings.ToLower(tag), "</")
	if end := strings.IndexFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
		name = name[:end]
	}
	switch name {
	case "br", "p", "div", "li", "ul", "ol", "tr", "td", "th", "table", "hr", "pre", "details", "summary",
		"h1", "h2", "h3", "h4", "h5", "h6":
		return true
	default:
		return false
	}
}

// fold makes one blank of any white space and drops control characters, so that a
// message can't forge lines of a log.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), r == utf8.RuneError:
			return -1
		default:
			return r
		}
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// truncate cuts s to at most limit bytes, between characters.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// looksLikeHTML tells a page from data, by what the server says of it or by how it
// begins: proxies send their pages under any type.
func looksLikeHTML(header http.Header, body []byte) bool {
	kind := strings.ToLower(header.Get("Content-Type"))
	if strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "application/xhtml") {
		return true
	}
	text := strings.TrimLeft(string(body[:min(len(body), 256)]), " \t\r\n\ufeff")
	return strings.HasPrefix(text, "<")
}
