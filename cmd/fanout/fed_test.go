package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store/storetest"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// outputs are what the cells of a notebook put out.
func outputs(t *testing.T, doc []byte) (all []string) {
	t.Helper()
	n, err := notebook.Decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range n.Cells {
		b, err := json.Marshal(c.Outputs)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(c.Source, "\n")
		slices.Sort(lines) // parameters may be passed in another order
		all = append(all, strings.Join(lines, "\n")+" → "+string(b))
	}
	return all
}

// reproduce is the line that show prints for a run, as a shell executes it.
func (v *victim) reproduce(t *testing.T, where, run string, more ...string) *exec.Cmd {
	t.Helper()
	stdout, _ := v.ok(t, "show", where, run, "--json")
	var shown struct{ Reproduce string }
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil {
		t.Fatal(err)
	}
	return v.shell(`fanout() { "$FANOUT_TEST_PROGRAM" "$@"; }; ` + shown.Reproduce + " " + strings.Join(more, " "))
}

func (v *victim) shell(line string) *exec.Cmd {
	cmd := v.command()
	sh := exec.Command("sh", "-c", line)
	sh.Dir, sh.Env = cmd.Dir, append(cmd.Env, "FANOUT_TEST_PROGRAM="+cmd.Path)
	return sh
}

// The line that show prints executes an attempt again by itself, with the values, the
// files and the rows that it was fed, and its cells put out the same; from a folder and
// from a bucket. It leaves only the notebook.
func TestReproduceFed(t *testing.T) {
	for name, bucket := range map[string]bool{"folder": false, "bucket": true} {
		t.Run(name, func(t *testing.T) {
			v, where := stepsVictim(t, ""), "victim.sweep"
			if bucket {
				where = storetest.S3(t).Where("victim")
			}
			v.ok(t, "run", "--no-progress", "sweep.yaml", "-o", where)
			at := where
			if !bucket {
				at = filepath.Join(v.dir, where)
			}
			s := openAt(t, at)
			fed := 0
			for _, st := range s.Runs() {
				if len(s.Needed(st.Run.ID)) == 0 {
					continue
				}
				fed++
				if out, err := v.reproduce(t, where, st.Run.ID).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				want, err := s.Object(t.Context(), sweep.AttemptKey(st.Run.ID, 1))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(outputs(t, want), outputs(t, []byte(read(t, filepath.Join(v.dir, st.Run.ID+".ipynb"))))); d != "" {
					t.Errorf("%s again (-attempt +again):\n%s", s.RunName(st.Run.ID), d)
				}
				if _, err := os.Stat(filepath.Join(v.dir, "upstream")); err == nil {
					t.Error("upstream is left")
				}
			}
			if fed != 9 {
				t.Errorf("%d runs were fed", fed)
			}
			v.refuseToReproduce(t, where, at, bucket)
		})
	}
}

// refuseToReproduce: what an attempt was fed is never taken for what is there now, and
// a folder of the user's own is left alone.
func (v *victim) refuseToReproduce(t *testing.T, where, at string, bucket bool) {
	t.Helper()
	var report string
	for _, st := range openAt(t, at).Runs() {
		if st.Run.Step() == "report" && st.Run.Params[0].Value.Text() == "us" && st.Run.Params[1].Value.String() == "1" {
			report = st.Run.ID
		}
	}
	refused := func(want string) {
		t.Helper()
		out, err := v.reproduce(t, where, report).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %s\nwant %q", err, out, want)
		}
	}
	mine := filepath.Join(v.dir, "upstream", "mine")
	if err := os.MkdirAll(mine, 0o777); err != nil {
		t.Fatal(err)
	}
	refused("the working directory has upstream already")
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	os.RemoveAll(filepath.Dir(mine))
	if out, err := v.reproduce(t, where, report, "--prepare-only").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := read(t, filepath.Join(v.dir, "upstream", "extract", "rows.csv")); got != "row\n" {
		t.Errorf("what was prepared has %q", got)
	}
	os.RemoveAll(filepath.Join(v.dir, "upstream"))

	edited := notebookOf("fake", "python", []string{"region = \"\"\nday = 0", "scrap rows 70\nappend rows.csv other"})
	if err := os.WriteFile(filepath.Join(v.dir, "extract.ipynb"), edited, 0o666); err != nil {
		t.Fatal(err)
	}
	v.ok(t, "rerun", where, "--no-progress", "--update", "--only", `run_step == "extract" && region == "us" && day == 1`)
	refused("what report region=us day=1 was fed is not there any more: since then extract region=us day=1 left something else")
	if bucket {
		return
	}
	os.RemoveAll(filepath.Join(at, "artifacts"))
	v.ok(t, "rerun", where, "--no-progress", "--frozen", "--only", `run_step == "extract" && region == "us" && day == 1`, "--downstream")
	os.RemoveAll(filepath.Join(at, "artifacts"))
	refused("kept rows.csv, which is gone from the sweep")
}

// A failed attempt is reproduced, too, also where an earlier one stands for the run.
func TestReproduceFailed(t *testing.T) {
	v := stepsVictim(t, "")
	v.ok(t, "run", "--no-progress", "sweep.yaml")
	broken := notebookOf("fake", "python", []string{"region = \"\"\nday = 0\nrows = 0\npath = \"\"", "cat $path", "error ValueError $rows"})
	if err := os.WriteFile(filepath.Join(v.dir, "report.ipynb"), broken, 0o666); err != nil {
		t.Fatal(err)
	}
	v.command("run", "--no-progress", "--no-canary", "sweep.yaml").Run()
	s := openAt(t, filepath.Join(v.dir, "victim.sweep"))
	for _, st := range s.Runs() {
		if st.Run.Step() != "report" {
			continue
		}
		if st.Status != outcome.Failed {
			t.Fatalf("%s is %s", s.RunName(st.Run.ID), st.Status)
		}
		out, err := v.reproduce(t, "victim.sweep", st.Run.ID).CombinedOutput()
		if want := "cell 4 raised ValueError: " + st.Run.Params[1].Value.String(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v\n%s\nwant %q", err, out, want)
		}
	}
}
