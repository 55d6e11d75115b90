package local_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// many are files enough that they are not copied where an overlay can be mounted.
func many(more map[string]string) map[string]string {
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("many/%d.txt", i)] = "x"
	}
	for name, text := range more {
		files[name] = text
	}
	return files
}

// mountless makes folders for a test that no overlay can be mounted of.
func mountless(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a:b")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
}

// snapshot is the content of every file beneath dir, except of the sweep.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "test.sweep" {
			return filepath.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(file)
		rel, _ := filepath.Rel(dir, file)
		files[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestRunsWriteOnlyInTheirOwnFolder: whatever a run writes to is its own, however
// its folder is made; what others read stays as it was.
func TestRunsWriteOnlyInTheirOwnFolder(t *testing.T) {
	beside := map[string]string{
		"tmp.csv": "old\n", "out/x.csv": "old\n", "deep/er/y.csv": "old\n", "lib/used.txt": "edited since\n", "frozen.txt": "edited since\n",
	}
	bundle := map[string]string{"lib/used.txt": "frozen\n", "frozen.txt": "frozen\n"}
	cells := []string{
		"append tmp.csv $x\nappend out/x.csv $x\nappend deep/er/y.csv $x\nappend lib/used.txt $x\nappend frozen.txt $x\nappend out/new.csv $x\nappend new.csv $x",
		"cat tmp.csv\ncat out/x.csv\ncat deep/er/y.csv\ncat lib/used.txt\ncat frozen.txt\ncat out/new.csv\ncat new.csv",
	}
	for name, tc := range map[string]struct {
		files map[string]string
		mount bool
	}{
		"few files": {beside, true}, "many files": {many(beside), true}, "many files where nothing can be mounted": {many(beside), false},
	} {
		t.Run(name, func(t *testing.T) {
			if !tc.mount {
				mountless(t)
			}
			p := settle(t, "fake", sweep.Recipe{Keep: []string{"*.csv"}}, tc.files, bundle, 3, cells...)
			before := snapshot(t, p.dir)
			p.execute(t, local.Options{Jobs: 1})
			for i, st := range p.Runs() {
				if st.Status != outcome.Succeeded {
					t.Fatalf("run %d: %+v", i, st.Last)
				}
				own := fmt.Sprintf("%d\n", i)
				want := strings.Repeat("old\n"+own, 3) + strings.Repeat("frozen\n"+own, 2) + own + own
				if diff := cmp.Diff(want, p.printed(t, i)[3]); diff != "" {
					t.Errorf("run %d: %s", i, diff)
				}
				kept := snapshot(t, filepath.Join(p.dir, "test.sweep", "artifacts", st.Run.ID))
				old := "old\n" + own
				if diff := cmp.Diff(map[string]string{"tmp.csv": old, "out/x.csv": old, "deep/er/y.csv": old, "out/new.csv": own, "new.csv": own}, kept); diff != "" {
					t.Errorf("run %d: kept %s", i, diff)
				}
			}
			if diff := cmp.Diff(before, snapshot(t, p.dir)); diff != "" {
				t.Errorf("the template's folder has changed: %s", diff)
			}
		})
	}
}

// TestRunsOfPythonWriteOnlyInTheirOwnFolder: the same, of forked and of fresh
// kernels.
func TestRunsOfPythonWriteOnlyInTheirOwnFolder(t *testing.T) {
	python := kerneltest.Python(t)
	cell := `
import glob, os, sqlite3
open("tmp.csv", "w").write(str(x))
db = sqlite3.connect("my.db"); db.execute("create table if not exists t (x)"); db.execute("insert into t values (?)", (x,)); db.commit()
os.makedirs("out", exist_ok=True); os.replace("tmp.csv", "out/x.csv"); os.remove("gone.txt")
print(open("out/x.csv").read(), db.execute("select x from t").fetchall(), os.path.exists("gone.txt"), len(glob.glob("many/*")), glob.glob("*.sweep"))`
	for _, warm := range []string{"", "off"} {
		for _, files := range []map[string]string{{}, many(nil)} {
			t.Run(fmt.Sprintf("warm=%s,files=%d", warm, len(files)), func(t *testing.T) {
				files["tmp.csv"], files["out/x.csv"], files["gone.txt"] = "old", "old", "here"
				p := settle(t, "python3", sweep.Recipe{}, files, nil, 3, cell)
				before := snapshot(t, p.dir)
				n := p.execute(t, local.Options{Jobs: 2, Warm: warm, Environ: venvEnv(t, python)})
				for i := range p.Runs() {
					want := fmt.Sprintf("%d [(%d,)] False %d []\n", i, i, len(files)/43*40)
					if got := p.printed(t, i)[2]; got != want {
						t.Errorf("run %d printed %q, want %q: %+v", i, got, want, p.Runs()[i].Last)
					}
				}
				if diff := cmp.Diff(before, snapshot(t, p.dir)); diff != "" {
					t.Errorf("the template's folder has changed: %s", diff)
				}
				words := strings.Join(n.of(sweep.NoteWord), "\n")
				if want := `such as my.db and out/x.csv; to keep them: keep: ["*.db","*.csv"]`; strings.Count(words, want) != 1 {
					t.Errorf("people are told %q", words)
				}
			})
		}
	}
}

// TestLargeFilesAreShared: a file that is too large to be copied can be read, and
// writing to it does not go unsaid.
func TestLargeFilesAreShared(t *testing.T) {
	mountless(t)
	p := settle(t, "fake", sweep.Recipe{}, map[string]string{"small.txt": "small"}, nil, 2, "cat small.txt", "when $x 1 append large.bin x")
	large := filepath.Join(p.dir, "large.bin")
	if err := os.WriteFile(large, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 100e6); err != nil {
		t.Fatal(err)
	}
	n := p.execute(t, local.Options{Jobs: 1})
	words := n.of(sweep.NoteWord)
	if want := large + " was written to, and all runs share it"; len(words) != 2 || !strings.HasPrefix(words[1], want) {
		t.Errorf("people are told %q", words)
	}
}

// hostileFiles is a cell that leaves files that cannot be kept, and one whose name
// is that of a folder in the other attempt.
const hostileFiles = `
import os
out, first = os.environ['FANOUT_OUTPUT_DIR'], os.environ['FANOUT_ATTEMPT'] == '1'
open(out + '/fine', 'w').write(str(x))
open(out.encode() + b'/bad\xff', 'w').close()
open(out + '/closed', 'w').close()
os.chmod(out + '/closed', 0)
if first == (x == 0):
    open(out + '/turn', 'w').write('a file')
else:
    os.makedirs(out + '/turn/deep')
    open(out + '/turn/deep/y', 'w').write('in a folder')
assert not first
`

// TestFilesThatCannotBeKept: they are a problem of the run; all else is kept, and
// the sweep goes on.
func TestFilesThatCannotBeKept(t *testing.T) {
	python := kerneltest.Python(t)
	p := settle(t, "python3", sweep.Recipe{}, nil, nil, 2, hostileFiles)
	for range 2 {
		p.execute(t, local.Options{Jobs: 1, Environ: venvEnv(t, python)})
	}
	for i, st := range p.Runs() {
		if st.Status != outcome.Succeeded || st.Attempts != 2 {
			t.Fatalf("run %d: %d attempts, %+v", i, st.Attempts, st.Last)
		}
		want := "bad\uFFFD (its name is not UTF-8)"
		if os.Getuid() != 0 { // who may read everything
			want += " and closed (closed: permission denied)"
		}
		if got := st.BestOut.Unkept; got != "these files could not be kept: "+want {
			t.Errorf("run %d: %q", i, got)
		}
		kept := snapshot(t, filepath.Join(p.dir, "test.sweep", "artifacts", st.Run.ID))
		wanted := map[string]string{"fine": fmt.Sprint(i)}
		if i == 0 {
			wanted["turn/deep/y"] = "in a folder"
		} else {
			wanted["turn"] = "a file"
		}
		if os.Getuid() == 0 {
			wanted["closed"] = ""
		}
		if diff := cmp.Diff(wanted, kept); diff != "" {
			t.Errorf("run %d: kept %s", i, diff)
		}
	}
}

// TestUntouchedFoldersAreUsedAgain: a run that leaves its folder as it was leaves it to
// the next one; what any other has done, nobody sees.
func TestUntouchedFoldersAreUsedAgain(t *testing.T) {
	python := kerneltest.Python(t)
	p := settle(t, "python3", sweep.Recipe{}, map[string]string{"input.txt": "in"}, nil, 16, `
import os, tempfile
here = os.getcwd()
print(open("input.txt").read(), sorted(os.listdir()), os.listdir(os.environ["FANOUT_OUTPUT_DIR"]), os.listdir(tempfile.gettempdir()), here)
was = os.stat("input.txt")
if x % 8 == 1: open("input.txt", "w").write("xx"); os.utime("input.txt", ns=(was.st_atime_ns, was.st_mtime_ns))
if x % 8 == 3: open("new.txt", "w").close()
if x % 8 == 5: open(os.path.join(tempfile.gettempdir(), "left"), "w").close()
if x % 8 == 7: open(os.path.join(os.environ["FANOUT_OUTPUT_DIR"], "kept"), "w").close()`)
	p.execute(t, local.Options{Jobs: 1, Environ: venvEnv(t, python)})
	touched, again := map[string]bool{}, 0
	places := map[string]bool{}
	for i, st := range p.Runs() {
		if st.Status != outcome.Succeeded {
			t.Fatalf("run %d: %+v", i, st.Last)
		}
		text := strings.TrimSpace(p.printed(t, i)[2])
		what, here, _ := strings.Cut(text, " /")
		if what != "in ['input.txt'] [] []" {
			t.Errorf("run %d sees %s", i, what)
		}
		if touched[here] {
			t.Errorf("run %d is where another has written", i)
		}
		if places[here] {
			again++
		}
		places[here], touched[here] = true, i%2 == 1
	}
	if again < 6 {
		t.Errorf("only %d of 16 runs were where another had been: %v", again, places)
	}
}
