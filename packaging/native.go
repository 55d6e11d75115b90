package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// nfpm writes Debian's and RPM's packages.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.48.0"

// content is a file of a package, as nfpm wants it.
type content struct {
	Src  string `json:"src"`
	Dst  string `json:"dst"`
	Info struct {
		Mode  int64  `json:"mode"`
		Mtime string `json:"mtime"`
	} `json:"file_info"`
}

// native writes the packages of one target.
func (d *dist) native(t target, files []file) error {
	for _, packager := range []string{"deb", "rpm"} {
		dir := filepath.Join(d.work, t.String()+"-"+packager)
		contents, err := d.lay(dir, packager, files)
		if err != nil {
			return err
		}
		// JSON is YAML, too.
		config, err := json.Marshal(map[string]any{
			"name": "fanout", "arch": t.arch, "platform": t.os, "version": d.version, "version_schema": "semver",
			"maintainer": "The fanout developers", "homepage": "https://github.com/fanout-dev/fanout",
			"description": "run one Jupyter notebook many times and compare the results\n" +
				"fanout expands a parameter grid over a template notebook, executes every\n" +
				"point with Jupyter kernels, collects what the notebooks record into\n" +
				"tables, and compares the variants.",
			"section": "science", "mtime": d.time.Format(time.RFC3339), "contents": contents,
			"overrides": map[string]any{"deb": map[string]any{"recommends": []string{"python3-ipykernel"}}},
			"rpm":       map[string]any{"buildhost": "localhost", "group": "Applications/Engineering"},
		})
		if err != nil {
			return err
		}
		path := filepath.Join(dir, "nfpm.yaml")
		if err := os.WriteFile(path, config, 0o666); err != nil {
			return err
		}
		cmd := exec.Command("go", "run", nfpm, "package", "-f", path, "-p", packager, "-t", d.out)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", d.time.Unix()))
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	return nil
}

// lay lays the files of a package into a folder.
func (d *dist) lay(dir, packager string, files []file) ([]content, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	var all []content
	for i, f := range files {
		text := f.content
		dst := place(f.name, packager)
		if strings.HasSuffix(dst, ".gz") {
			text = zipped(text)
		}
		src := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(src, text, 0o666); err != nil {
			return nil, err
		}
		c := content{Src: src, Dst: dst}
		c.Info.Mode, c.Info.Mtime = f.mode, d.time.Format(time.RFC3339)
		all = append(all, c)
	}
	return all, nil
}

// place is where a file of the archive is in a system.
func place(name, packager string) string {
	dir, base := path.Split(name)
	switch {
	case name == "fanout":
		return "/usr/bin/fanout"
	case dir == "man/":
		return "/usr/share/man/man1/" + base + ".gz"
	case base == "fanout.bash":
		return "/usr/share/bash-completion/completions/fanout"
	case base == "_fanout" && packager == "deb":
		return "/usr/share/zsh/vendor-completions/_fanout"
	case base == "_fanout":
		return "/usr/share/zsh/site-functions/_fanout"
	case base == "fanout.fish":
		return "/usr/share/fish/vendor_completions.d/fanout.fish"
	case name == "CHANGELOG.md":
		return "/usr/share/doc/fanout/CHANGELOG.md.gz"
	}
	return "/usr/share/doc/fanout/" + name
}

// zipped is gzip -9 -n.
func zipped(text []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is known
	z.Write(text)
	z.Close()
	return b.Bytes()
}
