package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/app"
	"erpgraph/internal/benchtest"
	"erpgraph/internal/simulator"
)

// The benchmarks of events. The site is in the server's process, and counts with it.
//
//	go test -run '^$' -bench Live -benchtime 20x ./e2e

// benchSubscribers hold a socket each of the one credential.
const benchSubscribers = 5000

const liveBenchQuery = `subscription { customerChanged { cursor kind name document { name customerName territory { name } } } }`

// manySockets lets a caller have as many as the benchmarks need.
func manySockets(cfg *app.Config) { cfg.MaxSockets, cfg.MaxSocketsPerCaller = 20_000, 20_000 }

// BenchmarkLiveLatency is the time from a write at ERPNext to the event at the client, with
// 1,000 subscribers of 50 credentials in this process too: each event is read 50 times. The
// window of 50 ms, in which events are gathered, is in it.
func BenchmarkLiveLatency(b *testing.B) {
	const users, each = 50, 20
	x := setup(b, options{live: true, config: manySockets})
	var at atomic.Int64 // when the write began
	times := make(chan time.Duration, users*each)
	var clients sync.WaitGroup
	ctx, leave := context.WithCancel(b.Context())
	defer clients.Wait()
	defer leave()
	for n := range users {
		u := simulator.User{Name: fmt.Sprintf("bench%d@example.com", n), Roles: []string{"Sales User"}, APIKey: fmt.Sprintf("bench%011d", n), APISecret: fmt.Sprintf("bench0secret%03d", n)}
		if err := x.site.AddUser(u); err != nil {
			b.Fatal(err)
		}
		for range each {
			conn, err := subscribed(ctx, x.url, "token "+u.APIKey+":"+u.APISecret)
			if err != nil {
				b.Fatal(err)
			}
			clients.Go(func() {
				defer func() { _ = conn.CloseNow() }()
				for nextOf(ctx, conn) == nil {
					times <- time.Since(time.UnixMicro(at.Load()))
				}
			})
		}
	}
	x.until(b, "subscribed", func() bool { return x.log.count(`"msg":"subscribed"`) == users*each })
	name := x.newCustomer(b, "Bench", "South")
	for range users * each {
		<-times
	}
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		at.Store(time.Now().UnixMicro())
		x.changeCustomer(b, name, map[string]any{"customer_details": strconv.Itoa(i)})
		for range users * each {
			all = append(all, <-times)
		}
	}
	b.ReportMetric(median(all), "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100])/float64(time.Millisecond), "ms-p99")
	b.ReportMetric(0, "ns/op")
}

