package store

import (
	"net"
	"net/http"
	"sync"
	"time"
)

var dialer = &net.Dialer{Timeout: dialLimit, KeepAlive: 30 * time.Second}

// clock tells the time by the store's clock, as its last reply did.
type clock struct {
	mu  sync.Mutex
	off time.Duration // what the store's clock is ahead
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) heard(r *http.Response) {
	if r == nil {
		return
	}
	if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		c.mu.Lock()
		c.off = time.Until(t)
		c.mu.Unlock()
	}
}

// clockedClient is an HTTP client that tells a clock what time it is.
type clockedClient struct {
	client interface {
		Do(*http.Request) (*http.Response, error)
	}
	clock *clock
}

func (c clockedClient) Do(r *http.Request) (*http.Response, error) {
	res, err := c.client.Do(r)
	c.clock.heard(res)
	return res, err
}

// clockedTransport is clockedClient one layer below.
type clockedTransport struct {
	http.RoundTripper
	clock *clock
}

func (t clockedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(r)
	t.clock.heard(res)
	return res, err
}
