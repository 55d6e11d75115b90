// Package client reaches a Nomad cluster which may be broken, or another server than
// one thinks.
//
// In goes where it is, out comes a client of Nomad's own library whose replies end:
// in bytes, also of those that are packed, in the values that they hold, and in time.
// It sends nothing to another host than the one that the environment names: neither a
// redirect nor the address of a node in an answer leads it elsewhere.
package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Limits of a reply, except for the stream of events, which does not end.
const (
	maxReply   = 256 << 20 // bytes, unpacked: some 150,000 allocations
	maxRefusal = 64 << 10  // bytes of one that says what is wrong; the rest is not read
	maxObjects = 1_500_000 // of JSON; each may take 600 bytes of memory
	maxParts   = 20_000_000
	maxRun     = 32 << 20 // bytes of a text, or of blanks: what decodes them takes four times as many
)

// bounds are those of a reply that a test may lower.
type bounds struct {
	bytes          int64
	objects, parts int
	run            int           // bytes of a text, or of blanks
	begins         time.Duration // after the request
	ends           time.Duration // after it began
}

var usual = bounds{maxReply, maxObjects, maxParts, maxRun, 60 * time.Second, 90 * time.Second}

// eventStream is the path of the reply that does not end.
const eventStream = "/v1/event/stream"

// New returns a client of the cluster that c names.
func New(c *api.Config) (*api.Client, error) { return within(c, usual) }

// within is New with other bounds.
func within(c *api.Config, limit bounds) (_ *api.Client, err error) {
	if !strings.HasPrefix(c.Address, "unix:") { // a socket is this machine's
		if c.HttpClient, err = httpClient(c, limit); err != nil {
			return nil, fmt.Errorf("reach Nomad: %w", err)
		}
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, fmt.Errorf("reach Nomad: %w", err)
	}
	return client, nil
}

func httpClient(config *api.Config, limit bounds) (*http.Client, error) {
	where, err := url.Parse(config.Address)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: limit.begins,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
	}
	c := &http.Client{Transport: t, CheckRedirect: sameHost}
	if err := api.ConfigureTLS(c, config.TLSConfig); err != nil {
		return nil, err
	}
	c.Transport = bounded{t, where.Host, limit}
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
