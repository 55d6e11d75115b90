package store

import (
	"net"
	"net/http"
	"sync"
	"time"
)

var dialer = &net.Dialer{Timeout: dialLimit, KeepAlive: 30 * time.Second}

// clock follows the store's clock, from the dates of its replies.
type clock struct {
	mu  sync.Mutex
	off time.Duration // how far the store's clock is ahead
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) read(r *http.Response) {
	if r == nil {
		return
	}
	if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		c.mu.Lock()
		c.off = time.Until(t)
		c.mu.Unlock()
	}
}

// clockedClient is an HTTP client that sets a clock from the replies, and bounds
// them.
type clockedClient struct {
	client interface {
		Do(*http.Request) (*http.Response, error)
	}
	clock *clock
}

func (c clockedClient) Do(r *http.Request) (*http.Response, error) {
	res, err := c.client.Do(r)
	c.clock.read(res)
	boundReply(res)
	return res, err
}

// clockedTransport is clockedClient one layer below.
type clockedTransport struct {
	http.RoundTripper
	clock *clock
}

func (t clockedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(r)
	t.clock.read(res)
	boundReply(res)
	return res, err
}