// subscribed is a socket with one subscription, of a caller who sends his credential as a
// header. It need not have begun yet.
func subscribed(ctx context.Context, address, credential string) (*websocket.Conn, error) {
	conn, res, err := websocket.Dial(ctx, strings.Replace(address, "http", "ws", 1)+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Authorization": {credential}},
	})
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"type":"connection_init"}`)); err != nil {
		return nil, err
	}
	if _, _, err := conn.Read(ctx); err != nil { // the acknowledgement
		return nil, err
	}
	return conn, subscribeOn(ctx, conn)
}

func subscribeOn(ctx context.Context, conn *websocket.Conn) error {
	return conn.Write(ctx, websocket.MessageText, []byte(`{"id":"1","type":"subscribe","payload":{"query":`+strconv.Quote(liveBenchQuery)+`}}`))
}

// nextOf reads to the next event. A subscription that was refused because too many begin at
// once begins again.
func nextOf(ctx context.Context, conn *websocket.Conn) error {
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var m struct{ Type string }
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		switch {
		case m.Type == "next":
			return nil
		case bytes.Contains(text, []byte("RATE_LIMITED")):
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := subscribeOn(ctx, conn); err != nil {
				return err
			}
		case m.Type == "error", m.Type == "complete":
			return fmt.Errorf("the subscription has ended: %s", text)
		}
	}
}

// BenchmarkLiveFanOut is what one event to 5,000 subscribers of one credential costs the
// server's CPU, that of an event to one subscriber apart; and what a subscriber that waits
// costs its memory. The clients are another process.
func BenchmarkLiveFanOut(b *testing.B) {
	x := setup(b, options{live: true, config: manySockets})
	name := x.newCustomer(b, "Bench", "South")
	alone := holdClients(b, x, 1)
	one := cpuOfEvents(b, x, name, alone, 50)
	alone.stop(b)

	memory := benchtest.Resident(b)
	all := holdClients(b, x, benchSubscribers)
	memory = benchtest.Resident(b) - memory
	goroutines := runtime.NumGoroutine()
	b.ResetTimer()
	events := cpuOfEvents(b, x, name, all, b.N)
	b.StopTimer()
	b.ReportMetric(memory/benchSubscribers/1024, "KB/subscriber")
	b.ReportMetric(float64(goroutines)/benchSubscribers, "goroutines/subscriber")
	b.ReportMetric((events-one)*1000, "ms-cpu/event")
	b.ReportMetric(one*1000, "ms-cpu/event-to-one")
	all.stop(b)
}

// cpuOfEvents is this process's CPU for each of n events that all clients get, in seconds.
func cpuOfEvents(b *testing.B, x *bundle, name string, to *clientProcess, n int) float64 {
	b.Helper()
	before := cpuTime(b)
	for i := range n {
		x.changeCustomer(b, name, map[string]any{"customer_details": fmt.Sprint(b.Name(), to.count, i)})
		to.told(b)
	}
	return (cpuTime(b) - before) / float64(n)
}

func cpuTime(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// clientProcess is another process that holds subscriptions.
type clientProcess struct {
	count int
	cmd   *exec.Cmd
	in    io.Closer
	lines *bufio.Scanner
}

// What a process of clients is told, by its environment.
const (
	clientsOf    = "ERPGRAPH_E2E_CLIENTS_OF"
	clientsCount = "ERPGRAPH_E2E_CLIENTS"
)

// holdClients starts a process with subscriptions of sales, and waits until all have begun.
func holdClients(b *testing.B, x *bundle, count int) *clientProcess {
	b.Helper()
	before := x.log.count(`"msg":"subscribed"`)
	p := &clientProcess{count: count, cmd: exec.CommandContext(b.Context(), os.Args[0])}
	p.cmd.Env = append(os.Environ(), clientsOf+"="+x.url, clientsCount+"="+strconv.Itoa(count))
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	p.in, p.lines = in, bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	x.until(b, "subscribed", func() bool { return x.log.count(`"msg":"subscribed"`) == before+count })
	return p
}

// told waits until all clients have got one more event.
func (p *clientProcess) told(b *testing.B) {
	b.Helper()
	for p.lines.Scan() {
		switch line := p.lines.Text(); {
		case line == "told":
			return
		case strings.HasPrefix(line, "failed"):
			b.Fatal(line)
		}
	}
	b.Fatal("the clients are gone")
}

func (p *clientProcess) stop(b *testing.B) {
	b.Helper()
	if err := p.in.Close(); err != nil {
		b.Error(err)
	}
	for p.lines.Scan() { // to its end
	}
	if err := p.cmd.Wait(); err != nil {
		b.Errorf("clients: %v", err)
	}
}

// holdSubscriptions is the process of clients, until its input ends. It gives the exit code.
func holdSubscriptions(address string) int {
	say := func(line string) { _, _ = io.WriteString(os.Stdout, line+"\n") }
	count, err := strconv.Atoi(os.Getenv(clientsCount))
	if err != nil {
		say("failed: " + err.Error())
		return 1
	}
	ctx, leave := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	var got atomic.Int64
	for range count {
		conn, err := subscribed(ctx, address, sales)
		if err != nil {
			say("failed: " + err.Error())
			break
		}
		clients.Go(func() {
			defer func() { _ = conn.CloseNow() }()
			for {
				if err := nextOf(ctx, conn); err != nil {
					if ctx.Err() == nil {
						say("failed: " + err.Error())
					}
					return
				}
				if got.Add(1)%int64(count) == 0 {
					say("told")
				}
			}
		})
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	leave()
	clients.Wait()
	return 0
}

// BenchmarkLiveLocalWrite compares the change of a row of the custom app with the same change
// where the function that logs it does nothing. Both are of writers at once: the log's order
// is that of the commits, so that writers wait for each other at their ends.
func BenchmarkLiveLocalWrite(b *testing.B) {
	logged, bare := setup(b, options{live: true}), setup(b, options{live: true})
	bare.sql(b, `drop function event_append; create function event_append(text[], text[], text[], text[], text[], text[], boolean[], boolean[])
		returns bigint language sql as 'select 0::bigint'`)
	for _, writers := range []int{1, 8} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			var with, without []time.Duration
			rows := map[*bundle][]string{}
			for _, x := range []*bundle{logged, bare} {
				customer := x.newCustomer(b, fmt.Sprint("Bench ", writers, b.N), "South")
				for range writers {
					rows[x] = append(rows[x], x.newContract(b, map[string]any{"customer": customer}))
				}
			}
			for b.Loop() {
				with = append(with, writeAtOnce(b, logged, rows[logged])...)
				without = append(without, writeAtOnce(b, bare, rows[bare])...)
			}
			slices.Sort(with)
			slices.Sort(without)
			b.ReportMetric(median(with), "ms-logged")
			b.ReportMetric(median(without), "ms-bare")
			b.ReportMetric(median(with)/median(without), "logged/bare")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// writeAtOnce changes each row by a writer of its own, and gives how long each took.
func writeAtOnce(b *testing.B, x *bundle, rows []string) []time.Duration {
	b.Helper()
	took := make([]time.Duration, len(rows))
	var writers sync.WaitGroup
	for i, id := range rows {
		writers.Go(func() {
			start := time.Now()
			got := x.query(b, manager, `mutation($id: ID!, $i: ServiceContractUpdate!) { updateServiceContract(id: $id, input: $i) { id } }`, map[string]any{"id": id, "i": map[string]any{"notes": start.String()}})
			took[i] = time.Since(start)
			if len(got.Errors) > 0 {
				b.Errorf("%s", got.raw)
			}
		})
	}
	writers.Wait()
	return took
}
