package sweep

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/klauspost/compress/zstd"
)

// A File is one file frozen with a sweep.
type File struct {
	Name string // slash-separated, relative to the sweep file's folder
	Mode fs.FileMode
	Data []byte
}

// maxFile bounds one unpacked file: a frozen bundle is code and small data.
const maxFile = 4 << 30

// digestFiles depends on names and contents alone.
func digestFiles(files []File) string {
	h := sha256.New()
	for _, f := range sorted(files) {
		fmt.Fprintf(h, "%q %s\n", f.Name, Digest(f.Data))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sorted(files []File) []File {
	files = append([]File(nil), files...)
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	return files
}

// packFiles makes a bundle that is the same for the same files.
func packFiles(files []File) ([]byte, error) {
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

// Unpack writes the files frozen with the sweep into folder, which exists.
func (s *Sweep) Unpack(ctx context.Context, folder string) error {
	if s.head.Files == "" {
		return nil
	}
	b, err := s.Object(ctx, s.head.Files)
	if err != nil {
		return err
	}
	if err := unpackFiles(b, folder); err != nil {
		return fmt.Errorf("unpack %s: %w", s.head.Files, err)
	}
	return nil
}

// unpackFiles writes what packFiles packed into folder, which exists.
func unpackFiles(b []byte, folder string) error {
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
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = unpackFile(root, h, t)
		}
		if err != nil {
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
	if _, err := io.Copy(f, io.LimitReader(r, maxFile)); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
