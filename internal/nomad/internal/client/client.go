// Package client reaches a Nomad cluster which may be broken, or another server than
// one thinks.
//
// In goes where it is, out comes a client of Nomad's own library whose replies end:
// in bytes, also of those that are packed, and in time. It sends the token to no host
// but the one that the environment names.
package client

import (
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Limits of a reply, except for the stream of events, which does not end.
const (
	maxReply  = 256 << 20 // bytes, unpacked: some 150,000 allocations
	replyTime = 90 * time.Second
)

// eventStream is the path of the reply that does not end.
const eventStream = "/v1/event/stream"

// New returns a client of the cluster that c names.
func New(c *api.Config) (*api.Client, error) { return within(c, maxReply) }

// within is New with another limit of replies.
func within(c *api.Config, limit int64) (_ *api.Client, err error) {
	if !strings.HasPrefix(c.Address, "unix:") { // a socket is this machine's
		if c.HttpClient, err = httpClient(c.TLSConfig, limit); err != nil {
			return nil, fmt.Errorf("reach Nomad: %w", err)
		}
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, fmt.Errorf("reach Nomad: %w", err)
	}
	return client, nil
}

func httpClient(security *api.TLSConfig, limit int64) (*http.Client, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: replyTime,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
	}
	c := &http.Client{Transport: t, CheckRedirect: sameHost}
	if err := api.ConfigureTLS(c, security); err != nil {
		return nil, err
	}
	c.Transport = bounded{t, limit}
	return c, nil
}

// sameHost follows redirects within a server: Go's client would send the token along.
func sameHost(to *http.Request, via []*http.Request) error {
	from := via[0].URL
	switch {
	case len(via) > 5:
		return errors.New("the server redirects for ever")
	case to.URL.Host != from.Host || to.URL.Scheme != from.Scheme:
		return fmt.Errorf("the server redirects to %s://%s, which does not get the token: NOMAD_ADDR names the server", to.URL.Scheme, to.URL.Host)
	}
	return nil
}

// bounded ends replies that do not end by themselves.
type bounded struct {
	next  http.RoundTripper
	limit int64 // bytes
}

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	r, err := b.next.RoundTrip(req)
	if err != nil || req.URL.Path == eventStream && r.StatusCode == http.StatusOK {
		return r, err
	}
	body := &boundedBody{Reader: r.Body, packed: r.Body, left: b.limit}
	body.timer = time.AfterFunc(replyTime, func() { r.Body.Close() })
	if r.Header.Get("Content-Encoding") == "gzip" && r.ContentLength != 0 {
		body.Reader = &unpacked{packed: r.Body}
		r.Header.Del("Content-Encoding")
		r.ContentLength = -1
	}
	r.Body = body
	return r, nil
}

// boundedBody is a reply that ends.
type boundedBody struct {
	io.Reader
	packed io.ReadCloser
	timer  *time.Timer
	left   int64
	entries
}

var errEndless = errors.New("the reply is longer than any that is read: the server is broken, or not Nomad")

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errEndless
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	if b.null(p[:n]) {
		return 0, errNull
	}
	return n, err
}

var errNull = errors.New("the list has an entry that is null: the server is broken, or not Nomad")

// entries watches the entries of a list of JSON as it is read: Nomad's library takes
// each for an object.
type entries struct {
	begun, list, text, escaped bool
	depth                      int
}

// null reports whether one of them is null.
func (e *entries) null(part []byte) bool {
	for _, c := range part {
		switch {
		case e.text:
			e.text, e.escaped = e.escaped || c != '"', !e.escaped && c == '\\'
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		case !e.begun:
			if e.begun, e.list, e.depth = true, c == '[', 1; !e.list {
				return false
			}
		case !e.list:
			return false
		case c == '"':
			e.text = true
		case c == '[' || c == '{':
			e.depth++
		case c == ']' || c == '}':
			e.depth--
		case c == 'n' && e.depth == 1:
			return true
		}
	}
	return false
}

func (b *boundedBody) Close() error {
	b.timer.Stop()
	return b.packed.Close()
}

// unpacked reads what is packed, from its first byte on.
type unpacked struct {
	packed io.Reader
	gzip   *gzip.Reader
}

func (u *unpacked) Read(p []byte) (n int, err error) {
	if u.gzip == nil {
		if u.gzip, err = gzip.NewReader(u.packed); err != nil {
			return 0, err
		}
	}
	return u.gzip.Read(p)
}
