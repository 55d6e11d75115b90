package pack_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fanout-dev/fanout/internal/pack"
)

// An archive depends on files alone, and gives them back as they were.
func TestRoundTrip(t *testing.T) {
	files := []pack.File{{Name: "b/run.sh", Mode: 0o755, Data: []byte("#!")}, {Name: "a.txt", Mode: 0o644}}
	b, err := pack.Files(files)
	if err != nil {
		t.Fatal(err)
	}
	turned := slices.Clone(files)
	slices.Reverse(turned)
	if c, err := pack.Files(turned); err != nil || !bytes.Equal(b, c) {
		t.Errorf("the order of the files changes the archive: %v", err)
	}
	if pack.Digest(files) != pack.Digest(turned) || pack.Digest(files[:1]) == pack.Digest(files) || pack.Digest(nil) != "" {
		t.Error("the digest is not one of the files")
	}
	dir := t.TempDir()
	if err := pack.Unpack(b, dir); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		file := filepath.Join(dir, filepath.FromSlash(f.Name))
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(file); err != nil || !bytes.Equal(data, f.Data) || info.Mode().Perm() != f.Mode {
			t.Errorf("%s: %q, %s, %v", f.Name, data, info.Mode(), err)
		}
	}
}

func TestUnpackStaysInFolder(t *testing.T) {
	b, err := pack.Files([]pack.File{{Name: "../out.txt", Mode: 0o644}})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "in")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := pack.Unpack(b, dir); err == nil {
		t.Error("a file was written outside the folder")
	}
	if _, err := os.Stat(filepath.Join(dir, "..", "out.txt")); err == nil {
		t.Error("there is a file outside the folder")
	}
}
