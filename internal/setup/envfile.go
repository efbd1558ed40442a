package setup

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// setting is a line of a file of settings.
type setting struct{ name, value string }

// envFile is a file of NAME=value lines as a shell, docker --env-file and systemd's
// EnvironmentFile read it. All that is not ours stays byte for byte.
type envFile struct{ lines []envLine }

// envLine is one line with its end. Name is "" where nothing is assigned.
type envLine struct {
	raw    string
	prefix string // all before the value: blanks, "export ", the name, "="
	name   string
	value  string // as a shell reads it
}

// EnvFileError is a file of settings that can't be kept.
type EnvFileError struct {
	Path    string
	Line    int // from 1, 0 for the file as a whole
	Message string
	Err     error // the cause, where the system gave one
}

// Error names the file and line.
func (e *EnvFileError) Error() string {
	place := e.Path
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d", e.Path, e.Line)
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", place, e.Message, e.Err)
	}
	return place + ": " + e.Message
}

// Unwrap gives the cause.
func (e *EnvFileError) Unwrap() error { return e.Err }

var (
	assignment = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=`)
	// plain are the characters that mean themselves to every reader, without quotes.
	// docker keeps quotes as part of the value, so no value of ours has any.
	plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,\[\]-]+$`)
)

// plainValue tells whether all readers agree on a value written as it is.
func plainValue(value string) bool { return plain.MatchString(value) }

// parseEnv splits a file into lines. A value that goes on in the next line is refused:
// what looks like a setting there may be part of it.
func parseEnv(path string, data []byte) (*envFile, error) {
	f := &envFile{}
	for raw := range bytes.Lines(data) {
		line, closed := parseLine(string(raw))
		if !closed {
			return nil, &EnvFileError{Path: path, Line: len(f.lines) + 1, Message: "a quote is left open or the line goes on in the next; write the value in one line"}
		}
		f.lines = append(f.lines, line)
	}
	return f, nil
}

func parseLine(raw string) (line envLine, closed bool) {
	line.raw = raw
	m := assignment.FindStringSubmatch(raw)
	if m == nil {
		comment := strings.HasPrefix(strings.TrimLeft(raw, " \t"), "#")
		_, closed = shellWord(strings.TrimSuffix(raw, "\n"))
		return line, closed || comment
	}
	line.prefix, line.name = m[0], m[1]
	line.value, closed = shellWord(strings.TrimSuffix(raw[len(m[0]):], "\n"))
	return line, closed
}

// shellWord reads the first word of a text as a shell does, without expanding anything.
// closed is false when the text ends inside of quotes or with a backslash.
func shellWord(s string) (word string, closed bool) {
	var b strings.Builder
	var quote byte
	ended := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == 0 && (c == ' ' || c == '\t'):
			ended = true
			continue
		case quote == 0 && c == '#' && ended:
			return b.String(), true
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			continue
		case quote != 0 && c == quote:
			quote = 0
			continue
		case c == '\\' && quote != '\'':
			i++
			if i == len(s) {
				return b.String(), false
			}
			if c = s[i]; quote == '"' && !strings.ContainsRune("\"\\$`", rune(c)) {
				b.WriteByte('\\')
			}
		}
		if !ended {
			b.WriteByte(c)
		}
	}
	return b.String(), quote == 0
}

// get is the value that counts: the last one.
func (f *envFile) get(name string) string {
	for _, line := range slices.Backward(f.lines) {
		if line.name == name {
			return line.value
		}
	}
	return ""
}

// set writes a setting where it stands, or at the end, and tells whether that changed
// anything. The value must be plain.
func (f *envFile) set(s setting) (changed bool) {
	found := false
	for i, line := range f.lines {
		if line.name != s.name {
			continue
		}
		found = true
		if line.value != s.value {
			f.lines[i] = assign(line.prefix, s)
			changed = true
		}
	}
	if found {
		return changed
	}
	if last := len(f.lines) - 1; last >= 0 && !strings.HasSuffix(f.lines[last].raw, "\n") {
		f.lines[last].raw += "\n"
	}
	f.lines = append(f.lines, assign(s.name+"=", s))
	return true
}

func assign(prefix string, s setting) envLine {
	return envLine{raw: prefix + s.value + "\n", prefix: prefix, name: s.name, value: s.value}
}

// unset drops a setting, and tells whether it was there.
func (f *envFile) unset(name string) (changed bool) {
	before := len(f.lines)
	f.lines = slices.DeleteFunc(f.lines, func(line envLine) bool { return line.name == name })
	return len(f.lines) != before
}

// bytes is the file's content.
func (f *envFile) bytes() []byte {
	var b bytes.Buffer
	for _, line := range f.lines {
		b.WriteString(line.raw)
	}
	return b.Bytes()
}
