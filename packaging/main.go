// Command packaging builds what people install: static binaries in archives, Debian
// and RPM packages, Python wheels, with the licences of everything in them, a bill
// of materials (SPDX) and checksums. `make dist` calls it in a clone.
//
// The same commit gives the same bytes: times are the commit's, paths and names of
// the machine are left out, entries are sorted. `make dist-check` shows it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// targets are what fanout is built for. On macOS, kernels start cold.
var targets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}

type target struct{ os, arch string }

func (t target) String() string { return t.os + "_" + t.arch }

// A dist is one building of everything.
type dist struct {
	root    string // of the clone
	out     string
	work    string // a temporary folder
	version string // as in semantic versioning, without "v"
	commit  string
	time    time.Time // of every file
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("packaging", flag.ContinueOnError)
	out := flags.String("o", "dist", "the `folder` to write, which is emptied")
	version := flags.String("version", "", "the version, such as 1.2.3 (default: the tag of the commit, or 0.0.0-dev.N)")
	only := flags.String("only", "", "only what is for `os_arch`, such as linux_amd64")
	wheel := flags.Bool("wheel", false, "only the wheel for this machine")
	if err := flags.Parse(args); err != nil {
		return err
	}
	d, err := newDist(*out, *version)
	if err != nil {
		return err
	}
	defer os.RemoveAll(d.work)
	if *wheel {
		return d.oneWheel()
	}
	return d.everything(*only)
}

// newDist asks git for what was not given.
func newDist(out, version string) (*dist, error) {
	root, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	d := &dist{root: root, version: strings.TrimPrefix(version, "v")}
	if d.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if d.commit, err = git("rev-parse", "HEAD"); err != nil {
		return nil, err
	}
	if d.version == "" {
		d.version, err = versionOf(d.commit)
	}
	if err == nil {
		d.time, err = timeOf(d.commit)
	}
	if err != nil {
		return nil, err
	}
	if edited, err := git("status", "--porcelain"); err != nil {
		return nil, err
	} else if edited != "" {
		d.commit += "-dirty"
	}
	if err := d.empty(); err != nil {
		return nil, err
	}
	d.work, err = os.MkdirTemp("", "fanout-dist-")
	return d, err
}

// empty empties the folder for what is built, if it holds nothing else.
func (d *dist) empty() error {
	entries, err := os.ReadDir(d.out)
	if os.IsNotExist(err) {
		return os.MkdirAll(d.out, 0o777)
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "fanout") && e.Name() != sums {
			return fmt.Errorf("empty %s: %s is no file of this command; name another folder with -o", d.out, e.Name())
		}
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(d.out, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// versionOf is the version that a tag gives to a commit, or one that comes before
// every release and grows with the history.
func versionOf(commit string) (string, error) {
	tags, err := git("tag", "--points-at", commit, "--list", "v[0-9]*")
	if err != nil {
		return "", err
	}
	if tag, _, _ := strings.Cut(tags, "\n"); tag != "" {
		return strings.TrimPrefix(tag, "v"), nil
	}
	n, err := git("rev-list", "--count", commit)
	return "0.0.0-dev." + n, err
}

// timeOf is SOURCE_DATE_EPOCH, or when a commit was made.
func timeOf(commit string) (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		var err error
		if epoch, err = git("log", "-1", "--format=%ct", commit); err != nil {
			return time.Time{}, err
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of the commit: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func git(args ...string) (string, error) {
	return output(exec.Command("git", args...))
}

// output is what a command prints, without the last line's end.
func output(cmd *exec.Cmd) (string, error) {
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return strings.TrimRight(string(b), "\n"), nil
}

// everything builds for every target, or for one.
func (d *dist) everything(only string) error {
	chosen := slices.DeleteFunc(slices.Clone(targets), func(t target) bool { return only != "" && t.String() != only })
	if len(chosen) == 0 {
		return fmt.Errorf("build for %q: want one of %v", only, targets)
	}
	extras, err := d.extras()
	if err != nil {
		return err
	}
	for _, t := range chosen {
		fmt.Fprintln(os.Stderr, "packaging: build for", t)
		if err := d.target(t, extras); err != nil {
			return err
		}
	}
	return d.checksums()
}

// target builds what there is for one target.
func (d *dist) target(t target, extras []file) error {
	b, err := d.binary(t)
	if err != nil {
		return err
	}
	if err := d.bill(b); err != nil {
		return err
	}
	notices, err := b.notices()
	if err != nil {
		return err
	}
	files := slices.Concat([]file{{"fanout", 0o755, b.content}, {noticesName, 0o644, notices}}, extras)
	if err := d.archive(t, files); err != nil {
		return err
	}
	if err := d.wheel(b, notices); err != nil {
		return err
	}
	if t.os == "linux" {
		return d.native(t, files)
	}
	return nil
}

// oneWheel builds the wheel for this machine, and nothing else.
func (d *dist) oneWheel() error {
	b, err := d.binary(host)
	if err != nil {
		return err
	}
	notices, err := b.notices()
	if err != nil {
		return err
	}
	return d.wheel(b, notices)
}
