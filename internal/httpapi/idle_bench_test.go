package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/benchtest"
	"erpgraph/internal/httpapi"
)

// idleSockets is how many stay open, each with one subscription.
const idleSockets = 5000

// BenchmarkIdleSockets measures what an open socket with one subscription that waits costs
// the server's process. The clients are another process.
//
//	go test -run '^$' -bench IdleSockets -benchtime 1x ./internal/httpapi
func BenchmarkIdleSockets(b *testing.B) {
	for b.Loop() {
		var begun atomic.Int64
		handler, err := httpapi.New(httpapi.Options{
			Schema: executable(b, map[string]resolver{"changed": func(context.Context, map[string]any) (any, error) {
				begun.Add(1)
				return events(nil), nil
			}}),
			Limits: httpapi.Limits{Sockets: 8 * idleSockets, Concurrent: 100_000, QueueTime: time.Minute},
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		server := httptest.NewServer(handler)
		before, heapBefore, stackBefore := resident(b)
		stop := clients(b, server.Listener.Addr().String())
		for end := time.Now().Add(time.Minute); begun.Load() < idleSockets; runtime.Gosched() {
			if time.Now().After(end) {
				b.Fatalf("%d subscriptions began", begun.Load())
			}
		}
		after, heap, stack := resident(b)
		b.ReportMetric((after-before)/idleSockets/1024, "KB/socket")
		b.ReportMetric((heap-heapBefore)/idleSockets/1024, "KB-heap/socket")
		b.ReportMetric((stack-stackBefore)/idleSockets/1024, "KB-stack/socket")
		b.ReportMetric(float64(runtime.NumGoroutine())/idleSockets, "goroutines/socket")
		b.ReportMetric(0, "ns/op")
		stop()
		server.Close()
	}
}

// resident is the memory of this process once all that can be given back is, and what of
// it is heap and stacks.
func resident(b *testing.B) (rss, heap, stack float64) {
	b.Helper()
	rss = benchtest.Resident(b)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return rss, float64(m.HeapAlloc), float64(m.StackInuse)
}

// clientAddress tells a process that it is the clients, and of which server.
const clientAddress = "ERPGRAPH_IDLE_CLIENTS_OF"

// clients runs this test's binary once more, as the clients.
func clients(b *testing.B, address string) (stop func()) {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0])
	command.Env = append(os.Environ(), clientAddress+"="+address)
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := in.Close(); err != nil {
			b.Error(err)
		}
		if err := command.Wait(); err != nil {
			b.Errorf("clients: %v\n%s", err, &out)
		}
	}
}

// holdSockets is the clients' process of BenchmarkIdleSockets: it holds the sockets open until
// its input ends.
func holdSockets(ctx context.Context, address string) error {
	open := make([]net.Conn, 0, idleSockets)
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	for n := range idleSockets {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("socket %d: %w", n, err)
		}
		open = append(open, conn)
		if err := beginIdle(conn, address, n/100); err != nil {
			return fmt.Errorf("socket %d: %w", n, err)
		}
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// beginIdle asks for a socket of one caller, and begins a subscription on it.
func beginIdle(conn net.Conn, address string, caller int) error {
	if _, err := fmt.Fprintf(conn, "GET /graphql HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+
		"Sec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer caller-%d\r\n\r\n", address, caller); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 256), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(response.Status)
	}
	for _, text := range []string{`{"type":"connection_init"}`, `{"id":"1","type":"subscribe","payload":{"query":"subscription Changes { changed }"}}`} {
		if _, err := conn.Write(frame(text)); err != nil {
			return err
		}
	}
	return nil
}
