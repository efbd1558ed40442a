//go:build ignore

// Generate makes the demo's data set out of an exported site: a folder with meta/*.json,
// one DocType's metadata each, and site/*.jsonl.gz, one DocType's documents each.
//
//	go run ./internal/simulator/demo/generate.go -from FOLDER -to internal/simulator/demo
//
// It keeps a part of the documents, makes all links among them lead somewhere, and leaves
// out what belongs to the exported site alone. The same input gives the same bytes.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type doc = map[string]any

func main() {
	from := flag.String("from", "", "folder of the exported site")
	to := flag.String("to", ".", "folder to write to")
	flag.Parse()
	if err := generate(*from, *to); err != nil {
		log.Fatal(err)
	}
}

func generate(from, to string) error {
	g := &generator{from: from, rename: strings.NewReplacer(), metas: make(map[string]doc), docs: make(map[string][]doc), names: make(map[string]map[string]bool)}
	for _, step := range []func() error{g.readMeta, g.readCompany, g.readMasters, g.readParties, g.readItems, g.readTransactions, g.readAround, g.invent, g.repair} {
		if err := step(); err != nil {
			return err
		}
	}
	return g.write(to)
}

type generator struct {
	from  string
	metas map[string]doc
	order []string
	docs  map[string][]doc
	names map[string]map[string]bool
	items []doc

	rename *strings.Replacer
}

// foreign are the DocTypes that only the exported site has.
func foreign(name string) bool {
	return strings.HasPrefix(name, "Service ") || name == "Site Note Settings"
}

func (g *generator) readMeta() error {
	files, err := filepath.Glob(filepath.Join(g.from, "meta", "*.json"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var m doc
		if err := json.Unmarshal(raw, &m); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := m["name"].(string)
		if foreign(name) {
			continue
		}
		var fields []any
		for _, f := range m["fields"].([]any) {
			field := f.(doc)
			if own := field["fieldname"].(string); strings.HasPrefix(own, "custom_") || own == "deposit_balance" {
				continue
			}
			if options, _ := field["options"].(string); foreign(options) {
				continue
			}
			fields = append(fields, field)
		}
		m["fields"] = fields
		g.metas[name] = m
		g.order = append(g.order, name)
	}
	return nil
}

// readMasters takes whole DocTypes over.
func (g *generator) readMasters() error {
	for _, name := range []string{
		"Company", "Country", "Currency", "Customer Group", "Fiscal Year", "Item Group", "Price List", "Role",
		"Supplier", "Supplier Group", "Territory", "UOM", "User", "Warehouse",
	} {
		if err := g.read(name, func(d doc) bool { return true }, -1); err != nil {
			return err
		}
	}
	for _, u := range g.docs["User"] {
		for _, secret := range []string{"api_key", "api_secret", "last_ip", "last_known_versions", "reset_password_key"} {
			delete(u, secret)
		}
	}
	// Frappe shares each user's document with the user, who has no other right to read it.
	own := func(d doc) bool {
		return d["share_doctype"] == "User" && d["share_name"] == d["user"] && g.names["User"][str(d["user"])]
	}
	if err := g.read("DocShare", own, -1); err != nil {
		return err
	}
	return g.read("User Permission", func(d doc) bool { return d["user"] == "sales-north@example.com" }, -1)
}

// readParties keeps the customers with awkward names, which the site made first, and then
// every so many, so that all territories have some.
func (g *generator) readParties() error {
	all, err := g.load("Customer")
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b doc) int { return strings.Compare(a["creation"].(string), b["creation"].(string)) })
	for i, d := range all {
		if i < 20 || (i-20)%5 == 0 {
			g.keep("Customer", d)
		}
		if len(g.docs["Customer"]) == 120 {
			break
		}
	}
	for _, name := range []string{"Address", "Contact"} {
		if err := g.read(name, g.linksToKept, -1); err != nil {
			return err
		}
	}
	return nil
}

