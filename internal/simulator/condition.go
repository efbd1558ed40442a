package simulator

import (
	"fmt"
	"regexp"
	"strings"
)

// comparison is the form of condition that is understood: a field of the document against
// a number or a text.
var comparison = regexp.MustCompile(`^doc\.(\w+)\s*(==|!=|<=|>=|<|>)\s*(?:(-?[0-9.]+)|"([^"]*)"|'([^']*)')$`)

// satisfied evaluates the condition of a transition, a Python expression there. Here it is
// comparisons of fields joined by "and", or a field alone; anything else is an error rather
// than a guess.
func satisfied(condition string, d *document) (bool, error) {
	if strings.TrimSpace(condition) == "" {
		return true, nil
	}
	for part := range strings.SplitSeq(condition, " and ") {
		part = strings.TrimSpace(part)
		if f, ok := strings.CutPrefix(part, "doc."); ok && d.meta.column(f) >= 0 {
			if !d.get(f).truthy() {
				return false, nil
			}
			continue
		}
		m := comparison.FindStringSubmatch(part)
		if m == nil {
			return false, python("SyntaxError", fmt.Sprintf("the simulator does not know the condition %q", condition))
		}
		literal := textValue(m[4] + m[5])
		if m[3] != "" {
			literal = floatValue(flt(m[3]))
		}
		if !holds(d.get(m[1]), m[2], literal) {
			return false, nil
		}
	}
	return true, nil
}

func holds(v value, op string, literal value) bool {
	var order int
	if literal.kind == text {
		order = strings.Compare(v.s, literal.s)
	} else {
		order = compareValues(floatValue(v.number()), literal)
	}
	switch op {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}
