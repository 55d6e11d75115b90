// Package pack packs files into one archive and unpacks it.
//
// In go files in memory, out comes a zstd-compressed tar whose bytes depend on
// the names, modes and contents, not on order or time. Unpacking never
// leaves the folder it is given, whatever the archive says. Package pack knows
// nothing of sweeps.
package pack

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A File is one file of an archive.
type File struct {
	Name string // slash-separated, relative
	Mode fs.FileMode
	Data []byte
}

// maxBytes bounds the files of an archive together: packing holds them in memory.
const maxBytes = 4 << 30

// Digest is the hex SHA-256 of names and contents; of no files it is empty.
func Digest(files []File) string {
	if len(files) == 0 {
		return ""
	}
	h := sha256.New()
	for _, f := range sorted(files) {
		fmt.Fprintf(h, "%q %x\n", f.Name, sha256.Sum256(f.Data))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sorted(files []File) []File {
	return slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}

// Files returns an archive, which is the same for the same files.
func Files(files []File) ([]byte, error) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, f := range sorted(files) {
		h := &tar.Header{Name: f.Name, Mode: int64(f.Mode.Perm()), Size: int64(len(f.Data)), Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Name, err)
		}
		if _, err := t.Write(f.Data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Name, err)
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Unpack writes the files of an archive into folder, which exists.
func Unpack(b []byte, folder string) error {
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer z.Close()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(maxBytes)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if left -= h.Size; left < 0 {
			return fmt.Errorf("unpack %q: with it the files take more than %d GB", h.Name, maxBytes>>30)
		}
		if err := unpackFile(root, h, t); err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, h *tar.Header, r io.Reader) error {
	name := filepath.FromSlash(h.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fs.FileMode(h.Mode).Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
