package catchup_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"erpgraph/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) {
	code := postgrestest.Main(m)
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
