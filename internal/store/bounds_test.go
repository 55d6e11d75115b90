package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/fanout-dev/fanout/internal/store/internal/remote"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// liar is a bucket on a server that answers as the test makes it.
func liar(t *testing.T, answer http.HandlerFunc) Store {
	t.Helper()
	storetest.S3(t) // the environment
	server := httptest.NewServer(answer)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	s, err := Open(ctx, "s3://"+storetest.Bucket+"/p?region=us-east-1&endpoint="+url.QueryEscape(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// endless writes until nobody listens.
func endless(w http.ResponseWriter, what string) {
	chunk := []byte(strings.Repeat(what, 1<<16/len(what)))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func page(w http.ResponseWriter, keys ...string) {
	fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>`)
	for _, k := range keys {
		fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`, k)
	}
	fmt.Fprint(w, `</ListBucketResult>`)
}

// Listings that would never end do, with an error that says so.
func TestListingsThatDoNotEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"the same page for ever": {func(w http.ResponseWriter, _ *http.Request) { page(w, "p/a", "p/b") }, `a second page begins with "p/a"`},
		"empty pages for ever":   {func(w http.ResponseWriter, _ *http.Request) { page(w) }, "its pages are empty"},
		"one endless page": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult>`)
			endless(w, "<Contents><Key>p/a</Key><Size>1</Size></Contents>")
		}, "longer than any that is read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := liar(t, tt.answer)
			var err error
			for _, err = range s.List(ctx, "") {
				if err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// An error whose text does not end is one.
func TestErrorsThatDoNotEnd(t *testing.T) {
	s := liar(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		endless(w, "no ")
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.Get(ctx, "k")
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("Get succeeded")
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
		t.Errorf("allocated %d MB", used>>20)
	}
}

// An object that is too large to hold is an error before memory is taken.
func TestObjectsThatAreTooLarge(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "sparse"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(root, "sparse"), 1<<40); err != nil {
		t.Skip(err)
	}
	s := Dir(root)
	if _, err := s.Get(ctx, "sparse"); err == nil || !strings.Contains(err.Error(), "sparse") || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get: %v", err)
	}
	if _, _, err := s.Tail(ctx, "sparse", 0); err == nil || !strings.Contains(err.Error(), "sparse") {
		t.Errorf("Tail: %v", err)
	}
}

// What is small unless somebody lies is not read when it is large, whether the
// server says how large it is or not.
func TestSmallObjectsThatAreLarge(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "k"), make([]byte, MaxSmall+1), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Store{
		"directory": Dir(root),
		"announced": liar(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(MaxSmall+1))
			endless(w, "x")
		}),
		"endless": liar(t, func(w http.ResponseWriter, _ *http.Request) { endless(w, "x") }),
	} {
		if _, err := GetSmall(ctx, s, "k"); err == nil || !strings.Contains(err.Error(), "at most 16777216 are read") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Truncate(filepath.Join(root, "k"), MaxSmall); err != nil {
		t.Fatal(err)
	}
	if b, err := GetSmall(ctx, Dir(root), "k"); err != nil || len(b) != MaxSmall {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// stalling is a protocol whose replies stall.
type stalling struct {
	remote.Protocol
	asked int
}

func (p *stalling) Read(context.Context, string, int64) (io.ReadCloser, int64, error) {
	p.asked++
	return io.NopCloser(iotest.ErrReader(remote.ErrStalled)), 9, nil
}

func (p *stalling) Page(context.Context, string, string, string) ([]remote.Object, string, error) {
	p.asked++
	return nil, "", remote.ErrStalled
}

func (*stalling) Judge(error) (string, error) { return "", nil }

// Replies that stall are asked for again, and then are an error.
func TestRepliesThatStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &stalling{}
		b := newBucket(p, "b", "", &remote.Clock{})
		if _, err := b.Get(ctx, "k"); !errors.Is(err, remote.ErrStalled) || p.asked != remote.Stalls {
			t.Errorf("Get: %v after %d requests", err, p.asked)
		}
		p.asked = 0
		for _, err := range b.List(ctx, "") {
			if !errors.Is(err, remote.ErrStalled) || p.asked != remote.Stalls {
				t.Errorf("List: %v after %d requests", err, p.asked)
			}
		}
		if p.asked == 0 {
			t.Error("List asked nothing")
		}
	})
}

// A server that sends every request elsewhere is an error, soon.
func TestRedirectionsThatDoNotEnd(t *testing.T) {
	for code, want := range map[int]string{
		http.StatusMovedPermanently: "301", http.StatusFound: "302",
		http.StatusTemporaryRedirect: "redirects for ever", http.StatusPermanentRedirect: "redirects for ever",
	} {
		var asked atomic.Int32
		s := liar(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?again")
			w.WriteHeader(code)
		})
		if _, err := s.Get(ctx, "k"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", code, err)
		}
		if n := asked.Load(); n > remote.MaxRedirects+1 {
			t.Errorf("%d: %d requests", code, n)
		}
	}
}

// A large object passes through memory in pieces, also where a reply breaks off and
// it is read from its beginning again.
func TestFetchHoldsLittle(t *testing.T) {
	const size = 64 << 20
	var asked atomic.Int32
	st := liar(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
		chunk := make([]byte, 1<<16)
		for sent := 0; sent < size; sent += len(chunk) {
			if asked.Load() == 0 && sent == size/2 {
				asked.Add(1)
				panic(http.ErrAbortHandler)
			}
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	file := filepath.Join(t.TempDir(), "f")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := Fetch(ctx, st, "artifacts/x", file); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d bytes were allocated for an object of %d", n, size)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != size {
		t.Errorf("%v, %v", info, err)
	}
}
