package event

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
)

// convert gives an error of the driver its public code: UPSTREAM_UNAVAILABLE when the
// database can't be reached or gave up, BAD_USER_INPUT for a text that its encoding lacks.
// What has a code keeps it, and so does the end of a context.
func convert(doing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("event: %s: %w", doing, err)
	var coded *apierror.Error
	if errors.As(err, &coded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "40", "53", "57", "58": // connection, rolled back, resources, operator, system
		case "22": // a database that is not in UTF-8
			return apierror.Wrap(apierror.BadUserInput, err, "the app's database can't hold this text")
		default:
			return err
		}
	}
	if pg == nil && !unreachable(err) {
		return err
	}
	return apierror.Wrap(apierror.UpstreamUnavailable, err, "the event log is not reachable")
}

// unreachable tells that no connection came about, or that it went away in the middle of
// an answer.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// again tells that a transaction gave way to another one, and may be repeated:
// serialization_failure or deadlock_detected.
func again(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

func expired(reason string) *apierror.Error {
	return apierror.New(apierror.CursorExpired, "%s: begin anew without a cursor", reason)
}
