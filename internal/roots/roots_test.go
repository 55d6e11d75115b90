package roots

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/fanout-dev/fanout/internal/store"
)

// Files of one name in two roots of one name have paths of their own, by which they are
// found; with one root its name is no part of them.
func TestFilesOfTwoRoots(t *testing.T) {
	var places []string
	for range 2 {
		dir := filepath.Join(t.TempDir(), "team")
		if err := os.MkdirAll(filepath.Join(dir, "deep"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "deep", "t.ipynb"), []byte("{}"), 0o666); err != nil {
			t.Fatal(err)
		}
		places = append(places, dir)
	}
	for n, want := range [][]string{{"deep/t.ipynb"}, {"team/deep/t.ipynb", "team-2/deep/t.ipynb"}} {
		r, err := New(t.Context(), places[:n+1], store.Open)
		if err != nil {
			t.Fatal(err)
		}
		files, err := r.Files(t.Context())
		if err != nil || len(files) != len(want) {
			t.Fatalf("%+v %v", files, err)
		}
		for i, f := range files {
			if _, o, err := r.File(t.Context(), f.Path); f.Path != want[i] || err != nil || o.Size != 2 || filepath.Dir(filepath.Dir(f.Where)) != places[i] {
				t.Errorf("%+v is found as %+v, %v; want %s", f, o, err, want[i])
			}
		}
	}
}

// failing is a store in which folders cannot be listed when fail says so.
type failing struct {
	store.Store
	fail *bool
}

func (f failing) Level(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	if *f.fail && prefix == "b/" {
		return func(yield func(store.Object, error) bool) { yield(store.Object{}, errors.New("it takes too long")) }
	}
	return f.Store.Level(ctx, prefix)
}

// A list that could not be made whole has what was found before.
func TestListThatIsCut(t *testing.T) {
	dir, fail := t.TempDir(), false
	sweepIn := func(name string) {
		if err := store.Dir(dir).Put(t.Context(), name+"/FORMAT", []byte("{}"), store.Cached); err != nil {
			t.Fatal(err)
		}
	}
	sweepIn("b/old.sweep")
	r, err := New(t.Context(), []string{dir}, func(context.Context, string) (store.Store, error) {
		return failing{store.Dir(dir), &fail}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	names := func() (all string) {
		r.Changed()
		if _, err := r.Sweeps(t.Context()); err != nil { // which may answer before it has looked
			t.Fatal(err)
		}
		r.mu.Lock()
		busy := r.busy
		r.mu.Unlock()
		if busy != nil {
			<-busy
		}
		listed, err := r.Sweeps(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range listed.Sweeps {
			all += s.Name + " "
		}
		return all + listed.Partial
	}
	if got := names(); got != "old " {
		t.Errorf("%q", got)
	}
	fail = true
	sweepIn("a.sweep")
	if got := names(); got != "a old not all folders were readable: it takes too long" {
		t.Errorf("%q", got)
	}
	fail = false
	if err := os.RemoveAll(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if got := names(); got != "a " {
		t.Errorf("%q", got)
	}
}

// A file beneath a sweep's root is named from there on; any other keeps its name.
func TestBeneath(t *testing.T) {
	s := Sweep{Path: "nights/a.sweep", Where: filepath.Join("/data", "nights", "a.sweep")}
	for name, want := range map[string]string{
		"/data/t.ipynb": "t.ipynb", "/data/nights/t.ipynb": "nights/t.ipynb", "t.ipynb": "t.ipynb", "../t.ipynb": "../t.ipynb",
		"/etc/t.ipynb": "/etc/t.ipynb", "/database/t.ipynb": "/database/t.ipynb", "s3://b/t.ipynb": "s3://b/t.ipynb",
	} {
		if got := s.Beneath(name); got != want {
			t.Errorf("%s is shown as %s, want %s", name, got, want)
		}
	}
	if got := (Sweep{Where: "/data/a.sweep"}).Beneath("/data/t.ipynb"); got != "/data/t.ipynb" {
		t.Errorf("of a root that is a sweep: %s", got)
	}
}
