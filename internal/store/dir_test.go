package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// snapshot is every file beneath dir with its content, and every link with where
// it leads.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.Type()&fs.ModeSymlink != 0:
			found[name], err = os.Readlink(name)
		case e.IsDir():
			found[name] = "a folder"
		default:
			var text []byte
			text, err = os.ReadFile(name)
			found[name] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// hostileDir is a folder whose every name leads out of it, and what is there.
func hostileDir(t *testing.T) (root, outside string) {
	t.Helper()
	base := t.TempDir()
	root, outside = filepath.Join(base, "its.sweep"), filepath.Join(base, "home")
	for _, d := range []string{filepath.Join(root, "lease"), filepath.Join(root, "up"), filepath.Join(outside, "folder")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"profile", "folder/1.jsonl", "folder/lock"} {
		if err := os.WriteFile(filepath.Join(outside, file), []byte("secret\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"file":       filepath.Join(outside, "profile"),
		"new":        filepath.Join(outside, "created"),
		"log":        filepath.Join(outside, "folder"),
		"results":    "../home/folder",
		"lease/lock": "../../home/locked",
		"up/here":    "../../home/profile",
		"chain":      "file",
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root, outside
}

// Whatever a received folder links to, nothing outside is read, written, created,
// locked or removed.
func TestLinksDoNotLeadOutside(t *testing.T) {
	root, outside := hostileDir(t)
	before := snapshot(t, outside)
	s := Dir(root)
	for _, key := range []string{"file", "new", "chain", "up/here", "log/1.jsonl", "log/2.jsonl", "log/lock", "results/1.jsonl", "lease/lock"} {
		if got, err := s.Get(ctx, key); err == nil {
			t.Errorf("Get(%q) returns %q", key, got)
		}
		if got, _, _ := s.Tail(ctx, key, 0); len(got) > 0 {
			t.Errorf("Tail(%q) returns %q", key, got)
		}
		if o, err := s.Stat(ctx, key); err == nil {
			t.Errorf("Stat(%q) returns %v", key, o)
		}
		if l, err := s.Append(ctx, key); err == nil {
			t.Errorf("Append(%q) succeeded", key)
			l.Write([]byte("evil\n"))
			l.Close()
		}
		if l, err := s.Lock(ctx, key); err == nil {
			t.Errorf("Lock(%q) succeeded", key)
			l.Unlock()
		}
		if locked, err := s.Locked(ctx, key); locked || err == nil {
			t.Errorf("Locked(%q): %v, %v", key, locked, err)
		}
	}
	for o, err := range s.List(ctx, "results/") {
		if err == nil {
			t.Errorf("List yields %v", o)
		}
	}
	for l, err := range s.Logs(ctx, "log/") {
		if err == nil {
			t.Errorf("Logs yields %v", l)
		}
	}
	for _, key := range []string{"log/3.jsonl", "log/1.jsonl", "results/new/x"} {
		if err := s.Put(ctx, key, []byte("evil"), Synced); err == nil {
			t.Errorf("Put(%q) succeeded", key)
		}
		if err := s.Create(ctx, key, []byte("evil"), Synced); err == nil {
			t.Errorf("Create(%q) succeeded", key)
		}
		if err := s.Delete(ctx, key); err == nil {
			t.Errorf("Delete(%q) succeeded", key)
		}
	}
	// A link as the last name is replaced: what it led to is not.
	for _, key := range []string{"file", "new"} {
		if err := s.Put(ctx, key, []byte("mine"), Cached); err != nil {
			t.Errorf("Put(%q): %v", key, err)
		}
		if got, err := s.Get(ctx, key); string(got) != "mine" || err != nil {
			t.Errorf("Get(%q): %q, %v", key, got, err)
		}
	}
	if err := s.Copy(ctx, "copy", "chain"); err == nil {
		if got, err := s.Get(ctx, "copy"); string(got) == "secret\n" {
			t.Errorf("a copy of a link holds what it led to: %v", err)
		}
	}
	if d := cmp.Diff(before, snapshot(t, outside)); d != "" {
		t.Errorf("outside (-before +after):\n%s", d)
	}
}

// A folder that is a link itself is where its owner put it.
func TestFolderMayBeALink(t *testing.T) {
	base := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(base, "disk"), 0o777), os.Symlink("disk", filepath.Join(base, "here"))); err != nil {
		t.Fatal(err)
	}
	s := Dir(filepath.Join(base, "here"))
	if err := s.Put(ctx, "a/b", []byte("x"), Synced); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(base, "disk", "a", "b")); string(got) != "x" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A log that is a hard link to another file is not appended to.
func TestAppendLeavesOtherNamesAlone(t *testing.T) {
	base := t.TempDir()
	mine := filepath.Join(base, "profile")
	if err := errors.Join(os.WriteFile(mine, []byte("safe\n"), 0o666), os.MkdirAll(filepath.Join(base, "x.sweep", "log"), 0o777),
		os.Link(mine, filepath.Join(base, "x.sweep", "log", "1"))); err != nil {
		t.Fatal(err)
	}
	if l, err := Dir(filepath.Join(base, "x.sweep")).Append(ctx, "log/1"); err == nil {
		l.Write([]byte("evil\n"))
		t.Error("Append succeeded")
	}
	if got, _ := os.ReadFile(mine); string(got) != "safe\n" {
		t.Errorf("the file holds %q", got)
	}
}

// To open a pipe would wait for a writer that never comes.
func TestOnlyFilesAreObjects(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	s := Dir(root)
	done := make(chan bool)
	go func() {
		defer close(done)
		for _, key := range []string{"pipe", "folder"} {
			_, get := s.Get(ctx, key)
			_, _, tail := s.Tail(ctx, key, 0)
			_, appending := s.Append(ctx, key)
			_, lock := s.Lock(ctx, key)
			_, locked := s.Locked(ctx, key)
			for op, err := range map[string]error{"Get": get, "Tail": tail, "Append": appending, "Lock": lock, "Locked": locked} {
				if err == nil || !strings.Contains(err.Error(), key) {
					t.Errorf("%s of a %s: %v", op, key, err)
				}
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("still waiting for the pipe")
	}
}

// What no key can name is not listed, and does not keep the rest from being.
func TestNamesThatAreNoKeys(t *testing.T) {
	root := t.TempDir()
	for _, folder := range []string{"artifacts/a", "artifacts/bad\xff"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o777); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"fine", "\xfe"} {
			if err := os.WriteFile(filepath.Join(root, folder, name), nil, 0o666); err != nil {
				t.Skip("this file system has only names that are UTF-8")
			}
		}
	}
	var got []string
	for o, err := range Dir(root).List(ctx, "artifacts/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	if d := cmp.Diff([]string{"artifacts/a/fine"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// An object may have the name of a folder that objects were in.
func TestFileWhereAFolderWas(t *testing.T) {
	s := Dir(t.TempDir())
	if err := errors.Join(s.Put(ctx, "a/b/c/d", nil, Cached), s.Put(ctx, "a/e", nil, Cached), s.Delete(ctx, "a/b/c/d")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, "a", []byte("x"), Cached); err == nil {
		t.Error("a folder with an object in it was replaced")
	}
	if err := errors.Join(s.Delete(ctx, "a/e"), s.Put(ctx, "a", []byte("x"), Cached)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "a"); string(got) != "x" || err != nil {
		t.Errorf("Get: %q, %v", got, err)
	}
}

// A store goes on with a folder that was removed and created again.
func TestRootIsMadeAgain(t *testing.T) {
	root := filepath.Join(t.TempDir(), "x.sweep")
	s := Dir(root)
	for range 2 {
		if err := s.Put(ctx, "a/b", []byte("1"), Cached); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
	}
	if err := Dir(root).Put(ctx, "a/b", []byte("2"), Cached); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "a/b"); string(got) != "2" || err != nil {
		t.Errorf("Get: %q, %v", got, err)
	}
}

// So does every listing, also one that begins beneath it.
func TestRootIsMadeAgainForLists(t *testing.T) {
	for _, prefix := range []string{"", "a", "a/", "a/b"} {
		root := filepath.Join(t.TempDir(), "x.sweep")
		s := Dir(root)
		if err := s.Put(ctx, "a/b", []byte("1"), Cached); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		if err := Dir(root).Put(ctx, "a/b2", []byte("2"), Cached); err != nil {
			t.Fatal(err)
		}
		if keys := keysOf(t, s, prefix); !slices.Equal(keys, []string{"a/b2"}) {
			t.Errorf("List %q: %q", prefix, keys)
		}
	}
}

// TestManySmallLogs: to read a small log takes little memory.
func TestManySmallLogs(t *testing.T) {
	const n = 200
	d := Dir(t.TempDir())
	for i := range n {
		if err := d.Put(t.Context(), fmt.Sprintf("log/%06d/fanout.jsonl", i+1), []byte("{}\n"), Cached); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read := 0
	for l, err := range d.Logs(t.Context(), "log/") {
		if err != nil || string(l.Data) != "{}\n" {
			t.Fatalf("%s: %q, %v", l.Key, l.Data, err)
		}
		read++
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; read != n || took > n<<18 {
		t.Errorf("%d logs of 3 bytes took %d bytes", read, took)
	}
}
