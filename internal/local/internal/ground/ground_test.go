package ground

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes files and, where the text begins with "-> ", links.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(file), 0o777)
		if to, link := strings.CutPrefix(text, "-> "); link {
			err = errors.Join(err, os.Symlink(to, file))
		} else {
			err = errors.Join(err, os.WriteFile(file, []byte(text), 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// lay makes a folder of copies.
func lay(t *testing.T, g *Ground) (*Folder, string) {
	t.Helper()
	room := t.TempDir()
	dir := filepath.Join(room, "work")
	f, err := g.Lay(dir, room)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

// shown lists the files of a folder and what links that are left say.
func shown(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, file)
		if d.Type()&fs.ModeSymlink != 0 {
			text, err := os.Readlink(file)
			got[rel] = "-> " + text
			return err
		}
		b, err := os.ReadFile(file)
		got[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func made(t *testing.T, f *Folder) (names []string) {
	t.Helper()
	if err := f.Made(func(name, _ string, _ fs.FileInfo) { names = append(names, name) }); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestCopies(t *testing.T) {
	source, frozen, outside := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"x.csv": "x", "data/y.csv": "y"})
	write(t, source, map[string]string{
		"a.txt": "a", "deep/er/b.txt": "b", "lib/used.py": "edited", "lib/other.py": "other", "old.sweep/FORMAT": "f", "__pycache__/c": "c",
		"inside.txt": "-> deep/er/b.txt", "deep/up.txt": "-> ../a.txt", "loop": "-> .", "nowhere.txt": "-> gone.txt",
		"x.csv": "-> " + outside + "/x.csv", "data": "-> " + outside + "/data", "parent": "-> ..", ".git/config": "g", "env/pyvenv.cfg": "p",
	})
	write(t, frozen, map[string]string{"lib/used.py": "frozen", "only.txt": "only"})
	if err := os.Chmod(filepath.Join(frozen, "only.txt"), 0o444); err != nil {
		t.Fatal(err)
	}
	g := &Ground{Source: source, Frozen: frozen}
	f, dir := lay(t, g)
	real, err := filepath.EvalSymlinks(filepath.Dir(source))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a.txt": "a", "deep/er/b.txt": "b", "lib/used.py": "frozen", "lib/other.py": "other", "only.txt": "only",
		"inside.txt": "-> deep/er/b.txt", "deep/up.txt": "-> ../a.txt", "loop": "-> .",
		"x.csv": "x", "data/y.csv": "y", "parent": "-> " + real, ".git": "-> " + source + "/.git", "env": "-> " + source + "/env",
	}
	if diff := cmp.Diff(want, shown(t, dir)); diff != "" {
		t.Error(diff)
	}
	if got := made(t, f); got != nil {
		t.Errorf("the run has made %v", got)
	}
	for _, name := range []string{"a.txt", "x.csv", "data/y.csv", "only.txt", "inside.txt", "new.txt", "nowhere.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o666); err != nil {
			t.Error(err)
		}
	}
	if got, want := made(t, f), []string{"a.txt", "data/y.csv", "deep/er/b.txt", "new.txt", "nowhere.txt", "only.txt", "x.csv"}; !slices.Equal(got, want) {
		t.Errorf("the run has made %v, want %v", got, want)
	}
	for _, dir := range []string{source, frozen, outside} {
		for name, text := range shown(t, dir) {
			if text == "mine" {
				t.Errorf("%s/%s was written to", dir, name)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	defer func(l limits) { most = l }(most)
	most = limits{files: 4, bytes: 10}
	source := t.TempDir()
	write(t, source, map[string]string{
		"a.bin": "123456", "b.bin": strings.Repeat("b", 100), "c.txt": "1234", "f/d.txt": "", "g/e.txt": "e",
	})
	f, dir := lay(t, &Ground{Source: source})
	want := map[string]string{
		"a.bin": "123456", "b.bin": "-> " + source + "/b.bin", "c.txt": "1234", "f/d.txt": "-> " + source + "/f/d.txt", "g": "-> " + source + "/g",
	}
	got := shown(t, dir)
	if strings.HasPrefix(got["b.bin"], "b") {
		got["b.bin"] = want["b.bin"] // this file system clones
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := f.Changed(); got != nil {
		t.Errorf("changed: %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "f/d.txt"), []byte("through the link"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, want := f.Changed(), []string{source + "/f/d.txt"}; !slices.Equal(got, want) {
		t.Errorf("changed: %v, want %v", got, want)
	}
	if got := f.Changed(); got != nil {
		t.Errorf("changed again: %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "g/new.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if got, want := f.Changed(), []string{source + "/g"}; !slices.Equal(got, want) {
		t.Errorf("changed: %v, want %v", got, want)
	}
}

// TestNoGround: either folder may be missing.
func TestNoGround(t *testing.T) {
	for _, g := range []*Ground{{}, {Source: "/nonexistent"}, {Frozen: "/nonexistent", Source: "/nonexistent"}} {
		f, dir := lay(t, g)
		if got := shown(t, dir); len(got) > 0 {
			t.Errorf("%v", got)
		}
		f.Close()
	}
}

// TestInItself: temporary files may be in the source.
func TestInItself(t *testing.T) {
	source := t.TempDir()
	write(t, source, map[string]string{"a.txt": "a", "tmp/b.txt": "b"})
	base := filepath.Join(source, "tmp", "base")
	if err := os.Mkdir(base, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Ground{Source: source, Base: base}).Lay(filepath.Join(base, "work"), base); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "a", "tmp/b.txt": "b"}, shown(t, filepath.Join(base, "work"))); diff != "" {
		t.Error(diff)
	}
}

// TestMountThatFails: the first one decides, and files are copied instead.
func TestMountThatFails(t *testing.T) {
	source, files, mounts := t.TempDir(), map[string]string{}, 0
	for i := range little.files + 1 {
		files[fmt.Sprint(i)] = "x"
	}
	write(t, source, files)
	g := &Ground{Source: source, Base: t.TempDir(), Mount: func(string, string, string, []string) error { mounts++; return errors.ErrUnsupported }}
	for range 2 {
		_, dir := lay(t, g)
		if diff := cmp.Diff(files, shown(t, dir)); diff != "" {
			t.Error(diff)
		}
	}
	if mounts != 1 {
		t.Errorf("%d mounts were tried", mounts)
	}
}

// TestLayers: what an overlay would pass through is different in a layer above.
func TestLayers(t *testing.T) {
	source, frozen, outside := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"x.csv": "x", "data/y.csv": "y"})
	write(t, source, map[string]string{
		"a.txt": "a", "old.sweep/FORMAT": "f", "sub/x.csv": "-> " + outside + "/x.csv", "data": "-> " + outside + "/data",
		"inside": "-> a.txt", "sub/absolute": "-> " + source + "/a.txt", "nowhere": "-> gone", "node_modules/m": "-> /gone",
	})
	g := &Ground{Source: source, Frozen: frozen, Base: t.TempDir()}
	layers, err := g.overlayLayers()
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("only root makes whiteouts")
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{frozen, g.amends, source}; !slices.Equal(layers, want) {
		t.Errorf("layers are %v, want %v", layers, want)
	}
	for _, hidden := range []string{"old.sweep", "nowhere"} {
		info, err := os.Lstat(filepath.Join(g.amends, hidden))
		if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
			t.Errorf("%s is not hidden: %v, %v", hidden, info, err)
			continue
		}
		os.Remove(filepath.Join(g.amends, hidden))
	}
	want := map[string]string{"sub/x.csv": "x", "data/y.csv": "y", "sub/absolute": "-> ../a.txt"}
	if diff := cmp.Diff(want, shown(t, g.amends)); diff != "" {
		t.Error(diff)
	}
}

// TestLinksAreKept: the folders of runs share the links to what is not copied, and
// have ones of their own where that cannot be.
func TestLinksAreKept(t *testing.T) {
	defer func(l limits) { most = l }(most)
	most = limits{files: 1, bytes: 10}
	source := t.TempDir()
	write(t, source, map[string]string{"a.txt": "a", "b.txt": "b", "c/d.txt": "d"})
	want := map[string]string{"a.txt": "a", "b.txt": "-> " + source + "/b.txt", "c": "-> " + source + "/c"}
	for name, g := range map[string]*Ground{
		"kept": {Source: source, Base: t.TempDir()}, "no place": {Source: source}, "not to be made": {Source: source, Base: "/nonexistent"},
	} {
		_, one := lay(t, g)
		_, two := lay(t, g)
		same := func(file string) bool {
			a, err := os.Lstat(filepath.Join(one, file))
			b, err2 := os.Lstat(filepath.Join(two, file))
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			return os.SameFile(a, b)
		}
		if got := fmt.Sprint(same("a.txt"), same("b.txt"), same("c")); got != fmt.Sprint(false, name == "kept", name == "kept") {
			t.Errorf("%s: shared are %s", name, got)
		}
		if err := errors.Join(os.Remove(filepath.Join(one, "b.txt")), os.WriteFile(filepath.Join(one, "b.txt"), []byte("mine"), 0o666)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, shown(t, two)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "a", "b.txt": "b", "c/d.txt": "d"}, shown(t, source)); diff != "" {
		t.Errorf("the source: %s", diff)
	}
}

// BenchmarkLay is the cost of a folder of so many files that is not an overlay,
// its removal included.
func BenchmarkLay(b *testing.B) {
	for _, n := range []int{10, 30_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			source, rooms := b.TempDir(), b.TempDir()
			for i := range n {
				if err := os.WriteFile(filepath.Join(source, fmt.Sprint(i)), make([]byte, 5000), 0o666); err != nil {
					b.Fatal(err)
				}
			}
			g := &Ground{Source: source, Base: b.TempDir()}
			for b.Loop() {
				f, err := g.Lay(filepath.Join(rooms, "work"), rooms)
				if err != nil {
					b.Fatal(err)
				}
				f.Close()
				if err := os.RemoveAll(filepath.Join(rooms, "work")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
