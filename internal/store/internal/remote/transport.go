package remote

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

// How long one attempt may make no progress.
const (
	dialLimit  = 10 * time.Second
	replyLimit = 60 * time.Second
	writeLimit = 15 * time.Minute // for all of a reply to a write, whose server may send blanks while it works
)

var dialer = &net.Dialer{Timeout: dialLimit, KeepAlive: 30 * time.Second}

// MaxRedirects is how often a request is sent elsewhere. S3 does so once, while a
// bucket is new.
const MaxRedirects = 5

// RedirectedError reports a server that redirects for ever.
type RedirectedError struct{}

func (RedirectedError) Error() string { return "the server redirects for ever" }

// CanceledError keeps Amazon's SDK from sending the request again.
func (RedirectedError) CanceledError() bool { return true }

// Limit makes a transport give up on servers that do not answer, and on those
// that redirect for ever, which Amazon's SDK would follow.
func Limit(t *http.Transport) {
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn{c}, nil
	}
	proxy := t.Proxy
	t.Proxy = func(r *http.Request) (*url.URL, error) { // which each request needs, redirected ones too
		hops := 0
		for from := r.Response; from != nil; from = from.Request.Response {
			if hops++; hops > MaxRedirects {
				return nil, RedirectedError{}
			}
		}
		if proxy == nil {
			return nil, nil
		}
		return proxy(r)
	}
	t.ResponseHeaderTimeout = replyLimit
	t.MaxIdleConnsPerHost = 32
}

// conn is a connection whose writes end, to a server that does not read what it is
// sent.
type conn struct{ net.Conn }

func (c conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(replyLimit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Client is what sends requests: an http.Client, or a part of one.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

// Watched is a client that sets a clock from the replies, and bounds them. health is
// told how requests go, and may end them.
func Watched(c Client, clock *Clock, health *Health) Client { return watched{c, clock, health} }

type watched struct {
	client Client
	clock  *Clock
	health *Health
}

func (w watched) Do(r *http.Request) (*http.Response, error) {
	began, answered := time.Now(), w.health.asking(r)
	res, err := w.client.Do(r)
	answered()
	w.health.count(r, began, res, err)
	res, err = w.health.saw(r, began, res, err)
	if res != nil {
		w.clock.read(res)
		boundReply(res)
		hurry(res, w.health.tell)
	}
	return res, err
}
