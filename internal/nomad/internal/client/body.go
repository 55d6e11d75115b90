package client

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// bounded asks one host, and ends replies that do not end by themselves.
type bounded struct {
	next  http.RoundTripper
	host  string
	limit bounds
}

// RoundTrip refuses requests to other hosts: Nomad's library would ask a node itself,
// at the address that a server says it has, and send the token along.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != b.host {
		return nil, fmt.Errorf("%s is not asked: NOMAD_ADDR names another server, and the token is for that one", req.URL.Host)
	}
	r, err := b.next.RoundTrip(req)
	if err != nil {
		return r, err
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") && r.StatusCode < 300 {
		return nil, errors.Join(errPage, r.Body.Close())
	}
	if req.URL.Path == eventStream && r.StatusCode == http.StatusOK {
		return r, nil
	}
	body := &boundedBody{Reader: r.Body, packed: r.Body, left: b.limit.bytes, refusal: r.StatusCode >= 400, entries: entries{most: b.limit}}
	if body.refusal {
		body.left = maxRefusal
	}
	body.timer = time.AfterFunc(b.limit.ends, func() { body.packed.Close() })
	if r.Header.Get("Content-Encoding") == "gzip" && r.ContentLength != 0 {
		body.Reader = &unpacked{packed: r.Body}
		r.Header.Del("Content-Encoding")
		r.ContentLength = -1
	}
	r.Body = body
	return r, nil
}

// What is wrong with a reply.
var (
	errPage    = errors.New("the answer is a page of HTML: the server is not Nomad, or a proxy stands before it")
	errEndless = errors.New("the reply is longer than any that is read: the server is broken, or not Nomad")
	errNull    = errors.New("the list has an entry that is null: the server is broken, or not Nomad")
	errLong    = fmt.Errorf("the reply has a text or a gap of more than %d bytes: the server is broken, or not Nomad", maxRun)
	errMany    = fmt.Errorf("the reply has more than %d objects, or %d values: the server is broken, or not Nomad", maxObjects, maxParts)
)

// boundedBody is a reply that ends.
type boundedBody struct {
	io.Reader
	packed  io.ReadCloser
	timer   *time.Timer
	left    int64
	refusal bool // words for people, of which the beginning does
	entries
}

func (b *boundedBody) Read(p []byte) (int, error) {
	most := b.left
	if !b.refusal {
		most++ // a byte more tells that it does not end
	}
	switch {
	case most <= 0 && b.refusal:
		return 0, io.EOF
	case most <= 0:
		return 0, errEndless
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), most)])
	b.left -= int64(n)
	if b.refusal {
		return n, err
	}
	if wrong := b.watch(p[:n]); wrong != nil {
		return 0, wrong
	}
	return n, err
}

func (b *boundedBody) Close() error {
	b.timer.Stop()
	return b.packed.Close()
}

// entries watches JSON as it is read: Nomad's library takes each entry of a list for
// an object, and three bytes may cost it six hundred.
type entries struct {
	begun, list, text, escaped bool
	depth, objects, parts      int
	run                        int // bytes since the last mark
	most                       bounds
}

// watch is an error once there are too many values, one of them is too long, or an entry
// of the list is null.
func (e *entries) watch(part []byte) error {
	for _, c := range part {
		e.run++
		switch {
		case e.text:
			e.text, e.escaped = e.escaped || c != '"', !e.escaped && c == '\\'
			continue
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			continue
		case !e.begun:
			e.begun, e.list = true, c == '['
		}
		if strings.IndexByte(`"[]{},:`, c) >= 0 {
			e.run = 0
		}
		switch c {
		case '"':
			e.text = true
		case '[', '{':
			e.depth++
			e.objects++
		case ']', '}':
			e.depth--
		case ',':
			e.parts++
		case 'n':
			if e.list && e.depth == 1 {
				return errNull
			}
		}
	}
	if e.run > e.most.run {
		return errLong
	}
	if e.objects > e.most.objects || e.parts > e.most.parts {
		return errMany
	}
	return nil
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
