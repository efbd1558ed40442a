package httpapi_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that the tests leave behind. The benchmark of idle sockets
// runs the binary again for its clients.
func TestMain(m *testing.M) {
	if address := os.Getenv(clientAddress); address != "" {
		if err := holdSockets(context.Background(), address); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
