package doctype

// stored is what a stored Frappe fieldtype becomes in the graph.
type stored struct {
	kind    Kind
	graphQL string
	// long texts can be filtered, but not ordered or grouped by: an order by megabytes
	// of text helps nobody, and a cursor would carry them.
	long bool
	// notNull columns are created NOT NULL with a default by Frappe
	// (database/schema.py: Check, Int, Currency, Float, Percent).
	notNull bool
}

// storedTypes are Frappe 15's fieldtypes with a column (database/mariadb/database.py),
// apart from links, selects and tables, which Build decides.
var storedTypes = map[string]stored{
	"Attach":          {kind: URL, graphQL: "URL", long: true},
	"Attach Image":    {kind: URL, graphQL: "URL", long: true},
	"Autocomplete":    {kind: String, graphQL: "String"},
	"Barcode":         {kind: String, graphQL: "String", long: true},
	"Check":           {kind: Boolean, graphQL: "Boolean", notNull: true},
	"Code":            {kind: String, graphQL: "String", long: true},
	"Color":           {kind: String, graphQL: "String"},
	"Currency":        {kind: Decimal, graphQL: "Decimal", notNull: true},
	"Data":            {kind: String, graphQL: "String"},
	"Date":            {kind: Date, graphQL: "Date"},
	"Datetime":        {kind: DateTime, graphQL: "DateTime"},
	"Duration":        {kind: Duration, graphQL: "Int"},
	"Float":           {kind: Float, graphQL: "Float", notNull: true},
	"Geolocation":     {kind: JSON, graphQL: "JSON", long: true},
	"HTML Editor":     {kind: String, graphQL: "String", long: true},
	"Icon":            {kind: String, graphQL: "String"},
	"Int":             {kind: Int, graphQL: "Int", notNull: true},
	"JSON":            {kind: JSON, graphQL: "JSON", long: true},
	"Link":            {kind: String, graphQL: "String"},
	"Long Int":        {kind: Int, graphQL: "Int"},
	"Long Text":       {kind: String, graphQL: "String", long: true},
	"Markdown Editor": {kind: String, graphQL: "String", long: true},
	"Percent":         {kind: Float, graphQL: "Float", notNull: true},
	"Phone":           {kind: String, graphQL: "String"},
	"Rating":          {kind: Rating, graphQL: "Float"},
	"Read Only":       {kind: String, graphQL: "String"},
	"Select":          {kind: String, graphQL: "String"},
	"Signature":       {kind: String, graphQL: "String", long: true},
	"Small Text":      {kind: String, graphQL: "String", long: true},
	"Text":            {kind: String, graphQL: "String", long: true},
	"Text Editor":     {kind: String, graphQL: "String", long: true},
	"Time":            {kind: Time, graphQL: "Time"},
}

// Layout tells whether the field only arranges a form: it holds no value.
func (f *FieldFacts) Layout() bool {
	switch f.Fieldtype {
	case "Section Break", "Column Break", "Tab Break", "HTML", "Button", "Image", "Fold", "Heading":
		return true
	}
	return false
}

// Filterable tells whether the field is in the where input of its type.
func (f *Field) Filterable() bool {
	switch f.Kind {
	case URL, JSON, Table, ReverseList, Custom:
		return false
	case ID:
		return f.Column != ""
	case String:
		return f.Column != ""
	default:
		return true
	}
}

// Sortable tells whether rows can be ordered and grouped by the field: a stored
// value of bounded length.
func (f *Field) Sortable() bool { return f.Filterable() && !f.Long }

// Summable tells whether sum and avg make sense.
func (f *Field) Summable() bool {
	switch f.Kind {
	case Int, Float, Decimal, Duration, Rating:
		return !f.Standard
	default:
		return false
	}
}

// Ranged tells whether min and max make sense: numbers and times.
func (f *Field) Ranged() bool {
	switch f.Kind {
	case Date, Time, DateTime:
		return true
	default:
		return f.Summable()
	}
}
