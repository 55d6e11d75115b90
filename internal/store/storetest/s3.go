// Package storetest is an S3 server on loopback for tests, and faults to order.
// It is a server in memory that honours conditional writes, behind a layer
// that refuses requests and loses replies.
package storetest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// Bucket is the bucket that the server has.
const Bucket = "sweeps"

// Server is an S3 server. Its methods may be called at any time.
type Server struct {
	url     string
	inner   http.Handler
	backend shared

	mu            sync.Mutex
	refused       float64
	away          time.Time
	lose          func(*http.Request) bool
	unconditional bool
	forged        bool
	status        int
	readOnly      bool
	counts        map[string]int
}

// S3 starts a server that ends with the test, and sets the environment by
// which its bucket is reached: other processes need nothing but that and Where.
func S3(t testing.TB) *Server {
	t.Helper()
	backend := shared{inMemory(64), &sync.Map{}}
	if err := backend.CreateBucket(Bucket); err != nil {
		t.Fatal(err)
	}
	s := &Server{inner: gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server(), backend: backend, counts: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.url = server.URL
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CA_BUNDLE": "", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
	return s
}

// Where is the URL of a store in the server's bucket.
func (s *Server) Where(prefix string) string {
	return "s3://" + Bucket + "/" + prefix + "?endpoint=" + url.QueryEscape(s.url) + "&region=us-east-1"
}

// Share makes an object that has the bytes of another, without a copy of them: for
// buckets that no machine would hold. Neither is written again.
func (s *Server) Share(key, of string) error {
	o, err := s.backend.HeadObject(Bucket, of)
	if err != nil {
		return err
	}
	s.backend.same.Store(key, gofakes3.Content{Key: of, ETag: gofakes3.FormatETag(o.Hash), Size: o.Size})
	_, err = s.backend.PutObject(Bucket, key, map[string]string{}, strings.NewReader(""), 0, nil)
	return err
}

// shared is objects in memory, of which some have the bytes of others.
type shared struct {
	listed
	same *sync.Map // of another's Content, by key
}

func (b shared) other(key string) string {
	if c, has := b.same.Load(key); has {
		return c.(gofakes3.Content).Key
	}
	return key
}

func (b shared) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	return b.listed.HeadObject(bucket, b.other(key))
}

func (b shared) GetObject(bucket, key string, part *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	return b.listed.GetObject(bucket, b.other(key), part)
}

func (b shared) ListBucket(bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	list, err := b.listed.ListBucket(bucket, prefix, page)
	if err != nil {
		return list, err
	}
	for _, c := range list.Contents {
		if other, has := b.same.Load(c.Key); has {
			c.ETag, c.Size = other.(gofakes3.Content).ETag, other.(gofakes3.Content).Size
		}
	}
	return list, nil
}

// Refuse answers a fraction of the requests with 503 SlowDown from now on.
func (s *Server) Refuse(fraction float64) { s.set(func() { s.refused = fraction }) }

// Away answers every request with 503 for so long.
func (s *Server) Away(d time.Duration) { s.set(func() { s.away = time.Now().Add(d) }) }

// Lose does what the requests that match ask for and then cuts the connection
// instead of an answer. It asks about every request, one at a time; nil is none.
func (s *Server) Lose(match func(*http.Request) bool) { s.set(func() { s.lose = match }) }

// Deny answers every request with an HTTP status and no more; 0 ends that.
func (s *Server) Deny(status int) { s.set(func() { s.status = status }) }

// ReadOnly denies, from now on, every request that would write.
func (s *Server) ReadOnly() { s.set(func() { s.readOnly = true }) }

// IgnoreConditions makes it a server that takes no notice of If-None-Match.
func (s *Server) IgnoreConditions() { s.set(func() { s.unconditional = true }) }

// ForgeConditions makes it a server that answers as if it had created what was there.
func (s *Server) ForgeConditions() { s.set(func() { s.forged = true }) }

// Requests counts the requests since the last call, by method, and refused
// ones with them.
func (s *Server) Requests() (counts map[string]int) {
	s.set(func() { counts, s.counts = s.counts, map[string]int{} })
	return counts
}

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// fate is what becomes of one request.
type fate struct {
	status int
	lost   bool
	forged bool
}

func (s *Server) decide(r *http.Request) (f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[r.Method]++
	if s.unconditional {
		r.Header.Del("If-None-Match")
	}
	f.status = s.status
	if s.readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
		f.status = http.StatusForbidden
	}
	if time.Now().Before(s.away) || rand.Float64() < s.refused {
		f.status = http.StatusServiceUnavailable
	}
	f.lost = s.lose != nil && f.status == 0 && s.lose(r)
	f.forged = s.forged && r.Header.Get("If-None-Match") != ""
	return f
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.decide(r)
	switch {
	case f.status != 0:
		refuse(w, r, f.status)
	case f.lost:
		s.inner.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // cuts the connection
	case f.forged:
		s.inner.ServeHTTP(httptest.NewRecorder(), r)
		w.Header().Set("ETag", `"forged"`)
	default:
		s.inner.ServeHTTP(w, r)
	}
}

func refuse(w http.ResponseWriter, r *http.Request, status int) {
	io.Copy(io.Discard, r.Body)
	code := map[int]string{http.StatusServiceUnavailable: "SlowDown", http.StatusForbidden: "AccessDenied"}[status]
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>as the test ordered</Message></Error>`, code)
	}
}
