package remote

import (
	"net/http"
	"strings"
	"time"
)

// A Request is what a store was asked for once, and how that went.
type Request struct {
	Operation string // get, list, stat, put, append, copy or delete
	Took      time.Duration
	Sent, Got int64 // bytes of objects; of a request to a bucket, as the messages say
	Again     bool  // there was no answer, or no proper one: it is sent again, as long as somebody waits
}

// count tells of a request that was sent to a server.
func (h *Health) count(r *http.Request, began time.Time, res *http.Response, err error) {
	if h.Count == nil {
		return
	}
	q := Request{Operation: operation(r), Took: time.Since(began), Sent: max(0, r.ContentLength), Again: !proper(res, err) && r.Context().Err() == nil}
	if res != nil && q.Operation == "get" && res.StatusCode < 300 {
		q.Got = max(0, res.ContentLength)
	}
	h.Count(q)
}

// proper reports whether a server answered, other than that it cannot answer now.
func proper(res *http.Response, err error) bool {
	return err == nil && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests
}

// operation is what S3 or GCS is asked for.
func operation(r *http.Request) string {
	switch {
	case r.Method == http.MethodDelete:
		return "delete"
	case r.Method == http.MethodHead:
		return "stat"
	case r.Method == http.MethodGet && (r.URL.Query().Has("prefix") || r.URL.Query().Has("list-type")):
		return "list"
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/storage/v1/") && !r.URL.Query().Has("alt"):
		return "stat"
	case r.Method == http.MethodGet:
		return "get"
	case r.Header.Get("X-Amz-Copy-Source") != "" || r.URL.Query().Has("rewriteToken"):
		return "copy"
	}
	return "put"
}
