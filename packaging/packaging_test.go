package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/templates"
)

func testDist(t *testing.T) *dist {
	return &dist{root: "..", out: t.TempDir(), work: t.TempDir(), version: "1.2.3", commit: strings.Repeat("ab", 20), time: time.Unix(1_800_000_001, 0).UTC()}
}

// TestWheel installs the wheel of this machine with pip in a new environment, which
// has ipykernel and nothing else that is fanout's, and runs a sweep with it.
func TestWheel(t *testing.T) {
	python := kerneltest.Python(t)
	if testing.Short() {
		t.Skip("builds a binary and an environment")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	d := testDist(t)
	d.root = root
	if err := d.oneWheel(); err != nil {
		t.Fatal(err)
	}
	wheels, err := filepath.Glob(filepath.Join(d.out, "*.whl"))
	if err != nil || len(wheels) != 1 {
		t.Fatalf("built %v (%v), want one wheel", wheels, err)
	}
	work := t.TempDir()
	environment := filepath.Join(work, "env")
	does(t, work, python, "-m", "venv", "--without-pip", environment)
	bin := filepath.Join(environment, "bin")
	installed := filepath.Join(environment, "lib")
	does(t, work, python, "-m", "pip", "--python", filepath.Join(bin, "python"), "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", wheels[0])
	borrow(t, work, python, installed)

	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("VIRTUAL_ENV", environment)
	command := filepath.Join(bin, "fanout")
	if out := does(t, work, command, "version"); !strings.HasPrefix(out, "fanout 1.2.3\ncommit    abababababab\n") {
		t.Errorf("fanout version says %q", out)
	}
	glue := does(t, work, "python", "-c", "import fanout_glue; print(open(fanout_glue.__file__).read(), end='')")
	if glue != string(templates.Glue) {
		t.Error("fanout_glue in the environment is not the one of the repository")
	}
	does(t, work, command, "init", "demo")
	does(t, work, command, "run", "demo/sweep.yaml")
	if out := does(t, work, command, "status", "demo/walk.sweep"); out != "walk: 24 runs: 24 succeeded\n" {
		t.Errorf("the sweep is %q", out)
	}
	notices := does(t, work, "python", "-c", "from importlib.metadata import files; print([f for f in files('fanout') if f.name == 'THIRD_PARTY_NOTICES.txt'][0].read_text())")
	for _, want := range []string{"github.com/spf13/cobra v1.", "Permission is hereby granted, free of charge", "plotly.js-dist-min", "The FreeType Project"} {
		if !strings.Contains(notices, want) {
			t.Errorf("the notices do not have %q", want)
		}
	}
}

// borrow lets an environment import what Python's own one has.
func borrow(t *testing.T, work, python, lib string) {
	t.Helper()
	from := strings.TrimSpace(does(t, work, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
	to, err := filepath.Glob(filepath.Join(lib, "python*", "site-packages"))
	if err != nil || len(to) != 1 {
		t.Fatalf("site-packages: %v (%v)", to, err)
	}
	if err := os.WriteFile(filepath.Join(to[0], "borrowed.pth"), []byte(from+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
}

func does(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			stderr = exit.Stderr
		}
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, stderr)
	}
	return string(out)
}

// TestArchive checks that an archive depends on the files in it alone, and on
// nothing of the machine.
func TestArchive(t *testing.T) {
	d := testDist(t)
	files := []file{{"fanout", 0o755, []byte("binary")}, {"README.md", 0o644, []byte("read")}, {"man/fanout.1", 0o644, []byte("page")}}
	var packed [2][]byte
	for i := range packed {
		slices.Reverse(files)
		if err := d.archive(target{"linux", "amd64"}, files); err != nil {
			t.Fatal(err)
		}
		var err error
		if packed[i], err = os.ReadFile(filepath.Join(d.out, "fanout_1.2.3_linux_amd64.tar.gz")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("the order of the files changes the archive")
	}
	z, err := gzip.NewReader(bytes.NewReader(packed[0]))
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || !z.ModTime.IsZero() {
		t.Errorf("gzip has the name %q and the time %v", z.Name, z.ModTime)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if !h.ModTime.Equal(d.time) || h.Uid != 0 || h.Gid != 0 || h.Uname != "root" {
			t.Errorf("%s: %v, %d:%d %s", h.Name, h.ModTime, h.Uid, h.Gid, h.Uname)
		}
	}
	want := []string{"fanout_1.2.3_linux_amd64/README.md", "fanout_1.2.3_linux_amd64/fanout", "fanout_1.2.3_linux_amd64/man/fanout.1"}
	if !slices.Equal(names, want) {
		t.Errorf("the archive has %v, want %v", names, want)
	}
}

func TestPythonVersion(t *testing.T) {
	for version, want := range map[string]string{"1.2.3": "1.2.3", "1.2.3-rc.1": "1.2.3rc1", "0.0.0-dev.40": "0.0.0.dev40", "1.2.0-beta.2": "1.2.0b2", "1.2": "", "1.2.3-x": "", "v1.2.3": ""} {
		got, err := pythonVersion(version)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q (%v), want %q", version, got, err, want)
		}
	}
}

// TestLicences checks what stops a build: texts that nobody recognises, licences that
// were not decided on, and none at all.
func TestLicences(t *testing.T) {
	goroot := strings.TrimSpace(does(t, ".", "go", "env", "GOROOT"))
	bsd, err := os.ReadFile(filepath.Join(goroot, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	freetype := strings.TrimSpace(does(t, ".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/golang/freetype"))
	gpl, err := os.ReadFile(filepath.Join(freetype, "licenses", "gpl.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, ids, err string }{
		{"LICENSE", string(bsd), "BSD-3-Clause", ""},
		{"LICENSE", "Do what you like.", "", "is unknown"},
		{"NOTICE", string(bsd), "", "has no licence"},
		{"COPYING", string(gpl), "", "GPL-2.0"},
		{"README.md", string(bsd), "", "has no licence"},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "a", c.name), []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		l := licence{name: "example.org/m", version: "v1"}
		err := l.read(dir, []string{filepath.Join(dir, "a", "b")})
		if c.err == "" && (err != nil || strings.Join(l.ids, " ") != c.ids) {
			t.Errorf("%s %.20q: %v, %v", c.name, c.text, l.ids, err)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s %.20q: %v, want an error that says %q", c.name, c.text, err, c.err)
		}
	}
	if err := new(licence).read("", nil); err == nil || !strings.Contains(err.Error(), "go mod download") {
		t.Errorf("a module that is not there: %v", err)
	}
}

// TestBill checks that every package of the bill of materials has a name of its own,
// and that fanout contains it.
func TestBill(t *testing.T) {
	d := testDist(t)
	b := &binary{target: target{"linux", "amd64"}, content: []byte("binary"), licences: []licence{
		{kind: "golang", name: "example.org/a_b", version: "v1.0.0", sum: "h1:x", ids: []string{"Apache-2.0", "MIT"}},
		{kind: "npm", name: "@scope/a", version: "2.0.0", ids: []string{"MIT"}},
	}}
	b.info = &debug.BuildInfo{GoVersion: "go1.2.3"}
	if err := d.bill(b); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(d.out, "fanout_1.2.3_linux_amd64.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	contained := map[string]bool{}
	for _, r := range doc.Relationships {
		contained[r.Related] = true
	}
	for _, p := range doc.Packages {
		if !contained[p.SPDXID] {
			t.Errorf("%s is in nothing", p.SPDXID)
		}
		delete(contained, p.SPDXID)
	}
	if len(contained) > 0 || len(doc.Packages) != 3 {
		t.Errorf("%d packages; %v are missing, or named twice", len(doc.Packages), contained)
	}
	for _, want := range []string{`"pkg:npm/%40scope/a@2.0.0"`, `"pkg:golang/example.org/a_b@v1.0.0"`, `"Apache-2.0 AND MIT"`, `"2027-01-15T08:00:01Z"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the bill does not have %s", want)
		}
	}
}

// TestDebian has a fresh Debian install what is built, and run the demo.
func TestDebian(t *testing.T) {
	if os.Getenv("FANOUT_TEST_LONG") == "" {
		t.Skip("takes long: make test-long runs it, or FANOUT_TEST_LONG=1")
	}
	if _, err := exec.LookPath("debootstrap"); err != nil || os.Geteuid() != 0 {
		t.Skip("no debootstrap, or not root: no fresh Debian")
	}
	out := t.TempDir()
	if err := run([]string{"-o", out, "-only", host.String()}); err != nil {
		t.Fatal(err)
	}
	t.Log(does(t, ".", "./debian-root.sh", out))
}
