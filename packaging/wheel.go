package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fanout-dev/fanout/templates"
)

// wheelTags are the platforms that pip knows targets by. The binaries of Linux are
// static, so they run with every C library; Go needs macOS 12.
var wheelTags = map[target]string{
	{"linux", "amd64"}:  "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
	{"linux", "arm64"}:  "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
	{"darwin", "amd64"}: "macosx_12_0_x86_64",
	{"darwin", "arm64"}: "macosx_12_0_arm64",
}

// metadata is what pip reads. Kernels come with the wheel, so that sweeps run in an
// environment that has nothing else.
const metadata = `Metadata-Version: 2.4
Name: fanout
Version: %s
Summary: Run one Jupyter notebook many times with different parameters and compare the results
Requires-Python: >=3.9
Requires-Dist: ipykernel
Classifier: Environment :: Console
Classifier: Framework :: Jupyter
Classifier: Operating System :: POSIX :: Linux
Classifier: Operating System :: MacOS
Description-Content-Type: text/markdown
%s
%s`

// wheel writes the wheel of a target: the command, and the module that notebooks
// record with, from the file that the command itself carries.
func (d *dist) wheel(b *binary, notices []byte) error {
	version, err := pythonVersion(d.version)
	if err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(d.root, "README.md"))
	if err != nil {
		return err
	}
	tags, known := wheelTags[b.target]
	if !known {
		return fmt.Errorf("build a wheel for %s: there are wheels for %v", b.target, targets)
	}
	about := "fanout-" + version + ".dist-info/"
	files := []file{
		{"fanout_glue.py", 0o644, templates.Glue},
		{"fanout-" + version + ".data/scripts/fanout", 0o755, b.content},
		{about + "licenses/" + noticesName, 0o644, notices},
	}
	licences := "License-File: " + noticesName + "\n"
	if own, err := os.ReadFile(filepath.Join(d.root, "LICENSE")); err == nil {
		files = append(files, file{about + "licenses/LICENSE", 0o644, own})
		licences += "License-File: LICENSE\n"
	}
	wheel := "Wheel-Version: 1.0\nGenerator: fanout-packaging\nRoot-Is-Purelib: false\n"
	for _, tag := range strings.Split(tags, ".") {
		wheel += "Tag: py3-none-" + tag + "\n"
	}
	files = append(files,
		file{about + "METADATA", 0o644, fmt.Appendf(nil, metadata, version, licences, readme)},
		file{about + "WHEEL", 0o644, []byte(wheel)})
	files = append(files, record(files, about))
	packed, err := d.zip(files)
	if err != nil {
		return err
	}
	return d.write(fmt.Sprintf("fanout-%s-py3-none-%s.whl", version, tags), packed)
}

// record lists the files of a wheel with their digests.
func record(files []file, about string) file {
	var lines strings.Builder
	for _, f := range files {
		sum := sha256.Sum256(f.content)
		fmt.Fprintf(&lines, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.content))
	}
	fmt.Fprintf(&lines, "%sRECORD,,\n", about)
	return file{about + "RECORD", 0o644, []byte(lines.String())}
}

func (d *dist) zip(files []file) ([]byte, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: d.time}
		header.SetMode(os.FileMode(f.mode))
		part, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := part.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return packed.Bytes(), err
}

var semantic = regexp.MustCompile(`^(\d+\.\d+\.\d+)(?:-(dev|alpha|beta|rc)\.(\d+))?$`)

// pythonVersion is a version as Python writes it: 1.2.0-rc.1 is 1.2.0rc1 there.
func pythonVersion(version string) (string, error) {
	m := semantic.FindStringSubmatch(version)
	if m == nil {
		return "", fmt.Errorf("version %q: want one such as 1.2.3, 1.2.3-rc.1 or 1.2.3-dev.40", version)
	}
	switch m[2] {
	case "":
		return m[1], nil
	case "dev":
		return m[1] + ".dev" + m[3], nil
	}
	return m[1] + map[string]string{"alpha": "a", "beta": "b", "rc": "rc"}[m[2]] + m[3], nil
}
