package simulator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// source is one table of a query. The first is the DocType's own; child tables and
// linked documents are joined to it.
type source struct {
	alias string // with "tab" before it, as SQL has it
	table *table
	link  int  // column of the first table that names the linked document
	child bool // joined by parent
}

// reference is a column of one of a query's sources.
type reference struct {
	source, column int
}

// item is one expression of the select list.
type item struct {
	label    string
	function string // lower case, empty for a plain column
	distinct bool   // inside the function
	star     bool   // count(*)
	ref      reference
	source   string // the text as it came
}

func (it *item) isAggregate() bool {
	return slices.Contains([]string{"count", "sum", "avg", "min", "max"}, it.function)
}

// query is a list compiled against the tables of a snapshot.
type query struct {
	call     *call
	args     *listArgs
	meta     *docType
	sources  []source
	items    []item
	distinct bool
	where    []*condition
	anyOf    []*condition // or_filters
	allowed  func(*row) bool
	group    []reference
	order    []orderTerm
	// permissionColumns are the columns of the first table that allowed looks at.
	permissionColumns []int
}

// compile turns arguments into a query, in Frappe's order of checks.
func (q *call) compile(args *listArgs) (*query, error) {
	t := q.snap.tables[args.doctype]
	if t == nil {
		return nil, notFound("DocType", args.doctype)
	}
	qr := &query{call: q, args: args, meta: t.meta, distinct: args.distinct}
	if err := qr.mayRead(t.meta, args.parent); err != nil {
		return nil, err
	}
	qr.sources = []source{{alias: "tab" + t.meta.Name, table: t}}
	fields := args.fields
	if len(fields) == 0 {
		fields = []string{"name"}
	}
	parsed, err := qr.parseFields(fields)
	if err != nil {
		return nil, err
	}
	if err := qr.joinFieldTables(parsed); err != nil {
		return nil, err
	}
	if qr.where, err = qr.conditions(args.filters); err != nil {
		return nil, err
	}
	if qr.anyOf, err = qr.conditions(args.orFilters); err != nil {
		return nil, err
	}
	if !args.unfiltered {
		if qr.allowed, err = qr.permissionFilter(); err != nil {
			return nil, err
		}
	}
	if err := qr.selectItems(parsed); err != nil {
		return nil, err
	}
	if err := qr.compileOrder(); err != nil {
		return nil, err
	}
	if args.limit < 0 {
		return nil, syntaxError(fmt.Sprintf("%d offset %d", args.limit, args.start), 6)
	}
	return qr, nil
}

// mayRead checks the right to list a DocType, by which Frappe guards each table that
// takes part in a query.
func (qr *query) mayRead(meta *docType, parent string) error {
	if qr.args.unfiltered {
		return nil
	}
	if parent == "" {
		parent = qr.args.doctype
	}
	a := qr.call.access()
	if a.docType(meta, a.readRight(meta), parent) {
		return nil
	}
	return a.denied("", "No permission for "+meta.Name)
}

// field is one text of the select list, taken apart.
type field struct {
	text     string
	distinct bool
	function string
	within   bool // distinct inside the function
	table    string
	column   string
	alias    string
	source   int // of a dotted field that was resolved already, else -1
}

var (
	aliasPattern    = regexp.MustCompile("(?is)^(.*?)\\s+as\\s+[`'\"]?(\\w+)[`'\"]?\\s*$")
	distinctPattern = regexp.MustCompile(`(?i)^\s*distinct\s+`)
	functionPattern = regexp.MustCompile(`(?s)^\s*(\w+)\s*\((.*)\)\s*$`)
	columnPattern   = regexp.MustCompile("^\\s*(?:(`[^`]+`|[\\w ]+)\\.)?(`[^`]+`|\\w+|\\*)\\s*$")
)

