package loaders

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold maps names that MariaDB's utf8mb4_unicode_ci takes as equal to one text: case,
// accents and trailing blanks do not count.
func Fold(name string) string {
	ascii := true
	for i := range len(name) {
		if name[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(strings.TrimRight(name, " "))
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.TrimRight(name, " ")) {
		switch {
		case unicode.Is(accents, r):
		case r == 'ß':
			b.WriteString("ss")
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// accents are the marks that the collation passes over: those of Latin, Greek and
// Cyrillic, the points of Hebrew, the vowels of Arabic, the voicing of Japanese kana. The vowel signs of Indian
// scripts are marks to Unicode too, and letters to the collation.
var accents = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036f, Stride: 1},
	{Lo: 0x0591, Hi: 0x05bd, Stride: 1},
	{Lo: 0x05bf, Hi: 0x05bf, Stride: 1},
	{Lo: 0x05c1, Hi: 0x05c2, Stride: 1},
	{Lo: 0x05c4, Hi: 0x05c5, Stride: 1},
	{Lo: 0x05c7, Hi: 0x05c7, Stride: 1},
	{Lo: 0x064b, Hi: 0x0652, Stride: 1},
	{Lo: 0x0670, Hi: 0x0670, Stride: 1},
	{Lo: 0x3099, Hi: 0x309a, Stride: 1},
}}

// matches tells for each name that was asked for whether one that ERPNext answered is
// the same to MariaDB, which takes names as equal that differ in case or accents.
//
// Fold takes more for equal than MariaDB does (to which й is a letter, and no и with an
// accent), and a row must not be shown for another document's sake. So a name that is
// equal by Fold alone counts only where no other one asked for could have brought the
// answer.
func matches(asked, answered []string) map[string]bool {
	same, alike := spellings(answered)
	rivals := make(map[string]int, len(asked))
	for _, name := range asked {
		rivals[Fold(name)]++
	}
	out := make(map[string]bool, len(asked))
	for _, name := range asked {
		out[name] = same[plainFold(name)] || rivals[Fold(name)] == 1 && alike[Fold(name)]
	}
	return out
}

// spellings are the names by what MariaDB surely takes for equal, and by Fold.
func spellings(names []string) (same, alike map[string]bool) {
	same, alike = make(map[string]bool, len(names)), make(map[string]bool, len(names))
	for _, name := range names {
		same[plainFold(name)], alike[Fold(name)] = true, true
	}
	return same, alike
}

// plainFold maps names to one text that are equal in every collation that ignores case
// and pads with blanks: letters beyond ASCII stay as they are.
func plainFold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.TrimRight(name, " "))
}