// linksToKept reports whether a document's dynamic links lead to kept documents.
func (g *generator) linksToKept(d doc) bool {
	links, _ := d["links"].([]any)
	for _, l := range links {
		link := l.(doc)
		if !g.names[str(link["link_doctype"])][str(link["link_name"])] {
			return false
		}
	}
	return len(links) > 0
}

func (g *generator) readItems() error {
	i := 0
	err := g.read("Item", func(doc) bool { i++; return i <= 10 || i%7 == 0 }, 150)
	if err != nil {
		return err
	}
	g.items = g.docs["Item"]
	for _, name := range []string{"Item Price", "Bin"} {
		if err := g.read(name, func(d doc) bool { return g.names["Item"][str(d["item_code"])] }, -1); err != nil {
			return err
		}
	}
	return nil
}

// readTransactions keeps orders and the like of kept customers and suppliers. Their rows
// are given kept items where theirs are not.
func (g *generator) readTransactions() error {
	for _, t := range []struct {
		name, field, party string
		most               int
	}{
		{"Sales Order", "customer", "Customer", 200},
		{"Sales Invoice", "customer", "Customer", 60},
		{"Delivery Note", "customer", "Customer", 20},
		{"Quotation", "party_name", "Customer", 30},
		{"Purchase Order", "supplier", "Supplier", 30},
	} {
		if err := g.read(t.name, func(d doc) bool { return g.names[t.party][str(d[t.field])] }, t.most); err != nil {
			return err
		}
		for i, d := range g.docs[t.name] {
			if title := str(d["title"]); strings.HasPrefix(title, "{") {
				d["title"] = d[t.field]
			}
			delete(d, "other_charges_calculation")
			rows, _ := d["items"].([]any)
			for j, r := range rows {
				g.exchange(r.(doc), i*7+j)
			}
		}
	}
	return nil
}

func (g *generator) exchange(row doc, n int) {
	if g.names["Item"][str(row["item_code"])] {
		return
	}
	item := g.items[n%len(g.items)]
	row["item_code"] = item["name"]
	for _, k := range []string{"item_name", "description", "item_group", "stock_uom"} {
		if _, ok := row[k]; ok {
			row[k] = item[k]
		}
	}
}

// readAround keeps comments, tasks to do and files of kept documents.
func (g *generator) readAround() error {
	kept := func(doctype, name string) func(doc) bool {
		return func(d doc) bool { return g.names[str(d[doctype])][str(d[name])] }
	}
	if err := g.read("Comment", kept("reference_doctype", "reference_name"), 120); err != nil {
		return err
	}
	if err := g.read("ToDo", kept("reference_type", "reference_name"), 20); err != nil {
		return err
	}
	return g.read("File", kept("attached_to_doctype", "attached_to_name"), 10)
}

// read keeps the documents of a DocType that match, up to a number of them.
func (g *generator) read(doctype string, match func(doc) bool, most int) error {
	all, err := g.load(doctype)
	if err != nil {
		return err
	}
	for _, d := range all {
		if most >= 0 && len(g.docs[doctype]) >= most {
			return nil
		}
		if match(d) {
			g.keep(doctype, d)
		}
	}
	return nil
}

func (g *generator) keep(doctype string, d doc) {
	if g.names[doctype] == nil {
		g.names[doctype] = make(map[string]bool)
	}
	g.names[doctype][str(d["name"])] = true
	g.docs[doctype] = append(g.docs[doctype], d)
}

// readCompany gives the company of the exported site another name, wherever it stands.
func (g *generator) readCompany() error {
	all, err := g.load("Company")
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("the site has no company")
	}
	abbr := str(all[0]["abbr"])
	g.rename = strings.NewReplacer(str(all[0]["name"]), "Kestrel Trading Ltd", `"`+abbr+`"`, `"KTL"`, " - "+abbr, " - KTL")
	return nil
}

