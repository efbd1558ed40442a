package e2e_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/postgres"
)

// proxy stands between erpgraph and a database, and can be cut.
type proxy struct {
	db       *postgres.DB
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newProxy(t *testing.T, db *postgres.DB) *proxy {
	t.Helper()
	target := db.Pool().Config().ConnConfig
	p := &proxy{}
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(target.Host, target.Port)
	p.wg.Go(func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			p.mu.Unlock()
			for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
				p.wg.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				})
			}
		}
	})
	to := url.URL{Scheme: "postgres", User: url.UserPassword(target.User, target.Password), Host: p.listener.Addr().String(), Path: target.Database, RawQuery: "sslmode=disable"}
	p.db, err = postgres.Open(t.Context(), postgres.Config{URL: to.String(), Settings: map[string]string{"search_path": target.RuntimeParams["search_path"]}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.cut)
	return p
}

// cut ends all connections and refuses new ones.
func (p *proxy) cut() {
	_ = p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}
