package session

import (
	"errors"
	"testing"
	"time"

	"erpgraph/internal/postgres/postgrestest"
)

// A refresh that took longer than its lease and then failed leaves the lease of the next
// one alone.
func TestCoolIsOfOnesOwnLease(t *testing.T) {
	t.Parallel()
	db := postgrestest.New(t)
	s := &store{pool: db.Pool(), idle: time.Hour, timeout: time.Minute}
	_, hash := newID()
	r := &row{hash: hash, user: "u", access: []byte("a"), refresh: []byte("r"), accessExpires: time.Now()}
	if err := s.create(t.Context(), r, time.Hour); err != nil {
		t.Fatal(err)
	}
	until := func() (left time.Duration) {
		t.Helper()
		if err := db.Pool().QueryRow(t.Context(), "select lease_until - now() from auth_session").Scan(&left); err != nil {
			t.Fatal(err)
		}
		return left
	}
	first, err := s.lease(t.Context(), hash, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.lease(t.Context(), hash, 0); !errors.Is(err, errNoSession) {
		t.Errorf("leased twice: %v", err)
	}
	if _, err := db.Pool().Exec(t.Context(), "update auth_session set lease_until = now()"); err != nil {
		t.Fatal(err)
	}
	second, err := s.lease(t.Context(), hash, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cool(t.Context(), first); err != nil || until() < leaseTime/2 {
		t.Errorf("the second lease has %v left, %v", until(), err)
	}
	if err := s.cool(t.Context(), second); err != nil || until() > coolTime {
		t.Errorf("its own has %v left, %v", until(), err)
	}
}