func (g *generator) load(doctype string) ([]doc, error) {
	f, err := os.Open(filepath.Join(g.from, "site", doctype+".jsonl.gz"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var out []doc
	for lines := bufio.NewReader(z); ; {
		line, err := lines.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			d := json.NewDecoder(strings.NewReader(g.rename.Replace(line)))
			d.UseNumber()
			var one doc
			if err := d.Decode(&one); err != nil {
				return nil, fmt.Errorf("%s: %w", doctype, err)
			}
			out = append(out, one)
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// invent makes documents of kinds that the exported site has none of.
func (g *generator) invent() error {
	base := func(name string, n int) doc {
		at := fmt.Sprintf("2026-11-%02d %02d:%02d:00.%06d", 2+n%20, 9+n%8, n%60, n)
		return doc{"name": name, "owner": "sales@example.com", "modified_by": "sales@example.com", "creation": at, "modified": at, "docstatus": 0, "idx": 0}
	}
	put := func(doctype, name string, n int, with doc) {
		d := base(name, n)
		for k, v := range with {
			d[k] = v
		}
		g.keep(doctype, d)
	}
	customers := g.docs["Customer"]
	customer := func(n int) string { return str(customers[(n*11)%len(customers)]["name"]) }
	company := str(g.docs["Company"][0]["name"])
	for n, brand := range []string{"Halden", "Orrin", "Vesta"} {
		put("Brand", brand, n, doc{"brand": brand, "description": brand + " components"})
	}
	for n, i := range g.items {
		i["brand"] = []string{"Halden", "Orrin", "Vesta"}[n%3]
	}
	for n, who := range []string{"Ines Okafor", "Piotr Wrona", "Jun Takeda", "Marta Silva", "Leo Brandt", "Amara Diallo", "Noor Haddad", "Erik Lund"} {
		put("Lead", fmt.Sprintf("CRM-LEAD-2026-%05d", n+1), n, doc{
			"naming_series": "CRM-LEAD-.YYYY.-", "lead_name": who, "first_name": strings.Fields(who)[0], "company_name": strings.Fields(who)[1] + " Works",
			"email_id": strings.ToLower(strings.Fields(who)[0]) + "@lead.example.com", "status": []string{"Lead", "Open", "Replied", "Interested"}[n%4],
			"type": "Client", "territory": str(g.docs["Territory"][n%len(g.docs["Territory"])]["name"]), "lead_owner": "sales@example.com", "company": company, "title": who,
		})
	}
	for n := range 8 {
		put("Opportunity", fmt.Sprintf("CRM-OPP-2026-%05d", n+1), n, doc{
			"naming_series": "CRM-OPP-.YYYY.-", "opportunity_from": "Customer", "party_name": customer(n), "customer_name": customer(n), "title": customer(n),
			"status": []string{"Open", "Quotation", "Replied", "Lost"}[n%4], "transaction_date": fmt.Sprintf("2026-11-%02d", n+3), "company": company,
			"currency": "USD", "conversion_rate": 1, "opportunity_amount": 1500 + 750*n, "opportunity_owner": "sales@example.com", "probability": 20 + 10*n,
		})
	}
	for n, name := range []string{"Warehouse relocation", "Catalogue 2027", "Sensor recall"} {
		put("Project", fmt.Sprintf("PROJ-%04d", n+1), n, doc{
			"naming_series": "PROJ-.####", "project_name": name, "status": []string{"Open", "Open", "Completed"}[n], "priority": "Medium", "company": company,
			"customer": customer(n), "expected_start_date": "2026-10-01", "expected_end_date": "2027-01-31", "percent_complete": []int{30, 10, 100}[n],
		})
	}
	for n, subject := range []string{
		"Measure the new hall", "Book the movers", "Label the racks", "Tell the customers", "Take photographs", "Write the texts",
		"Proof the prices", "Print run", "Collect serial numbers", "Ship replacements", "Close the recall",
	} {
		d := doc{
			"subject": subject, "project": fmt.Sprintf("PROJ-%04d", n/4+1), "status": []string{"Open", "Working", "Completed"}[n%3], "priority": "Medium",
			"exp_start_date": fmt.Sprintf("2026-11-%02d", n+5), "exp_end_date": fmt.Sprintf("2026-12-%02d", n+5), "company": company, "lft": 2*n + 1, "rgt": 2*n + 2,
		}
		put("Task", fmt.Sprintf("TASK-2026-%05d", n+1), n, d)
	}
	for n, subject := range []string{
		"Delivery came without papers", "Invoice shows the old address", "Bolt thread is cut wrong", "Price list asked for", "Parcel lost in transit",
		"Sensor reports wrong values", "Order was doubled", "Credit note missing", "Wrong colour", "Pallet damaged",
	} {
		put("Issue", fmt.Sprintf("ISS-2026-%05d", n+1), n, doc{
			"naming_series": "ISS-.YYYY.-", "subject": subject, "customer": customer(n), "status": []string{"Open", "Replied", "Resolved", "Closed"}[n%4],
			"raised_by": "buyer@example.com", "opening_date": fmt.Sprintf("2026-11-%02d", n+4), "opening_time": fmt.Sprintf("%d:15:00", 8+n), "company": company,
		})
	}
	return nil
}

// repair removes links to documents that were not kept, in documents and their rows. Of
// DocTypes that the demo has no documents of, the names are left as they are.
func (g *generator) repair() error {
	for doctype, docs := range g.docs {
		for _, d := range docs {
			g.repairOne(doctype, d)
		}
	}
	return nil
}

func (g *generator) repairOne(doctype string, d doc) {
	meta, ok := g.metas[doctype]
	if !ok {
		return
	}
	known := make(map[string]bool)
	for _, f := range meta["fields"].([]any) {
		field := f.(doc)
		name, target := str(field["fieldname"]), str(field["options"])
		known[name] = true
		switch str(field["fieldtype"]) {
		case "Link":
			if v := str(d[name]); v != "" && len(g.docs[target]) > 0 && !g.names[target][v] {
				delete(d, name)
			}
		case "Dynamic Link":
			target = str(d[target])
			if v := str(d[name]); v != "" && len(g.docs[target]) > 0 && !g.names[target][v] {
				delete(d, name)
			}
		case "Table", "Table MultiSelect":
			rows, _ := d[name].([]any)
			for _, r := range rows {
				g.repairOne(target, r.(doc))
			}
		}
	}
	for k := range d {
		if strings.HasPrefix(k, "custom_") || k == "deposit_balance" {
			delete(d, k)
		}
	}
}

func (g *generator) write(to string) error {
	var metas []doc
	for _, name := range g.order {
		metas = append(metas, g.metas[name])
	}
	if err := writeLines(filepath.Join(to, "doctypes.jsonl.gz"), metas); err != nil {
		return err
	}
	singles := []doc{
		{"name": "System Settings", "app_name": "ERPNext", "country": "United States", "language": "en", "time_zone": "Asia/Kolkata", "date_format": "yyyy-mm-dd", "setup_complete": 1},
		{"name": "Selling Settings", "cust_master_name": "Customer Name", "so_required": "No", "dn_required": "No", "territory": "All Territories"},
	}
	if err := writeLines(filepath.Join(to, "singles.jsonl.gz"), singles); err != nil {
		return err
	}
	for name, docs := range g.docs {
		if err := writeLines(filepath.Join(to, name+".jsonl.gz"), docs); err != nil {
			return err
		}
	}
	return nil
}

func writeLines(path string, docs []doc) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	e := json.NewEncoder(z)
	e.SetEscapeHTML(false)
	for _, d := range docs {
		if err := e.Encode(d); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func str(v any) string {
	s, _ := v.(string)
	return s
}
