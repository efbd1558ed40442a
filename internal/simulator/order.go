package simulator

import (
	"regexp"
	"slices"
	"strings"
)

// orderTerm is one term of ORDER BY: a column, or an item of the select list.
type orderTerm struct {
	ref  reference
	item int // -1: by ref
	desc bool
}

var illegalOrder = regexp.MustCompile("(?s).*[^a-z0-9-_ ,`'\"\\.\\(\\)].*")

// checkOrder is Frappe's guard on order_by and group_by.
func (qr *query) checkOrder(terms string) error {
	lower := strings.ToLower(terms)
	if strings.Contains(lower, "select") && strings.Contains(lower, "from") {
		return thrown("ValidationError", "Cannot use sub-query in order by")
	}
	if illegalOrder.MatchString(lower) {
		return thrown("ValidationError", "Illegal SQL Query")
	}
	for term := range strings.SplitSeq(terms, ",") {
		term = strings.TrimSpace(term)
		if strings.Contains(term, ".") && strings.HasPrefix(term, "`tab") {
			table, _, _ := strings.Cut(term, ".")
			i := qr.sourceOf(strings.Trim(table, "`"))
			if i < 0 || i > 0 && !qr.sources[i].child {
				return thrown("ValidationError", "Please select atleast 1 column from "+strings.Trim(table, "`")[3:]+" to sort/group")
			}
		}
		function, _, _ := strings.Cut(term, "(")
		if strings.ToLower(strings.TrimRight(function, " ")) == "sleep" {
			return thrown("ValidationError", "Cannot use "+term+" in order/group by")
		}
	}
	return nil
}

// compileOrder resolves group_by and order_by.
func (qr *query) compileOrder() error {
	orderBy := qr.effectiveOrder()
	for _, terms := range []string{orderBy, qr.args.groupBy} {
		if terms == "" {
			continue
		}
		if err := qr.checkOrder(terms); err != nil {
			return err
		}
	}
	for term := range strings.SplitSeq(qr.args.groupBy, ",") {
		if term = strings.TrimSpace(term); term == "" {
			continue
		}
		i, ref, err := qr.resolveTerm(term, "GROUP BY")
		if err != nil {
			return err
		}
		if i >= 0 {
			ref = qr.items[i].ref
		}
		qr.group = append(qr.group, ref)
	}
	if orderBy == "" || qr.args.distinct {
		return nil
	}
	parts := strings.Split(orderBy, ",")
	for n, term := range parts {
		t, err := qr.orderTerm(strings.TrimSpace(term), strings.Join(parts[n+1:], ","))
		if err != nil {
			return err
		}
		qr.order = append(qr.order, t)
	}
	return nil
}

// effectiveOrder is what was asked for, or the DocType's own order where the endpoint
// says so. A lone aggregate is not ordered.
func (qr *query) effectiveOrder() string {
	if qr.args.orderBy != "" || !qr.args.metaOrder {
		return qr.args.orderBy
	}
	if len(qr.items) == 1 && qr.items[0].isAggregate() && qr.args.groupBy == "" {
		return ""
	}
	return qr.meta.defaultOrder()
}

// defaultOrder is the order that a DocType gives itself.
func (d *docType) defaultOrder() string {
	var out []string
	if !strings.Contains(d.SortField, ",") {
		return "`tab" + d.Name + "`.`" + d.SortField + "` " + strings.ToLower(d.SortOrder)
	}
	for term := range strings.SplitSeq(d.SortField, ",") {
		if w := strings.Fields(term); len(w) > 0 {
			out = append(out, "`tab"+d.Name+"`.`"+w[0]+"` "+strings.Join(w[1:], " "))
		}
	}
	return strings.Join(out, ", ")
}

func (qr *query) orderTerm(term, rest string) (orderTerm, error) {
	expr, t := term, orderTerm{}
	if i := strings.LastIndexByte(term, ')'); strings.Count(term, "`")%2 == 0 {
		// The direction is what follows the last blank outside quotes.
		for j := len(term) - 1; j > i; j-- {
			if term[j] == '`' {
				break
			}
			if term[j] == ' ' {
				expr = strings.TrimSpace(term[:j])
				switch word := strings.ToLower(term[j+1:]); word {
				case "asc":
				case "desc":
					t.desc = true
				default:
					return t, qr.orderSyntax(term, rest)
				}
				break
			}
		}
	}
	if strings.Contains(strings.Trim(expr, "`"), " ") && !strings.Contains(expr, "`") && !strings.Contains(expr, "(") {
		return t, qr.orderSyntax(term, rest)
	}
	i, ref, err := qr.resolveTerm(expr, "ORDER BY")
	t.item, t.ref = i, ref
	return t, err
}

// orderSyntax is the database's complaint about words after a term.
func (qr *query) orderSyntax(term, rest string) error {
	words := strings.Fields(term)
	at := 1
	if len(words) > 1 && slices.Contains([]string{"asc", "desc"}, strings.ToLower(words[1])) {
		at = 2
	}
	if len(words) > at && strings.EqualFold(words[at], "limit") {
		return syntaxError(qr.limitClause(), 6)
	}
	near := strings.Join(words[min(at, len(words)):], " ")
	if rest != "" {
		near += "," + rest
	}
	return syntaxError(near+"\n\t\t\t"+qr.limitClause(), 5)
}

// resolveTerm finds the column that a term of ORDER BY or GROUP BY means: an alias or a
// column of the select list first, then a column of any table.
func (qr *query) resolveTerm(expr, clause string) (int, reference, error) {
	f := parseField(expr)
	if f.function != "" {
		for i, it := range qr.items {
			if it.function == f.function && sameExpression(it.source, expr) {
				return i, it.ref, nil
			}
		}
		it, err := qr.resolveField(f)
		if err != nil {
			return -1, reference{}, err
		}
		it.label = "" // computed for the order, not answered
		qr.items = append(qr.items, it)
		return len(qr.items) - 1, it.ref, nil
	}
	if f.column == "" || f.column == "*" {
		return -1, reference{}, syntaxError(expr+" "+qr.tail(), 5)
	}
	if f.table != "" {
		alias := f.table
		if i := qr.sourceOf(alias); i >= 0 {
			if c := qr.sources[i].table.meta.column(f.column); c >= 0 {
				return -1, reference{i, c}, nil
			}
		}
		return -1, reference{}, unknownColumn(f.table+"."+f.column, clause)
	}
	for i, it := range qr.items {
		if strings.EqualFold(it.label, f.column) && (clause == "ORDER BY" || it.function == "") {
			return i, it.ref, nil
		}
	}
	found := reference{source: -1}
	for i, s := range qr.sources {
		if c := s.table.meta.column(f.column); c >= 0 {
			if found.source >= 0 {
				return -1, reference{}, ambiguousColumn(f.column, clause)
			}
			found = reference{i, c}
		}
	}
	if found.source < 0 {
		return -1, reference{}, unknownColumn(f.column, clause)
	}
	return -1, found, nil
}

func sameExpression(a, b string) bool {
	a = aliasSuffix.ReplaceAllString(a, "")
	strip := strings.NewReplacer(" ", "", "`", "")
	return strings.EqualFold(strip.Replace(a), strip.Replace(b))
}
