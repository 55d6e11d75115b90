package draft

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// Which files a pattern of `inputs:` watches.
func TestInputsWatch(t *testing.T) {
	day, _ := value.Of("b")
	run := sweep.Run{Params: []value.Binding{{Name: "day", Value: day}}}
	for _, c := range []struct {
		pattern, file string
		want          bool // a change of the file makes the run stale
	}{
		{"data/**/*.csv", "data/a/b/x.csv", true},
		{"data/**/*.csv", "data/x.csv", true},
		{"data/**/*.csv", "data/a/x.txt", false},
		{"data/**", "data/a/b/x.csv", true},
		{"data/**", "data/a/.hidden", true},
		{"data/*/x.csv", "data/a/b/x.csv", false},
		{"data/{day}/**", "data/b/c/x.csv", true},
		{"data/{day}/**", "data/a/c/x.csv", false},
		{"data/{day}.{csv,tsv}", "data/b.tsv", true},
		{"data", "data/a/b/x.csv", true},
		{"data/", "data/a/b/x.csv", true},
		{"data/*", "data/a/b/x.csv", true},
		{"*", "data/a/b/x.csv", true},
		{"*.csv", "data/x.csv", false},
		{"**", "s.sweep/plan/000001.json", false},
		{"other.sweep/results/*", "other.sweep/results/runs.parquet", true},
		{"data/**", "data/.ipynb_checkpoints/x-checkpoint.csv", false},
		{"../*/data/**", "data/a/x.csv", true},
		{"none/**/*.csv", "none/a/x.csv", true}, // a file that appears
	} {
		dir := t.TempDir()
		digest := func() string {
			t.Helper()
			d := &inputDigester{dir: dir, patterns: []string{c.pattern}, seen: map[string][]byte{}, used: map[string]bool{}}
			s, err := d.digest(run)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		before := digest()
		file := filepath.Join(dir, c.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
		appeared := digest()
		if err := os.WriteFile(file, []byte("22"), 0o644); err != nil {
			t.Fatal(err)
		}
		if changed := digest(); (before != appeared) != c.want || (appeared != changed) != c.want {
			t.Errorf("%s and %s: seen when it appears %v, when it changes %v, want %v", c.pattern, c.file, before != appeared, appeared != changed, c.want)
		}
	}
}
