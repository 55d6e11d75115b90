package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store/storetest"
)

func testBucket(t *testing.T, s *storetest.Server) *bucket {
	t.Helper()
	st, err := Open(ctx, s.Where("some/where"))
	if err != nil {
		t.Fatal(err)
	}
	return st.(*bucket)
}

func isCreate(r *http.Request) bool { return r.Header.Get("If-None-Match") == "*" }

// A create whose reply is lost is made again and refused, by itself.
func TestCreateWhoseReplyIsLost(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	for i := range 3 {
		key := fmt.Sprint("a/", i)
		var lost atomic.Int64
		server.Lose(func(r *http.Request) bool { return isCreate(r) && lost.Add(1) <= int64(i+1) })
		if err := s.Create(ctx, key, []byte("mine"), Synced); err != nil {
			t.Errorf("after %d lost replies: %v", i+1, err)
		}
		if err := s.Create(ctx, key, []byte("other"), Synced); !errors.Is(err, fs.ErrExist) {
			t.Errorf("another one: %v, want ErrExist", err)
		}
		if got, err := s.Get(ctx, key); string(got) != "mine" || err != nil {
			t.Errorf("it holds %q, %v", got, err)
		}
	}
}

// Of many who create one object while replies are lost and requests refused,
// exactly one wins, and knows it.
func TestCreateHappensOnceAmongFaults(t *testing.T) {
	server := storetest.S3(t)
	server.Refuse(0.1)
	var n atomic.Int64
	server.Lose(func(*http.Request) bool { return n.Add(1)%5 == 0 })
	s := testBucket(t, server)
	for round := range 5 {
		testCreateOnce(t, s, fmt.Sprint("once/", round))
	}
}

func testCreateOnce(t *testing.T, s Store, key string) {
	t.Helper()
	var work sync.WaitGroup
	var won atomic.Int64
	for i := range 16 {
		work.Go(func() {
			switch err := s.Create(ctx, key, fmt.Append(nil, i), Synced); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	work.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won", won.Load())
	}
}

func TestFaultsAreRiddenOut(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	server.Refuse(0.1)
	for i := range 100 {
		key, text := fmt.Sprint("k/", i), fmt.Append(nil, i)
		if err := s.Put(ctx, key, text, Cached); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, key); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	server.Refuse(0)
	server.Away(3 * time.Second)
	start := time.Now()
	if err := s.Put(ctx, "after", []byte("x"), Cached); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("it did not wait: %v", took)
	}
	server.Away(time.Hour)
	canceled, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	start = time.Now()
	if err := s.Put(canceled, "never", nil, Cached); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("canceled: %v after %v", err, time.Since(start))
	}
}

// What no patience helps against fails at once and says what to do.
func TestRefusalsSayWhatToDo(t *testing.T) {
	server := storetest.S3(t)
	check := func(err error, hint string) {
		t.Helper()
		var h interface{ Hint() string }
		if !errors.As(err, &h) || !strings.Contains(h.Hint(), hint) {
			t.Errorf("%v: its hint is not of %q", err, hint)
		}
	}
	start := time.Now()
	server.Deny(http.StatusForbidden)
	_, err := testBucket(t, server).Get(ctx, "k")
	check(err, "s3:GetObject")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not ErrPermission", err)
	}
	server.Deny(0)
	other, err := Open(ctx, strings.Replace(server.Where("p"), storetest.Bucket, "nobucket", 1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Get(ctx, "k")
	check(err, "create the bucket")
	check(other.Put(ctx, "k", nil, Cached), "create the bucket")
	for _, err := range other.List(ctx, "") {
		check(err, "create the bucket")
	}
	os.Unsetenv("AWS_ACCESS_KEY_ID")
	_, err = testBucket(t, server).Get(ctx, "k")
	check(err, "AWS_ACCESS_KEY_ID")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A store that lets two writers create one object, or says that it did, is none to
// begin anything in, and nothing is left there.
func TestFirstObject(t *testing.T) {
	for name, fault := range map[string]func(*storetest.Server){"ignores": (*storetest.Server).IgnoreConditions, "forges": (*storetest.Server).ForgeConditions} {
		server := storetest.S3(t)
		s := testBucket(t, server)
		fault(server)
		err := CreateFirst(ctx, s, "FORMAT", []byte("v"))
		var h interface{ Hint() string }
		if !errors.As(err, &h) || !strings.Contains(h.Hint(), "If-None-Match") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Stat(ctx, "FORMAT"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is there: %v", name, err)
		}
	}
	server := storetest.S3(t)
	s := testBucket(t, server)
	for _, want := range []error{nil, fs.ErrExist} {
		if err := CreateFirst(ctx, s, "FORMAT", []byte("v")); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if b, err := s.Get(ctx, "FORMAT"); err != nil || string(b) != "v" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestProbeFindsFault(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	server.IgnoreConditions()
	err := Probe(ctx, s)
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), "If-None-Match") {
		t.Errorf("probe: %v", err)
	}
	server.Deny(http.StatusForbidden)
	if err := Probe(ctx, s); err == nil || !strings.Contains(err.Error(), "does not write") {
		t.Errorf("probe: %v", err)
	}
}

func TestOpen(t *testing.T) {
	storetest.S3(t)
	for where, bad := range map[string]bool{
		"some/dir": false, "/abs": false, "s3:odd": false, "s3://b": false, "s3://b/p/q?region=eu-north-1": false,
		"s3://": true, "s3:///p": true, "ftp://h/p": true, "s3://b/p?regio=x": true, "s3://k:secret@b/p": true,
		"s3://b/../x": true, "gs://b?endpoint=x": true, "s3://b/p#x": true,
	} {
		s, err := Open(ctx, where)
		if (err != nil) != bad || bad && !IsPlaceError(err) {
			t.Errorf("Open(%q): %v", where, err)
		}
		if err == nil && s.String() != where {
			t.Errorf("Open(%q) is %s", where, s)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v tells a secret", err)
		}
	}
}

// More objects than one reply lists.
func TestListIsPaged(t *testing.T) {
	s := testBucket(t, storetest.S3(t))
	const n = 1500
	var work sync.WaitGroup
	for from := range 8 {
		work.Go(func() {
			for i := from; i < n; i += 8 {
				if err := s.Put(ctx, fmt.Sprintf("k/%05d", i), nil, Cached); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	i := 0
	for o, err := range s.List(ctx, "k/") {
		if want := fmt.Sprintf("k/%05d", i); err != nil || o.Key != want {
			t.Fatalf("%s, %v, want %s", o.Key, err, want)
		}
		i++
	}
	if i != n {
		t.Errorf("%d objects", i)
	}
}

// Write streams what is too large for one request.
func TestLargeObject(t *testing.T) {
	s := testBucket(t, storetest.S3(t))
	want := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
	if err := s.Write(ctx, "big", content(want), Synced); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(ctx, "big")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// What is too large for the server to copy is read and written.
func TestLargeObjectsAreCopied(t *testing.T) {
	b := testBucket(t, storetest.S3(t))
	text := bytes.Repeat([]byte("0123456789"), 1<<20)
	if err := b.Put(t.Context(), "a", text, Cached); err != nil {
		t.Fatal(err)
	}
	if err := b.copyThrough(t.Context(), "b", "a"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Get(t.Context(), "b"); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%v: %d bytes of %d arrived", err, len(got), len(text))
	}
}