func parseField(text string) field {
	f := field{text: text, source: -1}
	body := text
	if m := aliasPattern.FindStringSubmatch(body); m != nil {
		body, f.alias = m[1], m[2]
	}
	if m := distinctPattern.FindString(body); m != "" {
		f.distinct, body = true, body[len(m):]
	}
	if m := functionPattern.FindStringSubmatch(body); m != nil {
		f.function, body = strings.ToLower(m[1]), m[2]
		if d := distinctPattern.FindString(body); d != "" {
			f.within, body = true, body[len(d):]
		}
	}
	if m := columnPattern.FindStringSubmatch(body); m != nil {
		f.table, f.column = strings.Trim(m[1], "`"), strings.Trim(m[2], "`")
	}
	return f
}

// parseFields takes the fields apart, joins the linked documents that dotted fields
// name, and refuses what looks like an attack.
func (qr *query) parseFields(fields []string) ([]field, error) {
	var out []field
	for _, text := range fields {
		if text == "" {
			continue
		}
		f := parseField(text)
		if f.table != "" && f.function == "" {
			if df := qr.meta.field(f.table); df != nil {
				if df.Type == "Link" {
					i, err := qr.joinLink(df)
					if err != nil {
						return nil, err
					}
					f.source = i
				} else {
					f.table = "tab" + df.Options
				}
			}
		}
		out = append(out, f)
	}
	for _, f := range out {
		if err := sanitize(f.text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var (
	subQueryPattern  = regexp.MustCompile(`^.*[,();@].*`)
	queryPattern     = regexp.MustCompile(`^(select|delete|update|drop|create)\s`)
	predicatePattern = regexp.MustCompile(`^\s*[0-9a-zA-z]*\s*( from | group by | order by | where | join )`)
	quotePattern     = regexp.MustCompile(`^[0-9a-zA-Z]+\s*'`)
	commaPattern     = regexp.MustCompile(`^[0-9a-zA-Z]+\s*,`)

	forbiddenWords     = []string{"select", "create", "insert", "delete", "drop", "update", "case", "show"}
	forbiddenFunctions = []string{
		"concat", "concat_ws", "if", "ifnull", "nullif", "coalesce", "connection_id", "current_user",
		"database", "last_insert_id", "session_user", "system_user", "user", "version", "global",
	}
)

func sanitize(text string) error {
	restricted := thrown("DataError", "Use of sub-query or function is restricted")
	lower := strings.TrimSpace(strings.ToLower(text))
	if subQueryPattern.MatchString(text) {
		if strings.HasPrefix(lower, "(") {
			word, _, _ := strings.Cut(strings.TrimLeft(lower[1:], " "), " ")
			if slices.Contains(forbiddenWords, word) {
				return restricted
			}
		}
		function, _, _ := strings.Cut(lower, "(")
		if function = strings.TrimRight(function, " "); slices.Contains(forbiddenFunctions, function) {
			return thrown("DataError", "Use of function "+function+" in field is restricted")
		}
		if strings.Contains(lower, "@") {
			return restricted
		}
	}
	for _, p := range []*regexp.Regexp{quotePattern, commaPattern, queryPattern, predicatePattern} {
		if p.MatchString(text) {
			return restricted
		}
	}
	return nil
}

// joinLink joins the document that a Link field names; each field joins it once.
func (qr *query) joinLink(df *docField) (int, error) {
	col := qr.meta.column(df.Name)
	n := 1
	for i, s := range qr.sources {
		if i == 0 || s.child {
			continue
		}
		if s.link == col {
			return i, nil
		}
		if s.table.meta.Name == df.Options {
			n++
		}
	}
	t := qr.call.snap.tables[df.Options]
	if t == nil {
		return 0, notFound("DocType", df.Options)
	}
	if err := qr.mayRead(t.meta, ""); err != nil {
		return 0, err
	}
	qr.sources = append(qr.sources, source{alias: fmt.Sprintf("tab%s_%d", df.Options, n), table: t, link: col})
	return len(qr.sources) - 1, nil
}

// joinFieldTables joins the child tables that fields name outright. Aggregates do not
// join anything by themselves.
func (qr *query) joinFieldTables(fields []field) error {
	for _, f := range fields {
		if f.source >= 0 || !strings.HasPrefix(f.table, "tab") || slices.Contains([]string{"count", "sum", "avg"}, f.function) {
			continue
		}
		if _, err := qr.joinTable(strings.TrimPrefix(f.table, "tab")); err != nil {
			return err
		}
	}
	return nil
}

// joinTable returns the source of a DocType, joining it as a child table if it has none.
func (qr *query) joinTable(doctype string) (int, error) {
	if i := qr.sourceOf("tab" + doctype); i >= 0 {
		return i, nil
	}
	meta := qr.call.snap.meta(doctype)
	if meta == nil {
		return 0, notFound("DocType", doctype)
	}
	if err := qr.mayRead(meta, ""); err != nil {
		return 0, err
	}
	if meta.column("parenttype") < 0 {
		return 0, unknownColumn("tab"+doctype+".parenttype", "ON")
	}
	qr.sources = append(qr.sources, source{alias: "tab" + doctype, table: qr.call.snap.tables[meta.Name], child: true})
	return len(qr.sources) - 1, nil
}

func (qr *query) sourceOf(alias string) int {
	return slices.IndexFunc(qr.sources, func(s source) bool { return s.alias == alias })
}

// selectItems resolves the select list and drops what the caller may not read.
func (qr *query) selectItems(fields []field) error {
	levels, selectable := make([]map[int]bool, len(qr.sources)), make([][]string, len(qr.sources))
	for i, s := range qr.sources {
		if !qr.args.unfiltered {
			parent := qr.args.doctype
			if i == 0 {
				parent = qr.args.parent
			}
			levels[i] = qr.call.access().levels(s.table.meta, parent)
			selectable[i] = qr.selectable(s.table.meta)
		}
	}
	for _, f := range fields {
		qr.distinct = qr.distinct || f.distinct
		if f.column == "*" && f.function == "" {
			for _, name := range qr.call.access().permittedFields(qr.meta, qr.args.parent, "") {
				qr.items = append(qr.items, item{label: name, ref: reference{0, qr.meta.column(name)}})
			}
			continue
		}
		it, err := qr.resolveField(f)
		if err != nil {
			return err
		}
		c := qr.sources[it.ref.source].table.meta.columns[it.ref.column]
		if names := selectable[it.ref.source]; names != nil {
			if it.star || slices.Contains(names, c.name) || isOptional(c.name) {
				qr.items = append(qr.items, it)
			}
			continue
		}
		if c.field != nil && levels[it.ref.source] != nil && !levels[it.ref.source][c.field.PermLevel] {
			continue
		}
		qr.items = append(qr.items, it)
	}
	return nil
}

// selectable are the columns of a DocType that a caller may have whose only right is to
// select, for links: those by which documents are found. Nil stands for the usual rules.
func (qr *query) selectable(meta *docType) []string {
	a := qr.call.access()
	if bool(meta.IsTable) || a.user.isAdmin() || slices.Contains(coreDocTypes, meta.Name) || a.readRight(meta) != "select" {
		return nil
	}
	return a.permittedFields(meta, "", "select")
}

func (qr *query) resolveField(f field) (item, error) {
	it := item{label: f.alias, function: f.function, distinct: f.within, source: f.text}
	if it.label == "" {
		if it.label = f.text; f.function == "" {
			it.label = f.column
		}
	}
	if f.function != "" && !it.isAggregate() {
		return it, python("pymysql.err.OperationalError", fmt.Sprintf(`(1305, "FUNCTION %s does not exist")`, f.function))
	}
	if f.column == "*" {
		it.star = true
		return it, nil
	}
	if f.column == "" {
		return it, syntaxError(f.text, 1)
	}
	switch {
	case f.source >= 0:
		it.ref.source = f.source
	case f.table != "":
		alias := f.table
		if !strings.HasPrefix(alias, "tab") {
			alias = "tab" + alias
		}
		if it.ref.source = qr.sourceOf(alias); it.ref.source < 0 {
			return it, raised("PermissionError", strings.TrimPrefix(f.table, "tab"))
		}
	}
	s := qr.sources[it.ref.source]
	if it.ref.column = s.table.meta.column(f.column); it.ref.column < 0 {
		return it, unknownColumn(f.column, "SELECT")
	}
	return it, nil
}
