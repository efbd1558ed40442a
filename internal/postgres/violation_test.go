package postgres_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

const ruledSQL = `
create table owner (id text primary key);
create table ruled (
	id bigint primary key,
	code text unique,
	area text, num integer, constraint ruled_place unique (area, num),
	mail text,
	low integer, high integer, constraint ruled_range check (high >= low),
	share integer check (share <= 100),
	must text not null default 'x',
	owner text references owner,
	keeper text references owner on delete restrict,
	area_of text, num_of integer, foreign key (area_of, num_of) references ruled (area, num),
	late text references owner deferrable initially deferred,
	amount numeric(5, 2), rate numeric(5, 2), ratio numeric(2, 2),
	doc json,
	secret text unique,
	span int4range, exclude using gist (span with &&)
);
create unique index ruled_mail on ruled (lower(mail));
create index ruled_must on ruled (must);
create table hidden (id bigint primary key, owner text references owner);
insert into owner values ('free'), ('taken'), ('kept'), ('late'), ('hidden');
insert into hidden values (1, 'hidden');
insert into ruled (id, code, area, num, mail, owner, keeper, secret, area_of, num_of) values
	(1, 'SECRET-VALUE', 'a', 1, 'Ann@Example.com', 'taken', 'kept', 's', null, null),
	(2, null, null, null, null, null, null, null, 'a', 1);
`

// ruled gives a table with a rule of each class, the table that it links to, and their
// descriptors. It has a column that no field shows: secret.
func (b *testBundle) ruled() (ruled, owner *doctype.Type) {
	b.Helper()
	b.exec(ruledSQL)
	field := func(name, column string, kind doctype.Kind, target string) *doctype.Field {
		return &doctype.Field{Name: name, Column: column, Kind: kind, Target: target, GraphQLType: "X", Nullable: true}
	}
	id := func() *doctype.Field {
		return &doctype.Field{Name: "id", Column: "id", Kind: doctype.ID, GraphQLType: "ID", NonNull: true}
	}
	ruled = &doctype.Type{Name: "RuledThing", Key: "RuledThing", Source: doctype.Local, Table: "ruled", Fields: []*doctype.Field{
		id(), field("theCode", "code", doctype.String, ""), field("theArea", "area", doctype.String, ""), field("theNum", "num", doctype.Int, ""),
		field("theMail", "mail", doctype.String, ""), field("theLow", "low", doctype.Int, ""), field("theHigh", "high", doctype.Int, ""),
		field("theShare", "share", doctype.Int, ""), field("mustBe", "must", doctype.String, ""),
		field("theOwner", "owner", doctype.Link, "Owner"), field("theKeeper", "keeper", doctype.Link, "Owner"), field("late", "late", doctype.Link, "Owner"),
		field("areaOf", "area_of", doctype.String, ""), field("numOf", "num_of", doctype.Int, ""),
		field("amount", "amount", doctype.Float, ""), field("rate", "rate", doctype.Float, ""), field("ratio", "ratio", doctype.Decimal, ""),
		field("doc", "doc", doctype.JSON, ""),
	}}
	owner = &doctype.Type{Name: "Owner", Key: "Owner", Source: doctype.Local, Table: "owner", Fields: []*doctype.Field{id()}}
	doctype.NewRegistry([]*doctype.Type{ruled, owner})
	if err := b.db.CheckColumns(b.Context(), []*doctype.Type{ruled, owner}); err != nil {
		b.Fatal(err)
	}
	return ruled, owner
}

