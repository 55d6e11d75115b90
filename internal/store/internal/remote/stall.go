package remote

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// ErrStalled reports a reply that began, and then hardly went on.
var ErrStalled = errors.New("the reply does not go on: the server or the network is broken")

// Stalls is how often a request is sent whose reply stalls: each takes a minute.
const Stalls = 3

// slowest is what a reply has to bring, in bytes a second.
const slowest = 4 << 10

// hurry limits how long is waited for the body of a reply, and has people told before.
func hurry(r *http.Response, tell func()) {
	if r.Body == nil {
		return
	}
	b := &hurriedBody{ReadCloser: r.Body, left: writeLimit, tell: tell}
	if q := r.Request; q != nil && q.Method == http.MethodGet {
		b.left, b.most = replyLimit, replyLimit
	}
	r.Body = b
}

// hurriedBody gives up when it has waited for too long. Only waiting counts: its
// reader may take its time.
type hurriedBody struct {
	io.ReadCloser
	left time.Duration // how long is still waited
	most time.Duration // up to which bytes lengthen it; 0 if they do not
	tell func()        // called when it is behind by tellAfter, if bytes lengthen it
}

func (b *hurriedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrStalled
	}
	var late atomic.Bool
	began := time.Now()
	timer := time.AfterFunc(b.left, func() {
		late.Store(true)
		b.Close() // ends the read below
	})
	if b.most > 0 {
		defer time.AfterFunc(max(0, b.left-(b.most-tellAfter)), b.tell).Stop()
	}
	n, err := b.ReadCloser.Read(p)
	timer.Stop()
	b.left -= time.Since(began)
	if late.Load() {
		b.left = 0
		return n, ErrStalled
	}
	if b.most > 0 {
		b.left = min(b.most, b.left+time.Duration(n)*time.Second/slowest)
	}
	return n, err
}
