package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// values are the values of a type's fields, by pairs of name and value.
func values(t *doctype.Type, pairs ...any) []postgres.Value {
	var out []postgres.Value
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		out = append(out, postgres.Value{Field: t.Field(name), Value: pairs[i+1]})
	}
	return out
}

// insert inserts a row in a transaction of its own.
func (b *testBundle) insert(t *doctype.Type, vs []postgres.Value) (id string, err error) {
	err = b.db.InTx(b.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		id, err = tx.Insert(ctx, t, vs)
		return err
	})
	return id, err
}

func (b *testBundle) update(t *doctype.Type, id string, vs []postgres.Value, g postgres.Guard) (ok bool, err error) {
	err = b.db.InTx(b.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		ok, err = tx.Update(ctx, t, id, vs, g)
		return err
	})
	return ok, err
}

func (b *testBundle) delete(t *doctype.Type, id string, g postgres.Guard) (ok bool, err error) {
	err = b.db.InTx(b.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		ok, err = tx.Delete(ctx, t, id, g)
		return err
	})
	return ok, err
}

// text reads one text.
func (b *testBundle) text(sql string, args ...any) string {
	b.Helper()
	var s *string
	if err := b.db.Pool().QueryRow(b.Context(), sql, args...).Scan(&s); err != nil {
		b.Fatal(err)
	}
	if s == nil {
		return "NULL"
	}
	return *s
}

// everyType is a table with a column for each kind, and its descriptor.
func (b *testBundle) everyType() *doctype.Type {
	b.Helper()
	b.exec(`create table "every ""kind" (id bigint generated always as identity primary key, b boolean, i integer, big bigint,
		f double precision, n numeric(10, 3), exact numeric, whole bigint, t time, j jsonb, js json, ts timestamptz, coarse timestamptz(0), d date,
		s text, short varchar(5), e text, url text, link text, own uuid)`)
	typ := &doctype.Type{Name: "Every", Key: "Every", Source: doctype.Local, Table: `every "kind`}
	add := func(kind doctype.Kind, names string) {
		for name := range strings.FieldsSeq(names) {
			typ.Fields = append(typ.Fields, &doctype.Field{Name: name + "Field", Column: name, Kind: kind, GraphQLType: "X", Nullable: true})
		}
	}
	typ.Fields = []*doctype.Field{{Name: "id", Column: "id", Kind: doctype.ID, NonNull: true}}
	add(doctype.Boolean, "b")
	add(doctype.Int, "i big")
	add(doctype.Float, "f")
	add(doctype.Decimal, "n exact whole")
	add(doctype.Time, "t")
	add(doctype.JSON, "j js")
	add(doctype.DateTime, "ts coarse")
	add(doctype.Date, "d")
	add(doctype.String, "s short")
	add(doctype.Enum, "e")
	add(doctype.URL, "url")
	add(doctype.Link, "link own")
	doctype.NewRegistry([]*doctype.Type{typ})
	typ.Field("eField").Enum = []doctype.Pair{{Value: "A", Label: "A"}, {Value: "B", Label: "B"}}
	typ.Field("eField").GraphQLType = "EveryE"
	return typ
}

