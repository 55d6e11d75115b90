package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sums is the name of the list of checksums.
const sums = "SHA256SUMS"

// A file goes into archives and packages.
type file struct {
	name    string // with slashes
	mode    int64
	content []byte
}

// archive writes the archive of a target: everything in one folder, sorted, owned
// by root.
func (d *dist) archive(t target, files []file) error {
	top := fmt.Sprintf("fanout_%s_%s", d.version, t)
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	for _, f := range files {
		header := &tar.Header{
			Name: top + "/" + f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: d.time,
			Typeflag: tar.TypeReg, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write(f.content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return d.write(top+".tar.gz", packed.Bytes())
}

func (d *dist) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(d.out, name), content, 0o666)
}

// checksums lists what was built, as sha256sum does.
func (d *dist) checksums() error {
	entries, err := os.ReadDir(d.out)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(d.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	return d.write(sums, []byte(lines.String()))
}
