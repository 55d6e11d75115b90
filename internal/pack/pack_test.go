package pack_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

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

// What an archive says that it has is believed before anything is written.
func TestUnpackIsBounded(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	// Its bytes never come.
	if err := w.WriteHeader(&tar.Header{Name: "large", Mode: 0o644, Size: 5 << 30, Format: tar.FormatPAX}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := pack.Unpack(b.Bytes(), dir); err == nil || !strings.Contains(err.Error(), `unpack "large": with it the files take more than 4 GB`) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "large")); err == nil {
		t.Error("the large file was begun")
	}
}
