package glob

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plant writes empty files into a new folder.
func plant(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFiles(t *testing.T) {
	dir := plant(t, "top.csv", "data/x.csv", "data/x.txt", "data/.hidden.csv", "data/a/x.csv", "data/a/b/x.csv", "data/.b/x.csv", "data/[1]/x.csv", "data/a-b/x.csv")
	for _, c := range []struct{ pattern, want string }{
		{"data/**/*.csv", "data/.hidden.csv data/x.csv data/.b/x.csv data/[1]/x.csv data/a/x.csv data/a/b/x.csv data/a-b/x.csv"},
		{"data/a/**", "data/a/b/x.csv data/a/x.csv"},
		{"**/b/*", "data/a/b/x.csv"},
		{"*.csv", "top.csv"},
		{"./*.csv", "top.csv"},
		{"data/*.csv", "data/.hidden.csv data/x.csv"},
		{"data/*", "data/.hidden.csv data/x.csv data/x.txt"},
		{"data/x.{csv,txt}", "data/x.csv data/x.txt"},
		{"data/?/x.csv", "data/a/x.csv"},
		{"data/[ab]*/x.csv", "data/a/x.csv data/a-b/x.csv"},
		{`data/\[1\]/x.csv`, "data/[1]/x.csv"},
		{"data/x.csv", "data/x.csv"},
		{"data", ""}, // a folder is not a file
		{"none/**", ""},
		{"data/**/*.parquet", ""},
		{"data/a/../x.csv", "data/x.csv"},
		{"data/a/**/**", "data/a/b/x.csv data/a/x.csv"},
	} {
		got, err := Files(dir, c.pattern)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, %v, want %s", c.pattern, got, err, c.want)
		}
	}
}

func TestTree(t *testing.T) {
	dir := plant(t, "data/x.csv", "data/a/x.csv", "data/a/.b/y.txt", "other/x.csv")
	for pattern, want := range map[string]string{
		"data":       "data/a/.b/y.txt data/a/x.csv data/x.csv",
		"data/":      "data/a/.b/y.txt data/a/x.csv data/x.csv",
		"data/*":     "data/x.csv data/a/.b/y.txt data/a/x.csv",
		"data/x.csv": "data/x.csv",
		"data/**":    "data/a/.b/y.txt data/a/x.csv data/x.csv",
		"none":       "",
	} {
		got, err := Tree(dir, pattern)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v, want %s", pattern, got, err, want)
		}
	}
}

func TestFilesElsewhere(t *testing.T) {
	dir := plant(t, "sweep/s.yaml", "data/a/x.csv")
	abs := filepath.Join(dir, "data", "**")
	for pattern, want := range map[string]string{abs: filepath.Join(dir, "data/a/x.csv"), "../data/**": "../data/a/x.csv"} {
		got, err := Files(filepath.Join(dir, "sweep"), pattern)
		if d := cmp.Diff([]string{want}, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", pattern, err, d)
		}
	}
}

// Links are followed, and one that leads back up ends the search there.
func TestLinks(t *testing.T) {
	dir := plant(t, "data/a/x.csv", "far/y.csv")
	for link, to := range map[string]string{"data/far": "../far", "data/a/up": "..", "data/self": ".", "data/z.csv": "../far/y.csv", "data/gone.csv": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	got, err := Files(dir, "data/**/*.csv")
	if d := cmp.Diff([]string{"data/gone.csv", "data/z.csv", "data/a/x.csv", "data/far/y.csv"}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestSearchIsBounded(t *testing.T) {
	defer func(before int) { maxLooked = before }(maxLooked)
	maxLooked = 3
	dir := plant(t, "a/1", "a/2", "b/1", "b/2", "c/1")
	if _, err := Files(dir, "**"); err == nil || !strings.Contains(err.Error(), "more than 3 files") {
		t.Errorf("error is %v", err)
	}
	if got, err := Files(dir, "a/*"); len(got) != 2 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.csv", "x.csv", true},
		{"*.csv", ".csv", true},
		{"*.csv", "a/x.csv", false},
		{"./out/*", "out/x", true},
		{"out/**", "out/a/b/x", true},
		{"out/**/x", "out/x", true},
		{"out/**", "outer/x", false},
		{"{a,b/c}/*", "b/c/x", true},
		{"[", "[", false},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%s, %s) = %v", c.pattern, c.name, got)
		}
	}
}
