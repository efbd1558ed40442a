package webhook_test

import (
	"os"
	"testing"

	"erpgraph/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }
