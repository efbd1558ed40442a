package simulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// signatureHeader holds the base64 of the HMAC-SHA256 of the body.
const signatureHeader = "X-Frappe-Webhook-Signature"

// maxHookAnswer bounds what is read and kept of a receiver's answer.
const maxHookAnswer = 64 << 10

// hookRequest is what goes out, the same at each try.
type hookRequest struct {
	method, url string
	header      http.Header
	timeout     time.Duration
}

// DeliverWebhooks sends the webhooks that fire, until ctx ends: what then is still waiting
// is there for the next run. Only one may run at a time. It returns nil once its workers
// have ended.
func (s *Server) DeliverWebhooks(ctx context.Context) error {
	d := s.deliveries
	d.mu.Lock()
	workers, client := d.how.Workers, d.how.Client
	d.mu.Unlock()
	if client == nil {
		transport := &http.Transport{
			DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, MaxIdleConnsPerHost: workers, IdleConnTimeout: 30 * time.Second,
		}
		defer transport.CloseIdleConnections()
		client = &http.Client{Transport: transport}
	}
	work, free := make(chan *delivery), make(chan struct{}, workers)
	var group sync.WaitGroup
	for range workers {
		free <- struct{}{}
		group.Go(func() {
			for j := range work {
				s.deliver(ctx, client, j)
				free <- struct{}{}
			}
		})
	}
	for d.dispatch(ctx, free, work) {
	}
	close(work)
	group.Wait()
	return nil
}

// dispatch hands the next delivery to a worker: only when one is free, for what is next
// may change until then. It tells whether there is more to do.
func (d *deliveries) dispatch(ctx context.Context, free <-chan struct{}, work chan<- *delivery) bool {
	select {
	case <-free:
	case <-ctx.Done():
		return false
	}
	for {
		j, wait := d.next(time.Now())
		if j != nil {
			work <- j // there is a worker for it
			return true
		}
		if !d.await(ctx, wait) {
			return false
		}
	}
}

// await waits until something is due or queued, which is told falsely at times.
func (d *deliveries) await(ctx context.Context, wait time.Duration) bool {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-d.wake:
	case <-ctx.Done():
		return false
	}
	return true
}

// putBack queues a delivery again whose turn was cut short.
func (d *deliveries) putBack(j *delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.push(j, j.at)
	d.done()
}

// deliver makes one try.
func (s *Server) deliver(ctx context.Context, client *http.Client, j *delivery) {
	if j.request == nil {
		w := s.data.Load().findWebhook(j.hook)
		if w == nil {
			s.finish(j, "", fmt.Errorf("simulator: webhook %s is gone", j.hook))
			return
		}
		j.request = w.request(j.body)
	}
	answer, err := j.request.send(ctx, client, j.body)
	if err != nil && ctx.Err() != nil {
		s.deliveries.putBack(j)
		return
	}
	j.tries++
	s.finish(j, answer, err)
}

// request has the headers of a webhook, signed if it has a secret (get_webhook_headers).
func (w *webhook) request(body []byte) *hookRequest {
	r := &hookRequest{method: w.method, url: w.url, timeout: w.timeout, header: http.Header{
		"User-Agent": {"python-requests/2.32.3"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip, deflate, br"},
	}}
	if w.secret != "" {
		mac := hmac.New(sha256.New, []byte(w.secret))
		mac.Write(body)
		r.header.Set(signatureHeader, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	for _, h := range w.headers {
		r.header.Set(h.key, h.value)
	}
	return r
}

// errRefused is an answer that is no success.
var errRefused = errors.New("simulator: the receiver refused")

// send makes the request. Success is what requests takes for it: a status below 400.
func (r *hookRequest) send(ctx context.Context, client *http.Client, body []byte) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("simulator: webhook: %w", err)
	}
	req.Header = r.header.Clone()
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("simulator: webhook: %w", err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxHookAnswer))
	if err != nil {
		return "", fmt.Errorf("simulator: webhook: %w", err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return string(raw), fmt.Errorf("%w: %s", errRefused, res.Status)
	}
	return string(raw), nil
}

// finish notes a try, and queues the next if there is to be one.
func (s *Server) finish(j *delivery, answer string, err error) {
	complaint := ""
	if err != nil {
		complaint = err.Error()
	}
	s.deliveries.log.add(j, s.siteTime(), answer, complaint)
	if s.deliveries.settle(j, err) {
		s.logger.Warn("simulator: a webhook is lost", "webhook", j.hook, "doctype", j.doctype, "name", j.name, "tries", j.tries, "error", err)
	}
}

// settle counts a try, and tells whether the delivery is lost with it.
func (d *deliveries) settle(j *delivery, err error) (lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.done()
	if err == nil {
		d.counts.Sent++
		return false
	}
	d.counts.Failed++
	if j.tries == 0 || j.tries > len(d.how.RetryWaits) {
		d.counts.GivenUp++
		return true
	}
	wait := d.how.RetryWaits[j.tries-1]
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		wait = 0 // the original does not sleep after a read timeout
	}
	if d.how.Workers == 1 {
		d.blocked = j
	}
	d.push(j, time.Now().Add(wait))
	return false
}
