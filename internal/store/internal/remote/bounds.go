package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Limits of what is read of a store: a server may lie, or be something else.
const (
	MaxObject     = 2 << 30  // bytes of one object that is read whole
	maxReply      = 16 << 20 // bytes of a reply that is no object: a page of 1,000 long keys has 5 MB
	maxEmptyPages = 1000     // in a row of one listing
	maxObjects    = 5_000_000
)

// ErrEndless reports a reply that is cut off.
var ErrEndless = errors.New("the reply is longer than any that is read: the server is no object store, or broken")

// A LargeError reports an object that is larger than what is read.
type LargeError struct{ Size, Most int64 } // bytes

func (e *LargeError) Error() string {
	return fmt.Sprintf("it has %d bytes, and at most %d are read", e.Size, e.Most)
}

// TooLarge is a LargeError.
func TooLarge(size, most int64) error { return &LargeError{size, most} }

// boundReply limits what is read of a reply.
func boundReply(r *http.Response) {
	if r.Body == nil {
		return
	}
	limit := int64(maxReply)
	if q := r.Request; q != nil && q.Method == http.MethodGet && r.StatusCode < 300 && !q.URL.Query().Has("prefix") {
		limit = MaxObject
	}
	r.Body = &boundedBody{r.Body, limit}
	if r.StatusCode == http.StatusBadRequest && r.Request != nil && r.Request.URL.Scheme == "http" {
		r.Body = refusal{r.Body}
	}
}

// A refusal is the body of a reply that may break off, because servers that expect TLS
// hang up behind it. Its status says enough: the request is not sent again.
type refusal struct{ io.ReadCloser }

func (b refusal) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrEndless
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	return n, err
}

// Listing watches that the pages of a listing come to an end.
type Listing struct {
	fresh   bool            // no object of the page has been seen
	empty   int             // pages in a row without an object
	begun   map[string]bool // the first keys of pages; nil before the first
	objects int
}

// Page is called before each page.
func (l *Listing) Page() error {
	if l.fresh = true; l.empty > maxEmptyPages {
		return errors.New("the listing does not end: its pages are empty")
	}
	l.empty++
	return nil
}

// Object is called with each key.
func (l *Listing) Object(key string) error {
	if l.objects++; l.objects > maxObjects {
		return fmt.Errorf("the listing has more than %d objects", maxObjects)
	}
	if l.fresh {
		if l.begun[key] {
			return fmt.Errorf("the listing does not end: a second page begins with %q", key)
		}
		if l.begun == nil {
			l.begun = map[string]bool{}
		}
		l.begun[key], l.fresh, l.empty = true, false, 0
	}
	return nil
}
