package collect

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stackFiles stacks Parquet files as if each were the frame of a run.
func stackFiles(t testing.TB, paths []string) (*Result, []Problem) {
	t.Helper()
	g, err := newGatherer(Options{TempDir: t.TempDir()}, false)
	if err != nil {
		t.Fatal(err)
	}
	var bad []Problem
	for k, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e := &entry{id: strings.TrimSuffix(filepath.Base(path), ".parquet"), status: "succeeded", params: []bound{{"i_param", k}}}
		frame, piece, err := decodeFrame([]byte(`"`+encode64(raw)+`"`), g.spool)
		if err != nil {
			bad = append(bad, Problem{Run: e.id, Detail: err.Error()})
		} else {
			e.items = []item{{name: "frame", encoder: "pandas", frame: frame, piece: piece}}
		}
		if err := g.add(e); err != nil {
			t.Fatal(err)
		}
	}
	r, err := g.finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, bad
}

// written is every file of a result.
func written(t testing.TB, r *Result) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	names, err := r.Write(t.Context(), func(name string, write func(io.Writer) error) error {
		var b bytes.Buffer
		err := write(&b)
		files[name] = b.Bytes()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(files) {
		t.Errorf("%d names for %d files: %v", len(names), len(files), names)
	}
	return files
}

func TestStackAgreesWithPyarrow(t *testing.T) {
	dir := t.TempDir()
	runPython(t, "frames.py", "make", dir)
	paths, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d frames, %v", len(paths), err)
	}
	r, bad := stackFiles(t, paths)
	if len(bad) > 0 {
		t.Fatalf("%v", bad)
	}
	files := written(t, r)
	if err := os.WriteFile(filepath.Join(dir, "out.parquet"), files["tables/frame.parquet"], 0o600); err != nil {
		t.Fatal(err)
	}
	if out := runPython(t, "frames.py", "check", dir); string(out) != "agreed\n" {
		t.Errorf("%s", out)
	}
	promoted := map[string]bool{}
	for _, p := range r.Table.Problems() {
		if p.Kind == "promoted" {
			promoted[p.Detail] = true
		} else {
			t.Errorf("problem %+v", p)
		}
	}
	if len(promoted) != 2 {
		t.Errorf("promoted: %v, want those of x and y", promoted)
	}
	again, _ := stackFiles(t, paths)
	for name, b := range written(t, again) {
		if !bytes.Equal(b, files[name]) {
			t.Errorf("%s differs the second time", name)
		}
	}
}
