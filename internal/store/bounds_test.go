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
	"time"

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

// last is a page after which there is none.
func last(w http.ResponseWriter, keys ...string) {
	fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult>`)
	for _, k := range keys {
		fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>-1</Size></Contents>`, k)
	}
	fmt.Fprint(w, `</ListBucketResult>`)
}

// A listing has only keys of the store that are paths beneath it: one that leads
// elsewhere is passed over, and one that was not asked for is an error.
func TestListingsOfOtherThings(t *testing.T) {
	for _, tt := range []struct {
		prefix  string
		keys    []string
		want    string
		message string
	}{
		{"", []string{"p/a", "p/../../etc/passwd", "p//etc/passwd", "p/a/../../b", "p/a/./b", "p/a//b", "p/", "p/a/", "p/b"}, "a b", ""},
		{"", []string{"p/a", "q/b"}, "a", `lists "q/b", which does not begin with "p/"`},
		{"", []string{"../../etc/passwd"}, "", "which does not begin with"},
		{"", []string{"/etc/passwd"}, "", "which does not begin with"},
		{"log/", []string{"p/log/1", "p/plan/1"}, "log/1", `which does not begin with "p/log/"`},
	} {
		s := liar(t, func(w http.ResponseWriter, _ *http.Request) { last(w, tt.keys...) })
		var got []string
		var err error
		var o Object
		for o, err = range s.List(ctx, tt.prefix) {
			if err != nil {
				break
			}
			got = append(got, o.Key)
			if o.Size < 0 {
				t.Errorf("%s has %d bytes", o.Key, o.Size)
			}
		}
		if strings.Join(got, " ") != tt.want || (err == nil) != (tt.message == "") || err != nil && !strings.Contains(err.Error(), tt.message) {
			t.Errorf("%q: %q, %v", tt.keys, got, err)
		}
	}
}

// XML that unpacks itself or is nested without end and what is no listing, is
// an error, without memory or stack.
func TestHostileXML(t *testing.T) {
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">`
	for c := 'b'; c < 'l'; c++ {
		bomb += fmt.Sprintf(`<!ENTITY %c "%s">`, c, strings.Repeat(fmt.Sprintf("&%c;", c-1), 10))
	}
	bomb += "]><ListBucketResult><Contents><Key>p/&k;</Key></Contents></ListBucketResult>"
	for name, text := range map[string]string{
		"entities": bomb,
		"nested":   "<ListBucketResult>" + strings.Repeat("<a>", 200_000),
		"closed":   "<ListBucketResult>" + strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000) + "</ListBucketResult>",
		"a page":   "<!doctype html><html><body>Sign in</body></html>",
		"nothing":  "",
		"deeper":   "<html><ListBucketResult></ListBucketResult></html>",
	} {
		s := liar(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		failed := false
		for o, err := range s.List(ctx, "") {
			if failed = err != nil; !failed {
				t.Errorf("%s: it lists %.100q", name, o.Key)
			}
		}
		if !failed {
			t.Errorf("%s: it is taken for an empty bucket", name)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 500<<20 {
			t.Errorf("%s: allocated %d MB", name, used>>20)
		}
	}
}

// A server that refuses for ever is given up, with a sentence, after as long as the
// context says; whoever waits is told before.
func TestServersThatAreGivenUp(t *testing.T) {
	storetest.S3(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "99999999999999999999")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	s, err := Open(Within(ctx, Wait{Limit: 10 * time.Millisecond}), "s3://"+storetest.Bucket+"/p?region=us-east-1&endpoint="+url.QueryEscape(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"Get":    func() error { _, err := s.Get(ctx, "k"); return err },
		"Put":    func() error { return s.Put(ctx, "k", []byte("v"), Cached) },
		"Create": func() error { return s.Create(ctx, "k", []byte("v"), Cached) },
		"Stat":   func() error { _, err := s.Stat(ctx, "k"); return err },
	} {
		err := do()
		var hinted interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), "it has not answered for") || !strings.Contains(err.Error(), "503") || !errors.As(err, &hinted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An object that is shorter than its server says is asked for again, and then is an
// error; how often depends on whether somebody waits.
func TestWrongLengths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &short{}
		b := newBucket(p, "b", "", &remote.Clock{})
		b.hurry(&remote.Health{Limit: time.Minute})
		began := time.Now()
		if _, err := b.Get(ctx, "k"); !errors.Is(err, io.ErrUnexpectedEOF) || p.asked != b.breaks || time.Since(began) > 30*time.Second {
			t.Errorf("%v after %d requests and %v", err, p.asked, time.Since(began))
		}
	})
}

// short is a protocol whose objects have fewer bytes than they should.
type short struct {
	remote.Protocol
	asked int
}

func (p *short) Read(context.Context, string, int64) (io.ReadCloser, int64, error) {
	p.asked++
	return io.NopCloser(strings.NewReader("abc")), 4, nil
}

func (*short) Judge(error) (string, error) { return "", nil }

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
