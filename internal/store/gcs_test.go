package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// openEmulator opens a bucket of a stand-in for Google's service on loopback.
func openEmulator(t *testing.T) *bucket {
	t.Helper()
	b, _ := openFaulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
	return b
}

// openFaulty is openEmulator, and fault decides what becomes of each request.
func openFaulty(t *testing.T, fault func(w http.ResponseWriter, r *http.Request, next http.Handler)) (*bucket, *fakestorage.Server) {
	t.Helper()
	emulator, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(emulator.Stop)
	emulator.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "sweeps"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fault(w, r, emulator.HTTPHandler()) }))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", u.Host)
	s, err := Open(ctx, "gs://sweeps/some/where")
	if err != nil {
		t.Fatal(err)
	}
	return s.(*bucket), emulator
}

// hintOf is what an error says to do.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if !errors.As(err, &h) {
		return ""
	}
	return h.Hint()
}

func TestGCSRefusalSaysWhatToDo(t *testing.T) {
	var status atomic.Int32
	s, _ := openFaulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if n := int(status.Load()); n != 0 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(n)
			fmt.Fprint(w, `{"error": {"code": 1, "message": "as the test ordered"}}`)
			return
		}
		next.ServeHTTP(w, r)
	})
	for n, want := range map[int]string{http.StatusForbidden: "Storage Object User", http.StatusUnauthorized: "gcloud auth", http.StatusFound: "", http.StatusPermanentRedirect: ""} {
		status.Store(int32(n))
		if _, err := s.Get(ctx, "k"); err == nil || !strings.Contains(err.Error(), "as the test ordered") || !strings.Contains(hintOf(err), want) {
			t.Errorf("%d: %v, with the hint %q", n, err, hintOf(err))
		}
	}
	status.Store(http.StatusForbidden)
	if err := s.Put(ctx, "k", nil, Cached); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not ErrPermission", err)
	}
	status.Store(0)
	os.Unsetenv("STORAGE_EMULATOR_HOST")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
	if _, err := Open(ctx, "gs://sweeps/p"); !strings.Contains(hintOf(err), "gcloud auth") {
		t.Errorf("no credentials: %v", err)
	}
}

// A bucket that is missing is not an object that is missing. The texts are those of
// Google's service.
func TestGCSBucketIsMissing(t *testing.T) {
	text := "The specified bucket does not exist."
	s, _ := openFaulty(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error": {"code": 404, "message": %q}}`, text)
	})
	if err := s.Put(ctx, "k", nil, Cached); !strings.Contains(hintOf(err), "create the bucket") {
		t.Errorf("Put: %v", err)
	}
	for _, err := range s.List(ctx, "") {
		if !strings.Contains(hintOf(err), "create the bucket") {
			t.Errorf("List: %v", err)
		}
	}
	text = "No such object: sweeps/some/where/k"
	if _, err := s.Get(ctx, "k"); !errors.Is(err, fs.ErrNotExist) || hintOf(err) != "" {
		t.Errorf("Get: %v", err)
	}
}

// Refusals that pass, and replies that are lost, change nothing.
func TestGCSFaultsAreRiddenOut(t *testing.T) {
	var n atomic.Int64
	s, _ := openFaulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch n.Add(1) % 5 {
		case 1:
			w.WriteHeader([]int{429, 500, 503}[n.Load()%3])
		case 3:
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // cuts the connection
		default:
			next.ServeHTTP(w, r)
		}
	})
	for i := range 20 {
		key, want := fmt.Sprint("k/", i), fmt.Append(nil, i)
		if err := s.Create(ctx, key, want, Synced); err != nil {
			t.Fatal(err)
		}
		if err := s.Create(ctx, key, []byte("other"), Synced); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a second Create: %v", err)
		}
		if err := s.Copy(ctx, key+".copy", key); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, key+".copy"); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if keys := keysOf(t, s, "k/"); len(keys) != 40 {
		t.Errorf("%d keys", len(keys))
	}
	testCreateOnce(t, s, "once")
}

// What is sent in several requests arrives whole.
func TestGCSLargeObjects(t *testing.T) {
	s := openEmulator(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 40<<16) // 40 MiB: three requests
	for _, size := range []int{0, 1, 16 << 20, 16<<20 + 1, 32 << 20, len(want)} {
		if err := s.Write(ctx, "big", content(want[:size]), Synced); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if got, err := s.Get(ctx, "big"); err != nil || !bytes.Equal(got, want[:size]) {
			t.Errorf("%d bytes of %d, %v", len(got), size, err)
		}
	}
}

