package ground

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A folder is another run's only if nothing at all was done to it, however well that
// was hidden, and if a fresh copy would be the same.
func TestUntouched(t *testing.T) {
	rewrite := func(file, text string) error {
		info, err := os.Stat(file)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o666)
		}
		if err == nil {
			err = os.Chtimes(file, info.ModTime(), info.ModTime())
		}
		return err
	}
	for name, tc := range map[string]struct {
		do   func(dir, source, temp string) error
		want bool
	}{
		"nothing": {func(dir, source, temp string) error { return nil }, true},
		"reading": {func(dir, source, temp string) error { _, err := os.ReadFile(filepath.Join(dir, "a.txt")); return err }, true},
		"hidden":  {func(dir, source, temp string) error { return rewrite(filepath.Join(dir, "deep/b.txt"), "B") }, false},
		"came and went": {func(dir, source, temp string) error {
			f := filepath.Join(dir, "deep/new")
			return first(os.Mkdir(f, 0o777), os.Remove(f))
		}, false},
		"a temporary file": {func(dir, source, temp string) error { return os.WriteFile(filepath.Join(temp, "x"), nil, 0o666) }, false},
		"mode":             {func(dir, source, temp string) error { return os.Chmod(filepath.Join(dir, "a.txt"), 0o600) }, false},
		"a second name": {func(dir, source, temp string) error {
			return os.Link(filepath.Join(dir, "a.txt"), filepath.Join(filepath.Dir(dir), "kept"))
		}, false},
		"replaced": {func(dir, source, temp string) error {
			f := filepath.Join(dir, "a.txt")
			return first(os.Remove(f), os.WriteFile(f, []byte("a"), 0o666))
		}, false},
		"source": {func(dir, source, temp string) error { return rewrite(filepath.Join(source, "a.txt"), "A") }, false},
		"new in the source": {func(dir, source, temp string) error {
			return os.WriteFile(filepath.Join(source, "deep/c.txt"), nil, 0o666)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			source := t.TempDir()
			write(t, source, map[string]string{"a.txt": "a", "deep/b.txt": "b"})
			f, dir := lay(t, &Ground{Source: source})
			temp := t.TempDir()
			f.Watch(temp)
			time.Sleep(20 * time.Millisecond) // where times are coarse
			if err := tc.do(dir, source, temp); err != nil {
				t.Fatal(err)
			}
			if got := f.Untouched(); got != tc.want {
				t.Errorf("untouched: %v, want %v", got, tc.want)
			}
		})
	}
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// What is no plain copy is never another run's: links lead elsewhere.
func TestLinksAreNotUntouched(t *testing.T) {
	source, outside := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"x.csv": "x"})
	write(t, source, map[string]string{"x.csv": "-> " + outside + "/x.csv"})
	if f, _ := lay(t, &Ground{Source: source}); f.Untouched() {
		t.Error("a folder with a link is given to another run")
	}
	defer func(l limits) { most = l }(most)
	most = limits{files: 10, bytes: 3}
	source = t.TempDir()
	write(t, source, map[string]string{"large": "larger"})
	if f, _ := lay(t, &Ground{Source: source}); f.Untouched() {
		t.Error("a folder with a clone or a shared file is given to another run")
	}
}
