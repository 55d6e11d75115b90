package walk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fanout-dev/fanout/internal/store/internal/walk"
)

func found(t *testing.T, root *os.Root, folder string) (keys []string) {
	t.Helper()
	err := walk.Files(t.Context(), root, folder, func(f walk.File) {
		keys = append(keys, fmt.Sprint(f.Key, " ", f.Size))
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

func TestFiles(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, f := range []string{"a", "b/c", "b/d/e", "bad\xff/f", "x/\xff"} {
		p := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Skip("this file system has only names that are UTF-8")
		}
		if err := os.WriteFile(p, []byte("123"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(other, "secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, "b", "out")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := fmt.Sprint("b/out ", len(other)) // a link is itself, not what is in the folder that it leads to
	for folder, want := range map[string][]string{
		".": {"a 3", "b/c 3", "b/d/e 3", link, "pipe 0"}, "b": {"b/c 3", "b/d/e 3", link}, "b/d": {"b/d/e 3"}, "none": nil, "a": nil, "pipe": nil,
	} {
		if got := found(t, root, folder); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", folder, got, want)
		}
	}
}

// Folders are found to a depth, and those beneath it harm nobody.
func TestDeepFolders(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.MkdirAll(strings.Repeat("d/", walk.MaxDepth+500), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, depth := range []int{1, walk.MaxDepth, walk.MaxDepth + 1, walk.MaxDepth + 500} {
		if err := root.WriteFile(strings.Repeat("d/", depth)+"f", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"d/f 0", strings.Repeat("d/", walk.MaxDepth) + "f 0"}
	slices.Sort(want)
	if got := found(t, root, "."); !slices.Equal(got, want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}
