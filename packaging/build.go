package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"
)

// release is the package that the linker tells which fanout it is.
const release = "github.com/fanout-dev/fanout/cmd/fanout/internal/release"

// A binary is fanout for one target, with what is in it.
type binary struct {
	target
	content  []byte
	info     *debug.BuildInfo
	licences []licence // of each module, of Go, and of what was vendored
}

// goCommand is a go command for a target, whatever the environment asks for.
func (d *dist) goCommand(t target, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOTOOLCHAIN=local")
	return cmd
}

// binary builds fanout for a target. The identifier that Go's linker would add is
// left out: it depends on the folder of the build.
func (d *dist) binary(t target) (*binary, error) {
	path := filepath.Join(d.work, "fanout-"+t.String())
	flags := fmt.Sprintf("-s -w -buildid= -X %[1]s.version=%[2]s -X %[1]s.commit=%[3]s", release, d.version, d.commit)
	if _, err := output(d.goCommand(t, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", path, "./cmd/fanout")); err != nil {
		return nil, err
	}
	b := &binary{target: t}
	var err error
	if b.content, err = os.ReadFile(path); err != nil {
		return nil, err
	}
	if b.info, err = buildinfo.Read(bytes.NewReader(b.content)); err != nil {
		return nil, fmt.Errorf("read what is in %s: %w", path, err)
	}
	b.licences, err = d.licences(b)
	return b, err
}

// extras are the files that stand beside every binary: documents, manual pages,
// completions.
func (d *dist) extras() ([]file, error) {
	var files []file
	for _, name := range []string{"README.md", "CHANGELOG.md", "LICENSE"} {
		content, err := os.ReadFile(filepath.Join(d.root, name))
		if os.IsNotExist(err) && name == "LICENSE" {
			fmt.Fprintln(os.Stderr, "packaging: warning: there is no file LICENSE: packages say nothing of fanout's own licence")
			continue
		} else if err != nil {
			return nil, err
		}
		files = append(files, file{name, 0o644, content})
	}
	pages, err := d.manual()
	if err != nil {
		return nil, err
	}
	completions, err := d.completions()
	return slices.Concat(files, pages, completions), err
}

var host = target{goEnv("GOHOSTOS"), goEnv("GOHOSTARCH")}

func goEnv(name string) string {
	value, err := output(exec.Command("go", "env", name))
	if err != nil {
		panic(err) // no go command runs this
	}
	return value
}

// manual has the command write its manual pages.
func (d *dist) manual() ([]file, error) {
	dir := filepath.Join(d.work, "man")
	flags := "-X " + release + ".version=" + d.version
	if _, err := output(d.goCommand(host, "run", "-tags", "manual", "-ldflags", flags, "./cmd/fanout", dir, d.time.Format(time.DateOnly))); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var pages []file
	for _, e := range entries {
		page, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		pages = append(pages, file{"man/" + e.Name(), 0o644, page})
	}
	return pages, nil
}

// completions has a binary for this machine print its completions.
func (d *dist) completions() ([]file, error) {
	path := filepath.Join(d.work, "fanout")
	if _, err := output(d.goCommand(host, "build", "-buildvcs=false", "-o", path, "./cmd/fanout")); err != nil {
		return nil, err
	}
	var files []file
	for _, shell := range []struct{ name, file string }{{"bash", "fanout.bash"}, {"zsh", "_fanout"}, {"fish", "fanout.fish"}} {
		text, err := output(exec.Command(path, "completion", shell.name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{"completions/" + shell.file, 0o644, []byte(text + "\n")})
	}
	return files, nil
}
