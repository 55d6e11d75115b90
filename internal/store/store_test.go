package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// Every store keeps the same promises.
func TestStores(t *testing.T) {
	stores := map[string]func(t *testing.T) Store{
		"dir": func(t *testing.T) Store { return Dir(filepath.Join(t.TempDir(), "not yet", "there")) },
		"mem": func(*testing.T) Store { return Mem() },
		"counted": func(t *testing.T) Store {
			s, _ := Open(Counted(t.Context(), func(Request) {}), t.TempDir())
			return s
		},
		"gs": func(t *testing.T) Store { return openEmulator(t) },
		"s3": func(t *testing.T) Store { return testBucket(t, storetest.S3(t)) },
	}
	promises := map[string]func(t *testing.T, s Store){
		"absent is ErrNotExist":      testAbsent,
		"put replaces":               testPut,
		"write is whole or nothing":  testWrite,
		"create happens once":        testCreate,
		"copy replaces and is apart": testCopy,
		"fetch fills a new file":     testFetch,
		"list is ordered":            testList,
		"a level is not deeper":      testLevel,
		"bad keys are refused":       testKeys,
		"a log keeps its order":      testAppend,
		"logs are read apart":        testLogs,
		"a log grows":                testTail,
		"a lock is exclusive":        testLock,
		"a probe is content":         testProbe,
	}
	for name, open := range stores {
		for promise, test := range promises {
			t.Run(name+"/"+promise, func(t *testing.T) { test(t, open(t)) })
		}
	}
}

var ctx = context.Background()

func testAbsent(t *testing.T, s Store) {
	if _, err := s.Get(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get: %v, want ErrNotExist", err)
	}
	if _, err := s.Stat(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat: %v, want ErrNotExist", err)
	}
	if err := s.Copy(ctx, "c", "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Copy: %v, want ErrNotExist", err)
	}
	if err := s.Delete(ctx, "a/b"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	for o, err := range s.List(ctx, "a/") {
		t.Errorf("List yields %v, %v", o, err)
	}
}

func testFetch(t *testing.T, s Store) {
	file := filepath.Join(t.TempDir(), "f")
	if err := Fetch(ctx, s, "a/b", file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Fetch: %v, want ErrNotExist", err)
	}
	os.Remove(file)
	want := strings.Repeat("long ", 1<<18)
	if err := s.Put(ctx, "a/b", []byte(want), Cached); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(ctx, s, "a/b", file); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("it has %d bytes, %v", len(got), err)
	}
	if err := Fetch(ctx, s, "a/b", file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Fetch again: %v, want ErrExist", err)
	}
	if err := Fetch(ctx, s, "../b", file+"2"); err == nil {
		t.Error("a bad key is fetched")
	}
}

func testPut(t *testing.T, s Store) {
	for _, want := range []string{"one", "", strings.Repeat("long ", 1000)} {
		for _, d := range []Durability{Cached, Synced} {
			if err := s.Put(ctx, "x/y.json", []byte(want), d); err != nil {
				t.Fatal(err)
			}
			got, err := s.Get(ctx, "x/y.json")
			if err != nil || string(got) != want {
				t.Errorf("Get: %q, %v, want %q", got, err, want)
			}
			o, err := s.Stat(ctx, "x/y.json")
			if err != nil || o.Size != int64(len(want)) || o.ModTime.IsZero() {
				t.Errorf("Stat: %+v, %v", o, err)
			}
		}
	}
}