func TestWriteKinds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	typ := b.everyType()
	zone := time.FixedZone("", 2*3600)
	for name, tc := range map[string]struct {
		field string
		value any
		// want is what comes back, or the error: its code, a space, its message.
		want string
	}{
		"null":              {"s", nil, `null`},
		"true":              {"b", true, `true`},
		"boolean by text":   {"b", "true", `BAD_USER_INPUT bField: must be true or false`},
		"boolean by number": {"b", json.Number("1"), `BAD_USER_INPUT bField: must be true or false`},
		"int":               {"i", json.Number("-2147483648"), `-2147483648`},
		"Go's int":          {"i", 7, `7`},
		"int by text":       {"i", "7", `BAD_USER_INPUT iField: must be a whole number`},
		"int with a point":  {"i", json.Number("7.0"), `BAD_USER_INPUT iField: must be a whole number`},
		"int too large":     {"i", json.Number("2147483648"), `BAD_USER_INPUT iField: the value does not fit the column`},
		"bigint":            {"big", json.Number("9223372036854775807"), `9223372036854775807`},
		"float":             {"f", json.Number("0.1"), `0.1`},
		"float large":       {"f", 1e300, `1e+300`},
		"float too large":   {"f", json.Number("1e400"), `BAD_USER_INPUT fField: the value does not fit the column`},
		"infinity":          {"f", math.Inf(1), `BAD_USER_INPUT fField: must be a number`},
		"NaN":               {"f", math.NaN(), `BAD_USER_INPUT fField: must be a number`},
		"decimal":           {"n", json.Number("1234567.125"), `1234567.125`},
		"decimal by text":   {"n", "1.5000", `1.500`},
		"decimal exponent":  {"n", "1.5e3", `1500.000`},
		"decimal too fine":  {"n", "1.2345", `BAD_USER_INPUT nField: must not have more than 3 digits behind the point`},
		"fine by exponent":  {"n", "15e-4", `BAD_USER_INPUT nField: must not have more than 3 digits behind the point`},
		"decimal too large": {"n", "12345678", `BAD_USER_INPUT nField: must not have more than 7 digits before the point`},
		"large by exponent": {"n", "1e7", `BAD_USER_INPUT nField: must not have more than 7 digits before the point`},
		"decimal zero":      {"n", "-0.000000", `0.000`},
		"decimal text":      {"n", "NaN", `BAD_USER_INPUT nField: must be a number`},
		"decimal blank":     {"n", " 1", `BAD_USER_INPUT nField: must be a number`},
		"decimal exact":     {"exact", json.Number("12345678901234567890.1234567890123456789"), `12345678901234567890.1234567890123456789`},
		"decimal whole":     {"whole", "12e1", `BAD_USER_INPUT wholeField: the value does not fit the column`},
		"decimal not whole": {"whole", "1.5", `BAD_USER_INPUT wholeField: must be a whole number`},
		"time":              {"t", "15:04:05.123456", `"15:04:05.123456"`},
		"time too fine":     {"t", "15:04:05.1234567", `BAD_USER_INPUT tField: must not have more than 6 digits behind the second's point`},
		"time that is none": {"t", "24:00:01", `BAD_USER_INPUT tField: must be a time of day: 15:04:05`},
		"jsonb":             {"j", jsontext.Value(`{"b": [1, 1.50, "x"]}`), `{"b": [1, 1.50, "x"]}`},
		"json":              {"js", jsontext.Value(`{"b":1,  "a":"\u0000"}`), `{"b":1,  "a":"\u0000"}`},
		"jsonb with U+0000": {"j", jsontext.Value(`"\u0000"`), `BAD_USER_INPUT jField: the value does not fit the column`},
		"half JSON":         {"j", jsontext.Value(`{`), `BAD_USER_INPUT jField: must be JSON`},
		"no JSON":           {"j", jsontext.Value(nil), `BAD_USER_INPUT jField: must be JSON`},
		"JSON by text":      {"j", `{}`, `BAD_USER_INPUT jField: must be JSON`},
		"datetime":          {"ts", "2026-06-30T23:59:59.999999+02:00", `"2026-06-30T21:59:59.999999Z"`},
		"Go's time":         {"ts", time.Date(2026, 1, 2, 3, 4, 5, 6000, zone), `"2026-01-02T01:04:05.000006Z"`},
		"datetime too fine": {"ts", time.Date(2026, 1, 2, 3, 4, 5, 6, zone), `BAD_USER_INPUT tsField: must not have more than 6 digits behind the second's point`},
		"datetime zeros":    {"ts", "2026-06-30T00:00:00.123456000Z", `"2026-06-30T00:00:00.123456Z"`},
		"datetime by comma": {"ts", "2026-06-30T00:00:00,1234567Z", `BAD_USER_INPUT tsField: must not have more than 6 digits behind the second's point`},
		"datetime coarse":   {"coarse", "2026-06-30T00:00:00.5Z", `BAD_USER_INPUT coarseField: must not have more than 0 digits behind the second's point`},
		"datetime now":      {"ts", "now", `BAD_USER_INPUT tsField: must be a date and time with its offset: 2006-01-31T15:04:05+01:00`},
		"date":              {"d", "2024-02-29", `"2024-02-29"`},
		"date that is none": {"d", "2026-02-29", `BAD_USER_INPUT dField: must be a date: 2006-01-31`},
		"year 0":            {"d", "0000-01-01", `BAD_USER_INPUT dField: the value does not fit the column`},
		"text":              {"s", "a\nb\t\"\\' $1 ☃", `"a\nb\t\"\\' $1 ☃"`},
		"text by number":    {"s", json.Number("1"), `BAD_USER_INPUT sField: must be text`},
		"text by bool":      {"s", true, `BAD_USER_INPUT sField: must be text`},
		"text with NUL":     {"s", "a\x00b", `BAD_USER_INPUT sField: must not hold the character U+0000`},
		"text not UTF-8":    {"s", "a\xff", `BAD_USER_INPUT sField: is not valid UTF-8`},
		"half a surrogate":  {"s", "\xed\xa0\x80", `BAD_USER_INPUT sField: is not valid UTF-8`},
		"varchar":           {"short", "☃☃☃☃☃", `"☃☃☃☃☃"`},
		"varchar too long":  {"short", "123456", `BAD_USER_INPUT shortField: must not be longer than 5 characters`},
		"varchar and space": {"short", "12345 ", `BAD_USER_INPUT shortField: must not be longer than 5 characters`},
		"enum":              {"e", "A", `"A"`},
		"enum unknown":      {"e", "C", `BAD_USER_INPUT eField: is not a value of EveryE`},
		"url":               {"url", "https://example.com/?a=b", `"https://example.com/?a=b"`},
		"link":              {"link", "O'Neil; drop table x; --", `"O'Neil; drop table x; --"`},
		"link to a row":     {"own", uuid(1), `"` + uuid(1) + `"`},
		"link to no row":    {"own", "{" + uuid(1) + "}", `VALIDATION ownField: no such row`},
		"a slice":           {"s", []any{"a"}, `BAD_USER_INPUT sField: must be text`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b.with(t)
			f := typ.Field(tc.field + "Field")
			id, err := b.insert(typ, []postgres.Value{{Field: f, Value: tc.value}})
			var got string
			if e, ok := apierror.As(err); ok {
				got = string(e.Code) + " " + e.Message
				if e.Field != f.Name {
					t.Errorf("the error is about %q, not %q", e.Field, f.Name)
				}
			} else if err != nil {
				t.Fatal(err)
			} else {
				table, err := b.db.RowsByKeys(t.Context(), postgres.KeysQuery{Type: typ, Columns: []*doctype.Field{f}, Keys: []string{id}})
				if err != nil || len(table.Rows) != 1 {
					t.Fatal(table, err)
				}
				got = string(table.Rows[0][1])
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestInsert(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, seen := statements(t.Context())
	var contract, visit string
	err := b.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) (err error) {
		contract, err = tx.Insert(ctx, b.contract, values(b.contract, "customer", "West View", "item", "SKU001", "startDate", "2026-01-01", "monthlyFee", json.Number("12.50")))
		if err != nil {
			return err
		}
		visit, err = tx.Insert(ctx, b.visit, values(b.visit, "contract", contract, "technician", "tom@example.com", "visitedAt", "2026-01-01T10:00:00Z"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := seen(); len(s) != 2 || s[0].Name != "insert" || s[1].Type != "ServiceVisit" || s[1].Rows != 1 || s[1].Err != nil {
		t.Errorf("statements: %+v", s)
	}
	got := b.text(`select v.status || ' ' || c.status || ' ' || c.monthly_fee || ' ' || (now() - v.updated_at < '1 minute')
		from service_visit v join service_contract c on c.id = v.contract where v.id = $1`, visit)
	if got != "PLANNED DRAFT 12.50 true" {
		t.Error(got)
	}
	b.exec(`create table plain (id bigint generated always as identity primary key, note text default 'made up')`)
	plain := &doctype.Type{Name: "Plain", Key: "Plain", Source: doctype.Local, Table: "plain"}
	if id, err := b.insert(plain, nil); err != nil || id != "1" || b.text("select note from plain") != "made up" {
		t.Errorf("a row of defaults: %q, %v", id, err)
	}
}

// TestWriteMisuse: mistakes of the caller are errors without a public text.
func TestWriteMisuse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stray := &doctype.Field{Name: "stray", Column: "id = id or true; --", Kind: doctype.String}
	upstream := &doctype.Type{Name: "Customer", Key: "Customer", Source: doctype.Upstream}
	for name, tc := range map[string]struct {
		typ    *doctype.Type
		values []postgres.Value
	}{
		"no field":      {b.contract, values(b.contract, "nothing", "x")},
		"stray field":   {b.contract, []postgres.Value{{Field: stray, Value: "x"}}},
		"list":          {b.contract, values(b.contract, "visits", "x")},
		"hand-written":  {b.contract, values(b.contract, "daysLeft", 1)},
		"twice":         {b.contract, values(b.contract, "notes", "x", "notes", "y")},
		"modified":      {b.visit, values(b.visit, "updatedAt", "2026-01-01T00:00:00Z")},
		"upstream type": {upstream, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b.with(t)
			if _, err := b.insert(tc.typ, tc.values); apierror.CodeOf(err) != apierror.Internal {
				t.Error("insert:", err)
			}
			if _, err := b.update(tc.typ, uuid(1), tc.values, postgres.Guard{}); apierror.CodeOf(err) != apierror.Internal {
				t.Error("update:", err)
			}
		})
	}
	if _, err := b.delete(b.contract, uuid(1), postgres.Guard{Field: stray}); apierror.CodeOf(err) != apierror.Internal {
		t.Error("guard:", err)
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	b.exec("update service_visit set updated_at = '2026-04-02 10:00:00.123456+02'")
	contract := b.visit.Field("contract")
	for name, tc := range map[string]struct {
		id    string
		guard postgres.Guard
		want  bool
		code  apierror.Code
	}{
		"none":                  {uuid(11), postgres.Guard{}, true, ""},
		"no such row":           {uuid(99), postgres.Guard{}, false, ""},
		"no id at all":          {"x' or true --", postgres.Guard{}, false, ""},
		"link":                  {uuid(11), postgres.Guard{Field: contract, Value: uuid(1)}, true, ""},
		"link moved":            {uuid(11), postgres.Guard{Field: contract, Value: uuid(3)}, false, ""},
		"link to no id":         {uuid(11), postgres.Guard{Field: contract, Value: "x"}, false, ""},
		"text":                  {uuid(11), postgres.Guard{Field: b.visit.Field("technician"), Value: "tom@example.com"}, true, ""},
		"text with NUL":         {uuid(11), postgres.Guard{Field: b.visit.Field("technician"), Value: "tom\x00"}, false, ""},
		"NULL is not equal":     {uuid(12), postgres.Guard{Field: b.visit.Field("summary"), Value: ""}, false, ""},
		"modified":              {uuid(11), postgres.Guard{Modified: "2026-04-02T08:00:00.123456Z"}, true, ""},
		"modified, other zone":  {uuid(11), postgres.Guard{Modified: "2026-04-02T10:00:00.123456+02:00"}, true, ""},
		"modified, finer":       {uuid(11), postgres.Guard{Modified: "2026-04-02T08:00:00.123456789Z"}, true, ""},
		"modified by a micro":   {uuid(11), postgres.Guard{Modified: "2026-04-02T08:00:00.123457Z"}, false, ""},
		"modified, coarser":     {uuid(11), postgres.Guard{Modified: "2026-04-02T08:00:00Z"}, false, ""},
		"modified is no time":   {uuid(11), postgres.Guard{Modified: "yesterday"}, false, apierror.BadUserInput},
		"link and modified":     {uuid(11), postgres.Guard{Field: contract, Value: uuid(1), Modified: "2026-04-02T08:00:00.123456Z"}, true, ""},
		"link, but not changed": {uuid(11), postgres.Guard{Field: contract, Value: uuid(3), Modified: "2026-04-02T08:00:00.123456Z"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.with(t)
			undo := errors.New("undo") // each case finds the rows as they were
			err := b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
				ok, err := tx.Update(ctx, b.visit, tc.id, values(b.visit, "summary", "new"), tc.guard)
				if ok != tc.want || apierror.CodeOf(err) != tc.code {
					t.Errorf("update: %t, %v", ok, err)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Error(err)
			}
			err = b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
				ok, err := tx.Delete(ctx, b.visit, tc.id, tc.guard)
				if ok != tc.want || apierror.CodeOf(err) != tc.code {
					t.Errorf("delete: %t, %v", ok, err)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Error(err)
			}
		})
	}
	_, err := b.update(b.contract, uuid(1), nil, postgres.Guard{Modified: "2026-04-02T08:00:00Z"})
	if e, _ := apierror.As(err); e == nil || e.Code != apierror.BadUserInput || e.Field != "ifModified" {
		t.Errorf("a type without @modified: %v", err)
	}
}

func TestModifiedMoves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	const read = "select updated_at::text from service_visit where id = $1"
	for _, vs := range [][]postgres.Value{nil, values(b.visit, "summary", "x", "report", "y"), values(b.visit, "summary", nil)} {
		was := b.text(read, uuid(11))
		if ok, err := b.update(b.visit, uuid(11), vs, postgres.Guard{}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if is := b.text(read, uuid(11)); is <= was {
			t.Errorf("%s, after %s", is, was)
		}
	}
	// A clock that was set back does not bring a time back that somebody has read.
	b.exec("update service_visit set updated_at = '2999-01-01Z'")
	if ok, err := b.update(b.visit, uuid(11), nil, postgres.Guard{}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if is := b.text(read, uuid(11)); is != "2999-01-01 00:00:00.000001+00" {
		t.Error(is)
	}
	// Two updates of one transaction move it twice.
	err := b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		for range 2 {
			if _, err := tx.Update(ctx, b.visit, uuid(11), nil, postgres.Guard{}); err != nil {
				return err
			}
		}
		return nil
	})
	if is := b.text(read, uuid(11)); err != nil || is != "2999-01-01 00:00:00.000003+00" {
		t.Error(is, err)
	}
}

func TestUpdateOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	was := b.text("select xmin::text || updated_at from service_contract where id = $1", uuid(1))
	if ok, err := b.update(b.contract, uuid(1), nil, postgres.Guard{}); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := b.update(b.contract, uuid(99), nil, postgres.Guard{}); ok || err != nil {
		t.Error(ok, err)
	}
	if is := b.text("select xmin::text || updated_at from service_contract where id = $1", uuid(1)); is != was {
		t.Errorf("%s, before %s", is, was)
	}
}

func TestDeleteCascades(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	if ok, err := b.delete(b.contract, uuid(1), postgres.Guard{}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := b.text("select count(*)::text from service_visit"); n != "1" {
		t.Errorf("%s visits are left", n)
	}
	if ok, err := b.delete(b.contract, uuid(1), postgres.Guard{}); ok || err != nil {
		t.Error("again:", ok, err)
	}
}