// halting is the server's end of an upload in several requests, as Google documents
// it. It keeps a part of what it is sent, refuses, and loses replies.
type halting struct {
	mu    sync.Mutex
	n     int
	bytes []byte
	whole bool
}

func (h *halting) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Method == http.MethodPost {
		w.Header().Set("Location", "https://elsewhere.example/upload/session?upload_id=1")
		return
	}
	if r.URL.RequestURI() != "/upload/session?upload_id=1" {
		t.Errorf("asked for %s", r.URL)
	}
	h.n++
	if h.n%4 == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.take(t, r)
	if h.n%5 == 0 {
		panic(http.ErrAbortHandler)
	}
	if h.whole {
		return
	}
	if len(h.bytes) > 0 {
		w.Header().Set("Range", fmt.Sprint("bytes=0-", len(h.bytes)-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

func (h *halting) take(t *testing.T, r *http.Request) {
	var from, to int
	var total string
	if n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%s", &from, &to, &total); n == 3 {
		body, err := io.ReadAll(r.Body)
		if err != nil || from != len(h.bytes) || to-from+1 != len(body) {
			t.Errorf("%s: %d bytes for %d, %v", r.Header.Get("Content-Range"), len(body), len(h.bytes), err)
		}
		if h.n%3 == 0 {
			body = body[:min(len(body), 256<<10)]
		}
		h.bytes = append(h.bytes, body...)
	} else if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes */%s", &total); err != nil {
		t.Errorf("%s: %v", r.Header.Get("Content-Range"), err)
	}
	h.whole = total == strconv.Itoa(len(h.bytes))
}

// An upload goes on where it was cut.
func TestGCSUploadsAreResumed(t *testing.T) {
	var h halting
	s, _ := openFaulty(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { h.serve(t, w, r) })
	want := bytes.Repeat([]byte("0123456789abcde\n"), 100<<16) // 100 MiB
	if err := s.Write(ctx, "big", content(want), Synced); err != nil {
		t.Fatal(err)
	}
	if !h.whole || !bytes.Equal(h.bytes, want) {
		t.Errorf("%d bytes of %d arrived, whole: %v", len(h.bytes), len(want), h.whole)
	}
	if h.n < 10 {
		t.Errorf("it took %d requests: the server had no faults", h.n)
	}
}

// A writer that fails leaves an upload that is never finished.
func TestGCSUploadIsGivenUp(t *testing.T) {
	var h halting
	s, _ := openFaulty(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { h.serve(t, w, r) })
	bad := errors.New("half way")
	err := s.Write(ctx, "big", func(w io.Writer) error {
		w.Write(make([]byte, 33<<20))
		return bad
	}, Synced)
	if !errors.Is(err, bad) || h.whole {
		t.Errorf("%v, whole: %v", err, h.whole)
	}
}

// A reply that is not what the object was is read again.
func TestGCSChecksums(t *testing.T) {
	var reads atomic.Int64
	s, _ := openFaulty(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("alt") != "media" || reads.Add(1) > 1 {
			next.ServeHTTP(w, r)
			return
		}
		right := httptest.NewRecorder()
		next.ServeHTTP(right, r)
		for name, values := range right.Header() {
			w.Header()[name] = values
		}
		w.Write(bytes.ToUpper(right.Body.Bytes()))
	})
	if err := s.Put(ctx, "k", []byte("text"), Cached); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "k"); string(got) != "text" || err != nil || reads.Load() != 2 {
		t.Errorf("%q, %v, after %d reads", got, err, reads.Load())
	}
}

// Keys that the protocol cannot carry, or that mean something in a URL, are kept.
func TestOddKeys(t *testing.T) {
	for name, s := range map[string]Store{"gs": openEmulator(t), "s3": testBucket(t, storetest.S3(t))} {
		for _, key := range []string{"a/with space", "a/b;c=d&e#f", "a/ü%2f+", "a/line\nbreak", "a/..b", "a/b../c", "a/__0x2f__"} {
			if err := s.Put(ctx, key, []byte(key), Cached); err != nil {
				t.Errorf("%s: %q: %v", name, key, err)
				continue
			}
			if err := s.Copy(ctx, "copy/"+key, key); err != nil {
				t.Errorf("%s: copy %q: %v", name, key, err)
			}
			if got, err := s.Get(ctx, "copy/"+key); string(got) != key || err != nil {
				t.Errorf("%s: %q holds %q, %v", name, key, got, err)
			}
			if keys := keysOf(t, s, key); len(keys) != 1 || keys[0] != key {
				t.Errorf("%s: %q is listed as %q", name, key, keys)
			}
		}
	}
}