func testWrite(t *testing.T, s Store) {
	write := func(text string, err error) error {
		return s.Write(ctx, "w/x", func(w io.Writer) error { fmt.Fprint(w, text); return err }, Synced)
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("half way")
	if err := write("sec", bad); !errors.Is(err, bad) {
		t.Errorf("Write: %v, want the writer's error", err)
	}
	if got, err := s.Get(ctx, "w/x"); err != nil || string(got) != "first" {
		t.Errorf("Get: %q, %v", got, err)
	}
}

func testCreate(t *testing.T, s Store) {
	var wg sync.WaitGroup
	won := make(chan string, 16)
	for i := range 16 {
		wg.Go(func() {
			text := fmt.Sprint("writer ", i)
			err := s.Create(ctx, "once", []byte(text), Cached)
			if err == nil {
				won <- text
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("Create: %v, want ErrExist", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d writers won", len(won))
	}
	if got, _ := s.Get(ctx, "once"); string(got) != <-won {
		t.Errorf("the object is not the winner's: %q", got)
	}
}

func testCopy(t *testing.T, s Store) {
	s.Put(ctx, "src", []byte("a"), Cached)
	s.Put(ctx, "to/dst", []byte("old"), Cached)
	for range 2 { // copying what is a copy already is fine
		if err := s.Copy(ctx, "to/dst", "src"); err != nil {
			t.Fatal(err)
		}
	}
	s.Put(ctx, "src", []byte("b"), Cached)
	if got, _ := s.Get(ctx, "to/dst"); string(got) != "a" {
		t.Errorf("dst is %q, want what src held when it was copied", got)
	}
}

func testList(t *testing.T, s Store) {
	for _, k := range []string{"b/2", "a", "b/10", "b/c/3", "bb"} {
		s.Put(ctx, k, []byte("x"), Cached)
	}
	for prefix, want := range map[string][]string{
		"":    {"a", "b/10", "b/2", "b/c/3", "bb"},
		"b":   {"b/10", "b/2", "b/c/3", "bb"},
		"b/":  {"b/10", "b/2", "b/c/3"},
		"b/1": {"b/10"},
		"z/":  nil,
	} {
		var got []string
		for o, err := range s.List(ctx, prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Key)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("List(%q) (-want +got):\n%s", prefix, d)
		}
	}
}

func testKeys(t *testing.T, s Store) {
	for _, key := range []string{"", "/a", "../a", "a/../../b", "a//b", "a/", "."} {
		if err := s.Put(ctx, key, nil, Cached); err == nil {
			t.Errorf("Put(%q) succeeded", key)
		}
		if err := s.Create(ctx, key, nil, Cached); err == nil {
			t.Errorf("Create(%q) succeeded", key)
		}
	}
}

func testAppend(t *testing.T, s Store) {
	var want bytes.Buffer
	for session := range 2 {
		l, err := s.Append(ctx, "log/1")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			rec := fmt.Sprintf("%d %d\n", session, i)
			want.WriteString(rec)
			if _, err := l.Write([]byte(rec)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(l.Sync(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if got, next, err := s.Tail(ctx, "log/1", 0); string(got) != want.String() || next != int64(want.Len()) || err != nil {
		t.Errorf("log is %q up to %d, %v, want %q", got, next, err, want.String())
	}
}

func testLogs(t *testing.T, s Store) {
	want := map[string]string{"log/1/a": "1\n2\n", "log/1/ab": "3\n4\n", "log/2/a": "5\n6\n"}
	for key, text := range want {
		l, err := s.Append(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write([]byte(text[:2])); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.Later([]byte(text[2:])), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	var keys []string
	for l, err := range s.Logs(ctx, "log/") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, l.Key)
		got[l.Key] += string(l.Data)
	}
	if d := cmp.Diff(want, got); d != "" || !sort.StringsAreSorted(keys) {
		t.Errorf("Logs yields %v (-want +got):\n%s", keys, d)
	}
}

func testTail(t *testing.T, s Store) {
	if data, next, err := s.Tail(ctx, "log/1", 0); len(data) > 0 || next != 0 || err != nil {
		t.Errorf("Tail of no log: %q, %d, %v", data, next, err)
	}
	l, err := s.Append(ctx, "log/1")
	if err != nil {
		t.Fatal(err)
	}
	var next int64
	for i := range 5 {
		rec := fmt.Sprintf("record %d\n", i)
		if _, err := l.Write([]byte(rec)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{rec, ""} {
			var got []byte
			if got, next, err = s.Tail(ctx, "log/1", next); err != nil || string(got) != want {
				t.Errorf("Tail: %q, %v, want %q", got, err, want)
			}
		}
	}
	l.Close()
}

func testProbe(t *testing.T, s Store) {
	if err := Probe(ctx, s); err != nil {
		t.Error(err)
	}
	for o := range s.List(ctx, "") {
		t.Errorf("the probe left %s", o.Key)
	}
}

func testLock(t *testing.T, s Store) {
	locked := func(want bool) {
		t.Helper()
		if got, err := s.Locked(ctx, "lease/lock"); got != want || err != nil {
			t.Errorf("Locked: %v, %v, want %v", got, err, want)
		}
	}
	locked(false)
	lock, err := s.Lock(ctx, "lease/lock")
	if err != nil {
		t.Fatal(err)
	}
	locked(true)
	if _, err := s.Lock(ctx, "lease/lock"); !errors.Is(err, ErrLocked) {
		t.Errorf("second Lock: %v, want ErrLocked", err)
	}
	if err := errors.Join(lock.Check(ctx), lock.Unlock()); err != nil {
		t.Fatal(err)
	}
	locked(false)
	lock, err = s.Lock(ctx, "lease/lock")
	if err != nil {
		t.Fatalf("Lock after unlock: %v", err)
	}
	lock.Unlock()
}

func TestDirLeavesNothingBehind(t *testing.T) {
	root := t.TempDir()
	s := Dir(root)
	s.Create(ctx, "k", []byte("1"), Synced)
	s.Create(ctx, "k", []byte("2"), Synced)
	s.Copy(ctx, "l", "k")
	s.Copy(ctx, "l", "k")
	s.Copy(ctx, "m", "gone")
	s.Put(ctx, "folder/n", nil, Cached)
	if err := s.Put(ctx, "folder", nil, Cached); err == nil {
		t.Error("Put over a folder with an object in it succeeded")
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if d := cmp.Diff([]string{"folder", "k", "l"}, names); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

func TestDirNamesTheKeyNotTheTemporaryFile(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	err := Dir(root).Put(ctx, "file/k", []byte("x"), Cached)
	if err == nil || strings.Contains(err.Error(), tempPrefix) || !strings.Contains(err.Error(), "file/k") {
		t.Errorf("error is %v", err)
	}
}

// Derived folders may be deleted while a process that made them lives.
func TestFolderIsMadeAgain(t *testing.T) {
	root := t.TempDir()
	s := Dir(root)
	for range 2 {
		if err := s.Put(ctx, "results/tables/x", []byte("x"), Cached); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(root, "results")); err != nil {
			t.Fatal(err)
		}
	}
}

func testLevel(t *testing.T, s Store) {
	for o, err := range s.Level(ctx, "") {
		t.Errorf("Level of nothing yields %v, %v", o, err)
	}
	for _, key := range []string{"b.txt", "a/1", "a/2", "a/deep/3", "a-b/4", "c/5"} {
		if err := s.Put(ctx, key, []byte("x"), Cached); err != nil {
			t.Fatal(err)
		}
	}
	for folder, want := range map[string][]string{
		"": {"a-b/ 0", "a/ 0", "b.txt 1", "c/ 0"}, "a/": {"a/1 1", "a/2 1", "a/deep/ 0"}, "a/deep/": {"a/deep/3 1"}, "none/": nil,
	} {
		var got []string
		for o, err := range s.Level(ctx, folder) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(o.Key, " ", o.Size))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Level(%q): %s", folder, diff)
		}
	}
	if o, err := s.Stat(ctx, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of a folder: %v, %v", o, err)
	}
	for _, folder := range []string{"a", "../", "/", "a/../"} {
		for _, err := range s.Level(ctx, folder) {
			if err == nil {
				t.Errorf("Level(%q) yields an object", folder)
			}
			break
		}
	}
}

// A folder of a thousand names is read page by page, and none is left out.
func TestLevelOfManyPages(t *testing.T) {
	s := testBucket(t, storetest.S3(t))
	for i := range 1005 {
		if err := s.Put(ctx, fmt.Sprintf("many/%04d", i), nil, Cached); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if err := s.Put(ctx, fmt.Sprintf("many/folder-%d/x", i), nil, Cached); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range s.Level(ctx, "many/") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1010 {
		t.Errorf("%d entries, want 1010", n)
	}
}

// Nothing outside a directory is listed, whatever a link in it says.
func TestLevelStaysInside(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"away": outside, "file": filepath.Join(outside, "secret"), "in": "folder", "gone": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	var got []string
	for o, err := range Dir(root).Level(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	if diff := cmp.Diff([]string{"folder/", "in/"}, got); diff != "" {
		t.Error(diff)
	}
	for o, err := range Dir(root).Level(ctx, "away/") {
		if err == nil {
			t.Errorf("Level yields %v", o)
		}
	}
}
