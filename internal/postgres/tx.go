package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
)

const (
	// maxRepeats is how often a transaction that lost against another one runs again.
	maxRepeats = 3
	// firstPause is before the first repeat, and doubles: the other transaction, which waits
	// for the same rows, must get them first, or both lose again.
	firstPause = 10 * time.Millisecond
	// endTime bounds commit and rollback, which go on when the caller has left.
	endTime = 5 * time.Second
)

// Tx is a transaction of InTx. Its methods are not safe for several goroutines, and none
// may be called once InTx's function has returned.
//
// A statement that fails takes the transaction with it: fn gives the error back.
type Tx struct {
	db *DB
	tx pgx.Tx
	// dropped are the tables that keys went from, by a delete or an update: a foreign key
	// that is checked at the commit does not tell which side broke it.
	dropped map[string]bool
}

// InTx runs fn in one transaction, which is committed when fn returns nil and rolled back
// when it returns an error or panics.
//
// Where the transaction lost against another one (a deadlock, or a serialization failure),
// it runs fn again, up to three times: fn must be safe to repeat. What it does beyond its
// Tx, such as a call to ERPNext, happens each time; what it writes into variables of its
// caller, the last run wins.
//
// Errors are fn's own, or coded: CONFLICT when the transaction lost each time, VALIDATION
// for a constraint that is checked at the commit, UPSTREAM_UNAVAILABLE, UPSTREAM_TIMEOUT.
// Nothing was written then, but for an UPSTREAM_UNAVAILABLE with the extension "uncertain"
// true: the connection broke during the commit, and nobody knows.
func (db *DB) InTx(ctx context.Context, fn func(context.Context, *Tx) error) error {
	for run := 0; ; run++ {
		err := db.once(ctx, fn)
		switch {
		case !lost(err):
			return err
		case run == maxRepeats:
			return apierror.Wrap(apierror.Conflict, err, "others keep changing the same rows: nothing was written, try again")
		}
		select {
		case <-time.After(firstPause << run):
		case <-ctx.Done():
			return convert(ctx.Err(), nil)
		}
	}
}

// once runs fn in a transaction of its own.
func (db *DB) once(ctx context.Context, fn func(context.Context, *Tx) error) error {
	begun, err := db.pool.Begin(ctx)
	if err != nil {
		return convert(fmt.Errorf("begin: %w", err), nil)
	}
	tx := &Tx{db: db, tx: begun, dropped: map[string]bool{}}
	open := true
	defer func() {
		if open { // an error, or a panic that goes on
			tx.rollback(ctx)
		}
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return convert(err, nil)
	}
	open = false
	return tx.commit(ctx)
}

// rollback ends the transaction without its writes. Should that fail, the connection is
// closed, and the server does it.
func (tx *Tx) rollback(ctx context.Context) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := tx.tx.Rollback(end); err != nil {
		tx.db.logger.DebugContext(ctx, "a transaction was not rolled back but cut off", "error", err)
	}
}

// commit ends the transaction with its writes. It is not bound to the caller's deadline:
// to give up in the middle would only make the outcome uncertain.
func (tx *Tx) commit(ctx context.Context) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	err := tx.tx.Commit(end)
	if err == nil {
		return nil
	}
	return tx.commitError(err)
}

// commitError tells commits that failed from those whose outcome is unknown.
func (tx *Tx) commitError(err error) error {
	err = fmt.Errorf("commit: %w", err)
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return fmt.Errorf("postgres: a statement of the transaction failed, and the function that ran it kept the error to itself: %w", err)
	case errors.As(err, &pg) && refused(pg):
		return tx.violation(operation{}, pg, err, nil)
	case pgconn.SafeToRetry(err): // never sent
		return convert(err, nil)
	default:
		e := apierror.Wrap(apierror.UpstreamUnavailable, err, "the app's database went away during the commit: nobody knows whether it was written")
		e.Extensions = map[string]any{"uncertain": true}
		return e
	}
}

// refused tells whether the server answered a commit with no. An error that ends the
// connection may come after the commit, and some codes say themselves that nothing is known.
func refused(pg *pgconn.PgError) bool {
	switch pg.Code {
	case "40003", "08007": // statement_completion_unknown, transaction_resolution_unknown
		return false
	default:
		return pg.SeverityUnlocalized == "ERROR"
	}
}

// lost tells that the transaction gave way to another one: serialization_failure or
// deadlock_detected. All of it was rolled back.
func lost(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// SQL is the driver's own transaction, for the parts of the house that write SQL of their
// own. Its errors are the driver's; to commit or roll back is InTx's business.
func (tx *Tx) SQL() pgx.Tx { return tx.tx }
