package internal_test

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fanout-dev/fanout/"

// mayImport is the house: which packages of ours a package may import.
// Machines never import each other, and every arrow points towards the leaves.
var mayImport = map[string][]string{
	// Nouns: leaves that know one thing each.
	"internal/value":    {},
	"internal/outcome":  {},
	"internal/unit":     {"internal/value"},
	"internal/store":    {},
	"internal/notebook": {"internal/value", "internal/outcome"},
	"templates":         {},

	// Grid and sweep.
	"internal/grid":  {"internal/value"},
	"internal/sweep": {"internal/grid", "internal/notebook", "internal/store", "internal/value", "internal/outcome"},

	// Machines.
	"internal/kernel": {},
	"internal/runner": {"internal/kernel", "internal/notebook"},
	"internal/fan":    {"internal/sweep", "internal/outcome", "internal/value"},
	"internal/local":  {"internal/sweep", "internal/runner", "internal/kernel", "internal/notebook", "templates", "internal/value", "internal/outcome", "internal/unit"},
	"internal/nomad":  {"internal/sweep", "templates", "internal/value", "internal/outcome"},

	// Tables and documents.
	"internal/collect": {"internal/sweep", "internal/notebook", "internal/value", "internal/outcome"},
	"internal/compare": {"internal/collect"},
	"internal/report":  {"internal/compare", "internal/sweep", "internal/notebook", "templates", "internal/value", "internal/outcome"},

	// Test helpers that other packages' tests use.
	"internal/fan/fantest":                  {"internal/fan", "internal/sweep", "internal/grid", "internal/notebook", "internal/store", "internal/value", "internal/outcome"},
	"internal/kernel/kerneltest":            {},
	"internal/kernel/kerneltest/fakekernel": {"internal/kernel/kerneltest"},
	"internal/nomad/nomadtest":              {},
	"internal/store/storetest":              {},
}

// homes are the packages that alone may import a third-party dependency, and
// why one is enough.
var homes = []struct{ dependency, home, why string }{
	{"go.yaml.in/yaml", "internal/grid", "the sweep file is read in one place, with positions"},
	{"github.com/expr-lang/expr", "internal/grid", "there is one expression language"},
	{"github.com/go-zeromq/zmq4", "internal/kernel", "sockets are the kernel's business"},
	{"github.com/apache/arrow", "internal/collect", "others see tables, not Arrow"},
	{"github.com/parquet-go/parquet-go", "internal/collect", "others see tables, not Parquet"},
	{"github.com/hashicorp/nomad/api", "internal/nomad", "the executor seam hides the cluster"},
	{"gocloud.dev", "internal/store", "a store is a store wherever it is"},
	{"github.com/aws", "internal/store", "a store is a store wherever it is"},
	{"cloud.google.com/go", "internal/store", "a store is a store wherever it is"},
	{"google.golang.org/api", "internal/store", "a store is a store wherever it is"},
	{"github.com/googleapis/gax-go", "internal/store", "a store is a store wherever it is"},
	{"github.com/johannesboyne/gofakes3", "internal/store", "a server for tests of what is kept in buckets"},
	{"gonum.org/v1/plot", "internal/report", "pictures are part of the report"},
	{"gonum.org/v1/gonum", "internal/compare", "statistics are computed in one place"},
	{"golang.org/x/sync", "internal/report", "pictures are drawn side by side"},
	{"golang.org/x/perf", "internal/compare", "statistics are computed in one place"},
	{"github.com/yuin/goldmark", "internal/report", "the page is the report's"},
	{"github.com/chromedp", "internal/report", "a test looks at the page"},
	{"github.com/spf13/viper", "cmd/fanout", "settings end where the command ends"},
	{"github.com/spf13/cobra", "cmd/fanout", "flags end where the command ends"},
	{"charm.land/bubbletea", "cmd/fanout", "the terminal belongs to the command"},
}

// TestHouse fails on an import that the house does not allow.
func TestHouse(t *testing.T) {
	for dir, imports := range importsOfPackages(t) {
		allowed, known := mayImport[dir]
		if dir == "internal" {
			continue // this test
		}
		if !known && !strings.HasPrefix(dir, "cmd/") && !isNested(dir) {
			t.Errorf("%s has no room in the house: add it to mayImport, with who may import it", dir)
			continue
		}
		for _, path := range imports {
			checkOurs(t, dir, path, allowed)
			checkHome(t, dir, path)
		}
	}
}

func checkOurs(t *testing.T, dir, path string, allowed []string) {
	ours, isOurs := strings.CutPrefix(path, module)
	if !isOurs || strings.HasPrefix(dir, "cmd/") || within(ours, dir) || isNested(dir) || isNested(ours) {
		return
	}
	if !slices.ContainsFunc(allowed, func(a string) bool { return ours == a }) {
		t.Errorf("%s imports %s: the house lets it import only %v", dir, ours, allowed)
	}
}

func checkHome(t *testing.T, dir, path string) {
	for _, h := range homes {
		if within(path, h.dependency) && !within(dir, h.home) {
			t.Errorf("%s imports %s, whose only home is %s: %s", dir, path, h.home, h.why)
		}
	}
}

// within reports whether path is root or beneath it; versions count as beneath.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// The compiler keeps nested internal packages among their own.

// isNested reports whether dir is an internal package of one of ours, or a
// program among its tests.
func isNested(dir string) bool {
	return strings.Contains(strings.TrimPrefix(dir, "internal/"), "/internal/") || strings.Contains(dir, "/testdata/") || strings.HasPrefix(dir, "bench")
}

// importsOfPackages maps each package's folder to what its code imports, tests
// left out.
func importsOfPackages(t *testing.T) map[string][]string {
	found := map[string][]string{}
	root := ".."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); name != ".." && strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if _, none := err.(*build.NoGoError); none {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		found[filepath.ToSlash(rel)] = pkg.Imports
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no packages found")
	}
	return found
}

// TestWords keeps the tree free of packages that are not a word of the
// sentence.
func TestWords(t *testing.T) {
	for _, name := range []string{"util", "utils", "common", "types", "models", "helpers", "manager", "service", "pkg", "mocks"} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("internal/%s: give its contents a home in a package that is a word of the sentence", name)
		}
	}
}
