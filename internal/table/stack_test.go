package table

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/table/frame"
)

// stackFiles stacks Parquet files as if each were the frame of a run.
func stackFiles(t testing.TB, paths []string) (written []byte, problems []Problem) {
	t.Helper()
	s := &Stack{Name: "frame"}
	var rows [][]any
	for k, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		run := strings.TrimSuffix(filepath.Base(path), ".parquet")
		rows = append(rows, []any{run, k})
		checked, err := frame.Check(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		s.Add(run, k, checked, io.NewSectionReader(bytes.NewReader(file), 0, int64(len(file))))
	}
	runs, err := Build([]ColumnSpec{{Name: "run_id"}, {Name: "i_param", Role: RoleParameter}}, rows)
	if err != nil {
		t.Fatal(err)
	}
	problems = s.Resolve(runs)
	var b bytes.Buffer
	broken, err := s.Write(&b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), append(problems, broken...)
}

func TestStackAgreesWithPyarrow(t *testing.T) {
	dir := t.TempDir()
	runPython(t, "frames.py", "make", dir)
	paths, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d frames, %v", len(paths), err)
	}
	written, problems := stackFiles(t, paths)
	if err := os.WriteFile(filepath.Join(dir, "out.parquet"), written, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := runPython(t, "frames.py", "check", dir); string(out) != "agreed\n" {
		t.Errorf("%s", out)
	}
	promoted := map[string]bool{}
	for _, p := range problems {
		if p.Kind == "promoted" {
			promoted[p.Detail] = true
		} else {
			t.Errorf("problem %+v", p)
		}
	}
	if len(promoted) != 2 {
		t.Errorf("promoted: %v, want those of x and y", promoted)
	}
	if again, _ := stackFiles(t, paths); !bytes.Equal(again, written) {
		t.Error("the stack differs the second time")
	}
}

func TestBrokenFramesAreProblemsInTheirOrder(t *testing.T) {
	s := &Stack{Name: "frame"}
	var rows [][]any
	var want []string
	for k := range 40 {
		run := string(rune('A' + k))
		want, rows = append(want, run), append(rows, []any{run})
		s.Add(run, k, &frame.Summary{Rows: portionRows}, io.NewSectionReader(strings.NewReader("broken"), 0, 6))
	}
	runs, err := Build([]ColumnSpec{{Name: "run_id"}}, rows)
	if err != nil {
		t.Fatal(err)
	}
	s.Resolve(runs)
	problems, err := s.Write(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Run)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
