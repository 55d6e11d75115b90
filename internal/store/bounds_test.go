package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

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
