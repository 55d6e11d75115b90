package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// collected is a sweep that was made and collected, and then edited, so that
// collecting again writes other tables.
type collected struct {
	source, dir string
	old, new    map[string]string // files of results/ by name
}

func newCollected(t *testing.T, dir string) *collected {
	t.Helper()
	c := &collected{source: talkative(t), dir: filepath.Join(dir, "s.sweep")}
	if code, out := onDisk(t, dir, c.source); code != exitOK {
		t.Fatalf("exit %d\n%s", code, out)
	}
	c.old = filesIn(t, filepath.Join(c.dir, "results"))
	runs, err := filepath.Glob(filepath.Join(c.dir, "runs", "*.ipynb"))
	if err != nil || len(runs) != 20 {
		t.Fatalf("%d runs: %v", len(runs), err)
	}
	for _, run := range runs[:5] {
		doc, err := os.ReadFile(run)
		if err != nil {
			t.Fatal(err)
		}
		edited := strings.ReplaceAll(string(doc), `"name": "y"`, `"name": "z"`)
		if edited == string(doc) {
			t.Fatalf("nothing to edit in %s", doc)
		}
		if err := os.Remove(run); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(run, []byte(edited), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	copied := filepath.Join(t.TempDir(), "s.sweep")
	if out, err := exec.Command("cp", "-a", c.dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := c.collect(copied).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.new = filesIn(t, filepath.Join(copied, "results"))
	if len(c.new) == 0 || c.new["runs.parquet"] == c.old["runs.parquet"] {
		t.Fatal("an edit changes nothing")
	}
	return c
}

func (c *collected) collect(dir string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "collect", dir)
	cmd.Env = append(append(os.Environ(), asFanout+"=1"), env...)
	return cmd
}

// restore puts the old tables back and forgets what was read.
func (c *collected) restore(t *testing.T) {
	t.Helper()
	for _, folder := range []string{"results", "collected"} {
		if err := os.RemoveAll(filepath.Join(c.dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range c.old {
		file := filepath.Join(c.dir, "results", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// checkWhole demands that every table is the old one or the new one.
func (c *collected) checkWhole(t *testing.T) {
	t.Helper()
	now := filesIn(t, filepath.Join(c.dir, "results"))
	for name := range c.old {
		if _, ok := now[name]; !ok {
			t.Errorf("%s is gone", name)
		}
	}
	for name, text := range now {
		if strings.Contains(name, ".writing-") {
			continue
		}
		if text != c.old[name] && text != c.new[name] {
			t.Errorf("%s is neither the old nor the new one (%d bytes)", name, len(text))
		}
	}
}

func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Whenever collect is killed, every table is whole, and nothing is left outside
// the sweep.
func TestCollectKilled(t *testing.T) {
	c := newCollected(t, t.TempDir())
	temp := t.TempDir()
	for n := 1; ; n++ {
		c.restore(t)
		cmd := c.collect(c.dir, killAt+"="+strconv.Itoa(n), "TMPDIR="+temp)
		out, err := cmd.CombinedOutput()
		c.checkWhole(t)
		if err == nil {
			if n < 5 {
				t.Errorf("only %d writes", n)
			}
			break
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("kill at write %d: %v\n%s", n, err, out)
		}
	}
	if left := filesIn(t, temp); len(left) > 0 {
		t.Errorf("left in the temporary folder: %v", left)
	}
	if now := filesIn(t, filepath.Join(c.dir, "results")); now["runs.parquet"] != c.new["runs.parquet"] {
		t.Error("the tables are not the new ones at last")
	}
}

// A full disk leaves the old tables, whether the sweep's or the one for
// temporary files, and says what to do.
func TestCollectFullDisk(t *testing.T) {
	disk := smallDisk(t, "50m")
	c := newCollected(t, disk)
	if err := os.RemoveAll(filepath.Join(c.dir, "collected")); err != nil {
		t.Fatal(err)
	}
	fill := filepath.Join(disk, "fill")
	filler, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	filler.Close()
	out, err := c.collect(c.dir).CombinedOutput()
	for _, want := range []string{"no space left on device", "hint: ", "the old tables are unchanged"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("full disk: %v, want %q\n%s", err, want, out)
		}
	}
	c.checkWhole(t)
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	temp := smallDisk(t, "4k")
	out, err = c.collect(c.dir, "TMPDIR="+temp).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no space left on device") || !strings.Contains(string(out), "TMPDIR=") {
		t.Errorf("no room for temporary files: %v\n%s", err, out)
	}
	c.checkWhole(t)
	if out, err := c.collect(c.dir).CombinedOutput(); err != nil {
		t.Errorf("with room: %v\n%s", err, out)
	}
	if now := filesIn(t, filepath.Join(c.dir, "results")); now["runs.parquet"] != c.new["runs.parquet"] || !bytes.HasPrefix([]byte(now["runs.parquet"]), []byte("PAR1")) {
		t.Error("the tables are not the new ones at last")
	}
}
