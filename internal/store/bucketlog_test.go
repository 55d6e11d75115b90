package store

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/store/storetest"
)

func keysOf(t *testing.T, s Store, prefix string) (keys []string) {
	t.Helper()
	for o, err := range s.List(ctx, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// Records written at once share requests, and are stored when Write returns.
func TestRecordsShareRequests(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	l, err := s.Append(ctx, "log/1/a")
	if err != nil {
		t.Fatal(err)
	}
	server.Requests()
	var work sync.WaitGroup
	for w := range 16 {
		work.Go(func() {
			for i := range 20 {
				rec := fmt.Sprintf("%d.%d\n", w, i)
				if _, err := l.Write([]byte(rec)); err != nil {
					t.Error(err)
				}
				data, _, err := s.Tail(ctx, "log/1/a", 0)
				if err != nil || !strings.Contains(string(data), rec) {
					t.Errorf("%q is not stored: %v", rec, err)
				}
			}
		})
	}
	work.Wait()
	if puts := server.Requests()["PUT"]; puts > 200 {
		t.Errorf("%d requests for 320 records", puts)
	}
	if err := l.Later([]byte("later\n")); err != nil {
		t.Fatal(err)
	}
	if puts := server.Requests()["PUT"]; puts > 0 {
		t.Errorf("%d requests for what may come later", puts)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, _, err := s.Tail(ctx, "log/1/a", 0)
	if n := strings.Count(string(data), "\n"); n != 321 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
}

// A log of many objects is one when it is closed; a reader sees all of it,
// once, at any moment between.
func TestLogIsMerged(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	var want strings.Builder
	for session := range 3 {
		l, err := s.Append(ctx, "log/1/a")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			rec := fmt.Sprintf("%d.%d %s\n", session, i, strings.Repeat("x", 10<<10))
			want.WriteString(rec)
			if _, err := l.Write([]byte(rec)); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(keysOf(t, s, "log/1/a.")); n < 4 {
			t.Errorf("%d objects before it is closed", n)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"log/1/a"}, keysOf(t, s, "log/")); d != "" {
			t.Errorf("objects (-want +got):\n%s", d)
		}
		if data, _, err := s.Tail(ctx, "log/1/a", 0); string(data) != want.String() || err != nil {
			t.Errorf("the log differs, %v", err)
		}
	}
}

// The merge is stopped after each of its requests.
func TestMergeIsCutShort(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	var want strings.Builder
	l, err := s.Append(ctx, "log/1/a")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		rec := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", 10<<10))
		want.WriteString(rec)
		if _, err := l.Write([]byte(rec)); err != nil {
			t.Fatal(err)
		}
	}
	before := keysOf(t, s, "log/")
	parts := map[string][]byte{}
	for _, key := range before {
		if parts[key], err = s.Get(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range before { // as if it had not been deleted
		if err := s.Put(ctx, key, parts[key], Cached); err != nil {
			t.Fatal(err)
		}
		var got string
		for l, err := range s.Logs(ctx, "log/") {
			if err != nil {
				t.Fatal(err)
			}
			got += string(l.Data)
		}
		if got != want.String() {
			t.Errorf("with %s left the log has %d bytes, want %d", key, len(got), want.Len())
		}
	}
	if l, err = s.Append(ctx, "log/1/a"); err != nil {
		t.Fatal(err)
	}
	l.Write([]byte("more\n"))
	if data, _, err := s.Tail(ctx, "log/1/a", int64(want.Len())); string(data) != "more\n" || err != nil {
		t.Errorf("the tail is %q, %v", data, err)
	}
}

// A reader follows a log through its merge.
func TestTailFollowsMerge(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	var done atomic.Bool
	var got []byte
	var reading sync.WaitGroup
	reading.Go(func() {
		var next int64
		for last := false; ; last = done.Load() {
			data, to, err := s.Tail(ctx, "log/a", next)
			if err != nil {
				t.Error(err)
			}
			got, next = append(got, data...), to
			if last {
				return
			}
		}
	})
	var want strings.Builder
	for session := range 4 {
		l, err := s.Append(ctx, "log/a")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 25 {
			rec := fmt.Sprintf("%d.%d %s\n", session, i, strings.Repeat("x", 10<<10))
			want.WriteString(rec)
			if _, err := l.Write([]byte(rec)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	reading.Wait()
	if string(got) != want.String() {
		t.Errorf("the reader saw %d bytes, want %d", len(got), want.Len())
	}
}

// A record that could not be stored says so, and goes with the next.
func TestLogGoesOnAfterAnError(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	l, err := s.Append(ctx, "log/a")
	if err != nil {
		t.Fatal(err)
	}
	server.Deny(http.StatusForbidden)
	if _, err := l.Write([]byte("1\n")); err == nil {
		t.Error("it was stored")
	}
	server.Deny(0)
	if _, err := l.Write([]byte("2\n")); err != nil {
		t.Error(err)
	}
	if data, _, err := s.Tail(ctx, "log/a", 0); string(data) != "1\n2\n" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

// Where one object takes only so many writes a second, quick records go to
// objects of their own.
func TestRewritesAreApart(t *testing.T) {
	s := testBucket(t, storetest.S3(t))
	s.rewrites = time.Hour
	l, err := s.Append(ctx, "log/a")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := l.Write(fmt.Append(nil, i, "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if keys := keysOf(t, s, "log/"); len(keys) != 3 {
		t.Errorf("objects: %v", keys)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if data, _, err := s.Tail(ctx, "log/a", 0); string(data) != "0\n1\n2\n" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
}
