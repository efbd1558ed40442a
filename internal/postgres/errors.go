package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
)

// convert turns an error of the driver into one that a caller may see. Its text never
// holds a value or a server's address: those stay in the cause, for the log. paths tell
// for each parameter where the client wrote its value.
func convert(err error, paths []string) error {
	var coded *apierror.Error
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded):
		return err
	case errors.Is(err, context.Canceled):
		return err // the caller left: nobody reads a code
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return apierror.Wrap(apierror.UpstreamTimeout, err, "the app's database did not answer in time")
	case errors.As(err, &pg):
		return convertServer(pg, err, paths)
	case unreachable(err):
		return apierror.Wrap(apierror.UpstreamUnavailable, err, "the app's database is not reachable")
	default:
		return err
	}
}

// convertServer goes by SQLSTATE (the appendix "Error Codes" of PostgreSQL's manual).
func convertServer(pg *pgconn.PgError, err error, paths []string) error {
	switch pg.Code {
	case "22P02", // invalid_text_representation
		"22003",                   // numeric_value_out_of_range
		"22007", "22008", "22009", // invalid datetimes
		"22021", "22P05": // bytes that the encoding lacks
		path := parameterPath(pg.Where, paths)
		at := ""
		if path != "" {
			at = path + ": "
		}
		return apierror.Wrap(apierror.BadUserInput, err, "%sthe value does not fit the column", at).About("", "", path)
	case "57014": // query_canceled: the server's own statement_timeout
		return apierror.Wrap(apierror.UpstreamTimeout, err, "the app's database did not answer in time")
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "08", "53", "57", "58": // connection, resources, operator intervention, system
		return apierror.Wrap(apierror.UpstreamUnavailable, err, "the app's database is not reachable")
	case "28", "3D": // authorization, no such database: an operator's mistake
		return apierror.Wrap(apierror.UpstreamUnavailable, err, "the app's database is not reachable")
	case "54": // program limits: a tree too deep, too many parameters
		return apierror.Wrap(apierror.CostLimit, err, "the condition is too complex for the app's database")
	default:
		return err
	}
}

// parameterPath finds in an error's context ("unnamed portal parameter $2 = '…'") which
// parameter it is about.
func parameterPath(where string, paths []string) string {
	_, rest, ok := strings.Cut(where, "parameter $")
	if !ok {
		return ""
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil || n < 1 || n > len(paths) {
		return ""
	}
	return paths[n-1]
}

// unreachable tells that no connection came about, or that it went away in the middle of
// an answer.
func unreachable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func badInput(path, format string, args ...any) error {
	if path != "" {
		format, args = "%s: "+format, append([]any{path}, args...)
	}
	return apierror.New(apierror.BadUserInput, format, args...).About("", "", path)
}