// expect compares a coded error with its code, message, fields and constraint, and makes
// sure that it shows nothing else.
func expect(t *testing.T, err error, code apierror.Code, message, fields, constraint string) {
	t.Helper()
	e, ok := apierror.As(err)
	if !ok {
		t.Fatalf("got %v, want %s", err, code)
	}
	first, several, _ := strings.Cut(fields, " ")
	if e.Code != code || e.Message != message || e.Field != first {
		t.Errorf("got  %s %q about %q\nwant %s %q about %q", e.Code, e.Message, e.Field, code, message, first)
	}
	list, _ := e.Extensions["fields"].([]string)
	if several != "" && strings.Join(list, " ") != fields || several == "" && list != nil {
		t.Errorf("fields %v, want %s", list, fields)
	}
	if got, _ := e.Extensions["constraint"].(string); got != constraint {
		t.Errorf("constraint %q, want %q", got, constraint)
	}
	for _, leak := range []string{"SECRET-VALUE", "insert", "select", "secret)", "$1"} {
		if public := e.Message + fmt.Sprint(e.Public()); strings.Contains(public, leak) {
			t.Errorf("%q is public: %s", leak, public)
		}
	}
	var pg *pgconn.PgError
	if e.Cause != nil && !errors.As(err, &pg) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	typ, _ := b.ruled()
	const v = apierror.Validation
	var noise []byte // which does not compress
	for i := range 1000 {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		noise = hex.AppendEncode(noise, sum[:])
	}
	long := string(noise)
	for name, tc := range map[string]struct {
		values     []postgres.Value
		code       apierror.Code
		message    string
		fields     string
		constraint string
	}{
		"unique":        {values(typ, "theCode", "SECRET-VALUE"), v, "theCode: another row has this value already", "theCode", "ruled_code_key"},
		"unique pair":   {values(typ, "theArea", "a", "theNum", 1), v, "theArea, theNum: another row has these values already", "theArea theNum", "ruled_place"},
		"unique lower":  {values(typ, "theMail", "ann@example.com"), v, "theMail: another row has this value already", "theMail", "ruled_mail"},
		"check":         {values(typ, "theShare", 101), v, "theShare: does not meet the rule ruled_share_check", "theShare", "ruled_share_check"},
		"check of two":  {values(typ, "theLow", 2, "theHigh", 1), v, "theHigh, theLow: does not meet the rule ruled_range", "theHigh theLow", "ruled_range"},
		"not null":      {values(typ, "mustBe", nil), v, "mustBe: must not be null", "mustBe", ""},
		"link":          {values(typ, "theOwner", "SECRET-VALUE"), v, "theOwner: no such row", "theOwner", "ruled_owner_fkey"},
		"link of two":   {values(typ, "areaOf", "a", "numOf", 9), v, "areaOf, numOf: no such row", "areaOf numOf", "ruled_area_of_num_of_fkey"},
		"deferred link": {values(typ, "late", "nobody"), v, "late: no such row", "late", "ruled_late_fkey"},
		"index":         {values(typ, "mustBe", long[len(long)-5000:]), v, "mustBe: is too long for the app's database", "mustBe", "ruled_must"},
		"index by far":  {values(typ, "mustBe", long, "amount", 1), v, "mustBe: is too long for the app's database", "mustBe", ""},
		"int":           {values(typ, "theLow", 3000000000), apierror.BadUserInput, "theLow: the value does not fit the column", "theLow", ""},
		"float":         {values(typ, "theLow", 1, "amount", 1234.5), apierror.BadUserInput, "amount: must not have more than 3 digits before the point", "amount", ""},
		"decimal":       {values(typ, "ratio", "1.5"), apierror.BadUserInput, "ratio: must not have more than 0 digits before the point", "ratio", ""},
		"U+0000":        {values(typ, "theCode", "\x00"), apierror.BadUserInput, "theCode: must not hold the character U+0000", "theCode", ""},
		"not UTF-8":     {values(typ, "theOwner", "\xff"), apierror.BadUserInput, "theOwner: is not valid UTF-8", "theOwner", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b.with(t)
			id := postgres.Value{Field: typ.Field("id"), Value: "100"}
			_, err := b.insert(typ, append(slices.Clone(tc.values), id))
			expect(t, err, tc.code, tc.message, tc.fields, tc.constraint)
			ok, err := b.update(typ, "2", tc.values, postgres.Guard{})
			if ok && tc.fields != "late" {
				t.Error("the row was written")
			}
			expect(t, err, tc.code, tc.message, tc.fields, tc.constraint)
		})
	}
	if n := b.text("select count(*)::text from ruled"); n != "2" {
		t.Errorf("%s rows, not 2", n)
	}
}

func TestExclusionAndHiddenColumns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	typ, _ := b.ruled()
	// Columns that no field shows are written by triggers and defaults; here, by a default.
	b.exec("alter table ruled alter secret set default 's', alter span set default '[1,5]'")
	_, err := b.insert(typ, values(typ, "id", "100"))
	expect(t, err, apierror.Validation, "another row has these values already", "", "ruled_secret_key")
	b.exec("alter table ruled alter secret set default null; update ruled set span = '[3,4]' where id = 1")
	_, err = b.insert(typ, values(typ, "id", "100"))
	expect(t, err, apierror.Validation, "does not go together with another row", "", "ruled_span_excl")
}

func TestDeleteRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ruled, owner := b.ruled()
	b.exec("update ruled set late = 'late' where id = 1")
	const refers = "rows of RuledThing still link to the row"
	for id, want := range map[string]struct{ message, constraint, referrer string }{
		"taken":  {refers, "ruled_owner_fkey", "RuledThing"},
		"kept":   {refers, "ruled_keeper_fkey", "RuledThing"},
		"late":   {refers, "ruled_late_fkey", "RuledThing"}, // at the commit
		"hidden": {"other rows still link to the row", "hidden_owner_fkey", ""},
	} {
		_, err := b.delete(owner, id, postgres.Guard{})
		expect(t, err, apierror.Validation, want.message, "", want.constraint)
		e, _ := apierror.As(err)
		if got, _ := e.Extensions["referrer"].(string); got != want.referrer {
			t.Errorf("%s: referrer %q", id, got)
		}
		if want.message == refers { // the key that others link to is no better to change
			_, err = b.update(owner, id, values(owner, "id", id+"2"), postgres.Guard{})
			expect(t, err, apierror.Validation, refers, "", want.constraint)
		}
	}
	_, err := b.delete(ruled, "1", postgres.Guard{})
	expect(t, err, apierror.Validation, refers, "", "ruled_area_of_num_of_fkey")
	if ok, err := b.delete(owner, "free", postgres.Guard{}); !ok || err != nil {
		t.Error(ok, err)
	}
}

// TestOtherCodes has a trigger raise what is hard to bring about.
func TestOtherCodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	typ, _ := b.ruled()
	b.exec(`create function fail() returns trigger language plpgsql as $$
		begin raise exception using message = 'SECRET-VALUE', errcode = new.code; end $$;
		create trigger fail before insert on ruled for each row execute function fail()`)
	const v, unavailable = apierror.Validation, apierror.UpstreamUnavailable
	for sqlState, want := range map[string]struct {
		code            apierror.Code
		message, fields string
	}{
		"P0001": {v, "a rule of the app's database refused the row", ""},
		"44000": {v, "a rule of the app's database refused the row", ""},
		"23514": {v, "does not meet a rule of the app's database", ""},
		"23001": {v, "other rows still link to the row", ""},
		"22012": {v, "the app's database refused a value", ""},
		"22023": {v, "the app's database refused a value", ""},
		"22001": {v, "does not fit the column", ""},
		"22P02": {apierror.BadUserInput, "the value does not fit the column", ""},
		"54001": {v, "doc: is too deeply nested", "doc"},
		"54000": {v, "theCode: is too long for the app's database", "theCode"},
		"25006": {unavailable, "the app's database takes no writes at the moment", ""},
		"53100": {unavailable, "the app's database is not reachable", ""},
		"55P03": {apierror.UpstreamTimeout, "the app's database did not answer in time", ""},
		"57014": {apierror.UpstreamTimeout, "the app's database did not answer in time", ""},
		"42501": {apierror.Internal, "", ""},
		"XX000": {apierror.Internal, "", ""},
	} {
		t.Run(sqlState, func(t *testing.T) {
			t.Parallel()
			_, err := b.with(t).insert(typ, values(typ, "theCode", sqlState, "doc", jsontext.Value("{}")))
			if want.code == apierror.Internal {
				if apierror.CodeOf(err) != apierror.Internal {
					t.Error(err)
				}
				return
			}
			expect(t, err, want.code, want.message, want.fields, "")
		})
	}
}

func TestWriteWithoutServerOrTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.db.InTx(gone, func(context.Context, *postgres.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	err := b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.SQL().Exec(ctx, "set local statement_timeout = 1; select pg_sleep(1)"); err == nil {
			t.Error("no timeout")
		}
		// The transaction is over: what comes behind can't be told from it.
		_, err := tx.Insert(ctx, b.contract, values(b.contract, "customer", "x"))
		return err
	})
	if apierror.CodeOf(err) != apierror.Internal {
		t.Errorf("in a transaction that failed: %v", err)
	}
}
