package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	"internal/outcome":  {"internal/unit"},
	"internal/metric":   {},
	"internal/unit":     {"internal/value"},
	"internal/secret":   {"internal/unit"},
	"internal/lease":    {"internal/store"},
	"internal/diary":    {"internal/store"},
	"internal/firing":   {"internal/diary", "internal/store"},
	"internal/cron":     {"internal/unit"},
	"internal/schedule": {"internal/cron", "internal/firing", "internal/lease", "internal/store", "internal/unit"},
	"internal/pack":     {},
	"internal/glob":     {},
	"internal/scratch":  {},
	"internal/cgroup":   {},
	"internal/turns":    {"internal/unit"},
	"internal/pattern":  {},
	"internal/store":    {"internal/certificate", "internal/pattern"},
	"internal/notebook": {"internal/pattern", "internal/value", "internal/outcome"},
	"templates":         {},

	"internal/notebook/zeppelin": {"internal/notebook"},
	"internal/certificate":       {},

	// Grid and sweep.
	"internal/grid/expr": {"internal/pattern", "internal/value", "internal/unit"},
	"internal/grid":      {"internal/glob", "internal/metric", "internal/pattern", "internal/grid/expr", "internal/value", "internal/unit"},
	"internal/needs":     {},
	"internal/sweep":     {"internal/diary", "internal/needs", "internal/lease", "internal/pack", "internal/grid", "internal/notebook", "internal/store", "internal/value", "internal/outcome", "internal/unit"},
	"internal/page":      {"internal/sweep", "internal/unit", "internal/value"},
	"internal/changes":   {"internal/sweep", "internal/outcome", "internal/unit"},
	"internal/cost":      {"internal/sweep", "internal/outcome", "internal/unit", "internal/value"},
	"internal/due":       {"internal/sweep", "internal/outcome", "internal/unit"},
	"internal/gc":        {"internal/sweep", "internal/outcome"},
	"internal/draft":     {"internal/page", "internal/needs", "internal/glob", "internal/pack", "internal/sweep", "internal/grid", "internal/notebook", "internal/store", "internal/table/frame", "internal/value", "internal/unit"},

	// Machines.
	"internal/kernel/kernelspec": {},
	"internal/kernel":            {"internal/cgroup", "internal/kernel/kernelspec", "internal/unit"},
	"internal/runner":            {"internal/kernel", "internal/notebook", "internal/outcome", "internal/pattern", "internal/secret", "internal/unit"},
	"internal/fan":               {"internal/glob", "internal/sweep", "internal/outcome", "internal/value", "internal/unit"},
	"internal/local":             {"internal/cgroup", "internal/glob", "internal/scratch", "internal/secret", "internal/sweep", "internal/runner", "internal/kernel", "internal/kernel/kernelspec", "internal/notebook", "templates", "internal/value", "internal/outcome", "internal/unit"},
	"internal/nomad":             {"internal/nomad/inside", "internal/certificate", "internal/secret", "internal/cron", "internal/lease", "internal/sweep", "templates", "internal/value", "internal/outcome", "internal/unit"},
	"internal/nomad/inside":      {},
	"internal/metrics":           {"internal/fan", "internal/sweep", "internal/store", "internal/outcome", "internal/unit"},
	"internal/ship":              {"internal/sweep", "internal/outcome", "internal/secret", "internal/unit"},
	"internal/trace":             {"internal/certificate", "internal/sweep", "internal/notebook", "internal/store", "internal/outcome", "internal/unit"},
	"internal/worker":            {"internal/sweep", "internal/store", "internal/outcome", "internal/unit"},

	// Tables and documents.
	"internal/feed":        {"internal/query", "internal/table", "internal/grid/expr", "internal/sweep", "internal/notebook", "internal/store", "internal/value", "internal/outcome", "internal/unit"},
	"internal/lineage":     {"internal/needs", "internal/sweep", "internal/outcome", "internal/unit"},
	"internal/query":       {"internal/sweep", "internal/grid/expr", "internal/value", "internal/outcome", "internal/unit"},
	"internal/listing":     {"internal/query", "internal/sweep", "internal/grid", "internal/value", "internal/outcome", "internal/unit"},
	"internal/table":       {"internal/table/frame", "internal/value"},
	"internal/table/frame": {"internal/unit", "internal/value"},
	"internal/collect":     {"internal/store", "internal/query", "internal/table", "internal/table/frame", "internal/sweep", "internal/notebook", "internal/value", "internal/outcome"},
	"internal/compare":     {"internal/metric", "internal/table", "internal/value", "internal/outcome", "internal/unit"},
	"internal/align":       {"internal/query", "internal/sweep", "internal/notebook", "internal/table/frame", "internal/pattern", "internal/value", "internal/unit"},
	"internal/render":      {"internal/notebook", "internal/table/frame", "internal/pattern", "internal/value", "internal/unit", "templates"},
	"internal/report":      {"internal/changes", "internal/cost", "internal/lineage", "internal/align", "internal/render", "internal/compare", "internal/unit", "internal/sweep", "internal/notebook", "templates", "internal/value", "internal/outcome"},

	"internal/compare/aa":      {"internal/compare", "internal/outcome", "internal/table", "internal/unit"},
	"internal/compare/decide":  {"internal/compare", "internal/table", "internal/value", "internal/unit"},
	"internal/compare/halving": {"internal/metric", "internal/table", "internal/value"},

	"internal/publish": {"internal/notebook/zeppelin", "internal/page", "internal/pattern", "templates", "internal/render", "internal/notebook", "internal/sweep", "internal/query", "internal/store", "internal/unit"},

	// The facade: machines reach it through fan.Executor and app.Machines.
	"internal/app":    {"internal/certificate", "internal/secret", "internal/pattern", "internal/changes", "internal/cost", "internal/publish", "internal/roots", "internal/render", "internal/lineage", "internal/needs", "internal/lease", "internal/value", "internal/outcome", "internal/unit", "internal/store", "internal/notebook", "internal/grid", "internal/sweep", "internal/draft", "internal/fan", "internal/collect", "internal/query", "internal/compare", "internal/compare/aa", "internal/compare/decide", "internal/compare/halving", "internal/align", "internal/report", "internal/due", "internal/gc", "internal/table"},
	"internal/roots":  {"internal/sweep", "internal/store", "internal/unit"},
	"internal/shelf":  {"internal/firing", "internal/grid", "internal/lease", "internal/notebook", "internal/outcome", "internal/query", "internal/roots", "internal/schedule", "internal/store", "internal/sweep", "internal/unit"},
	"internal/serve":  {"internal/notebook/zeppelin", "internal/page", "internal/metrics", "internal/changes", "internal/firing", "internal/schedule", "internal/launch", "internal/lineage", "internal/pattern", "internal/roots", "internal/shelf", "internal/scratch", "internal/app", "internal/compare", "internal/due", "internal/query", "internal/report", "internal/render", "internal/align", "internal/table", "internal/table/frame", "internal/sweep", "internal/lease", "internal/grid", "internal/notebook", "internal/store", "templates", "internal/value", "internal/outcome", "internal/unit"},
	"internal/launch": {"internal/draft", "internal/firing", "internal/lease", "internal/notebook", "internal/outcome", "internal/shelf", "internal/store", "internal/sweep", "internal/unit", "internal/value"},

	// Test helpers that other packages' tests use.
	"internal/fan/fantest":                  {"internal/fan", "internal/sweep", "internal/grid", "internal/notebook", "internal/pack", "internal/store", "internal/value", "internal/outcome"},
	"internal/browsertest":                  {},
	"internal/kernel/kerneltest":            {},
	"internal/kernel/kerneltest/fakekernel": {"internal/kernel/kerneltest"},
	"internal/nomad/nomadtest":              {},
	"internal/store/storetest":              {},
	"internal/sweep/sweeptest":              {"internal/sweep", "internal/outcome"},
}

type dependency struct {
	path  string // of a module, or of several by one owner
	homes []string
	why   string
}

// dependencies are the third-party modules and the packages that alone may
// import them: one each, so that a library can be replaced in one place. More
// than one home needs a reason as good as a single one has.
var dependencies = []dependency{
	{"go.yaml.in/yaml", in("internal/grid/internal/yaml"), "the sweep file is read in one place, with positions"},
	{"github.com/expr-lang/expr", in("internal/grid/expr"), "there is one expression language"},
	{"github.com/bmatcuk/doublestar", in("internal/glob"), "there is one dialect of file patterns"},

	{"github.com/prometheus", in("internal/metrics"), "whatever is counted has one form"},

	{"go.opentelemetry.io", in("internal/trace"), "whatever took time has one form"},
	{"google.golang.org/protobuf", in("internal/trace"), "the form in which spans travel"},

	{"github.com/go-zeromq/zmq4", in("internal/kernel"), "sockets are the kernel's business"},
	{"github.com/hashicorp/cronexpr", in("internal/cron"), "a schedule is due at the same moments whatever fires it"},
	{"github.com/hashicorp/nomad/api", in("internal/nomad"), "the executor seam hides the cluster"},
	{"github.com/aws", in("internal/store/internal/s3"), "a store is a store wherever it is"},
	{"golang.org/x/oauth2", in("internal/store/internal/gcs"), "a store is a store wherever it is"},

	{"github.com/apache/arrow", in("internal/table"), "others see tables, not Arrow"},
	{"github.com/parquet-go/parquet-go", in("internal/table"), "others see tables, not Parquet"},
	{"github.com/andybalholm/brotli", in("internal/table"), "a codec of Parquet pages"},
	{"github.com/pierrec/lz4", in("internal/table"), "a codec of Parquet pages"},
	{"github.com/klauspost/compress", in("internal/table", "internal/pack"), "codecs of Parquet pages, and the archive of a sweep's files"},

	{"gonum.org/v1/gonum", in("internal/compare/internal/stats"), "statistics are computed in one place"},
	{"golang.org/x/perf", in("internal/compare/internal/stats"), "statistics are computed in one place"},
	{"gonum.org/v1/plot", in("internal/report/internal/picture"), "pictures are drawn in one place"},
	{"golang.org/x/sync", in("internal/report"), "pictures are drawn side by side"},
	{"github.com/yuin/goldmark", in("internal/render"), "foreign text becomes HTML in one place"},
	{"github.com/alecthomas/chroma", in("internal/render"), "foreign text becomes HTML in one place"},
	{"golang.org/x/net", in("internal/render"), "foreign text becomes HTML in one place"},
	{"github.com/dop251/goja", in("internal/render"), "formulas are typeset in one place"},

	{"golang.org/x/text", in("internal/secret"), "a secret is the same however its characters are composed"},
	{"github.com/charmbracelet/x/ansi", in("internal/unit"), "foreign text is cleaned, and measured for a terminal, in one place"},
	{"github.com/spf13/viper", in("cmd/fanout"), "settings end where the command ends"},
	{"github.com/spf13/cobra", in("cmd/fanout"), "flags end where the command ends"},
	{"github.com/spf13/pflag", in("cmd/fanout"), "flags end where the command ends"},
	{"charm.land/bubbletea", in("cmd/fanout"), "the terminal belongs to the command"},
	{"golang.org/x/term", in("cmd/fanout"), "the terminal belongs to the command"},

	{"golang.org/x/sys", in("internal/kernel", "internal/local", "internal/store", "internal/turns"), "processes, this machine's memory and file locks are each the system's"},
	{"github.com/go-json-experiment/json", in("internal/kernel", "internal/runner", "internal/sweep"), "messages, outputs and the log are read as they stream"},

	{"github.com/google/licensecheck", in("packaging"), "what we ship is licensed as we have decided"},

	// For tests. Helpers that are packages of their own are homes, too.
	{"github.com/johannesboyne/gofakes3", in("internal/store/storetest"), "a bucket for tests"},
	{"github.com/fsouza/fake-gcs-server", testsOnly, "a bucket for tests"},
	{"github.com/chromedp", in("internal/browsertest"), "a browser looks at the pages"},
	{"github.com/google/go-cmp", testsOnly, "differences are readable"},
	{"github.com/rogpeppe/go-internal", testsOnly, "scripts test the command"},
	{"github.com/santhosh-tekuri/jsonschema", testsOnly, "an oracle for the schema of the sweep file"},
	{"pgregory.net/rapid", testsOnly, "laws hold for generated values"},
}

func in(homes ...string) []string { return homes }

// testsOnly are the homes of a module that no code imports except tests.
var testsOnly []string

const (
	maxFileLines    = 700 // what one reader keeps in mind
	maxPackageLines = 2500
	maxTrackedBytes = 1_000_000
)

// tooLong are the files over maxFileLines and tooLarge the packages over
// maxPackageLines: they may shrink, and leave the list as soon as they fit.
var tooLong = map[string]int{}

var tooLarge = map[string]int{
	"cmd/fanout": 3650,
}

// heavy are the tracked files over maxTrackedBytes, and why each is worth its
// weight in every clone.
var heavy = map[string]string{
	"templates/vendor/plotly.min.js.gz": "figures of every kind are drawn without a network",
}

// TestImports fails on an import of ours that the house does not allow. A
// package beneath another's internal folder may import what its owner may; the
// compiler says who may import it.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		if p.dir == "internal" || isProgram(p.dir) {
			continue
		}
		owner := ownerOf(p.dir)
		allowed, known := mayImport[owner]
		if !known {
			t.Errorf("%s has no room in the house: add it to mayImport, with what it may import", owner)
			continue
		}
		for _, path := range p.Imports {
			ours, isOurs := strings.CutPrefix(path, module)
			if isOurs && !within(ours, owner) && ours == ownerOf(ours) && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s: the house lets it import only %v", p.dir, ours, allowed)
			}
		}
	}
}

// TestDependencies fails on a third-party import away from its home, and where
// the list of homes and go.mod differ.
func TestDependencies(t *testing.T) {
	used := map[string]bool{} // "dependency home"
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			if !isThirdParty(path) {
				continue
			}
			d := dependencyOf(path)
			home := slices.IndexFunc(d.homes, func(h string) bool { return within(p.dir, h) })
			switch {
			case d.path == "":
				t.Errorf("%s imports %s, which has no home: add it to dependencies, with why", p.dir, path)
			case len(d.homes) == 0:
				t.Errorf("%s imports %s, which is for tests only: %s", p.dir, path, d.why)
			case home < 0:
				t.Errorf("%s imports %s, whose only home is %s: %s", p.dir, path, strings.Join(d.homes, ", "), d.why)
			default:
				used[d.path+" "+d.homes[home]] = true
			}
		}
	}
	for _, d := range dependencies {
		for _, home := range d.homes {
			if !used[d.path+" "+home] {
				t.Errorf("%s no longer imports %s: take that home from the list", home, d.path)
			}
		}
	}
	for _, path := range directRequirements(t) {
		if dependencyOf(path).path == "" {
			t.Errorf("go.mod requires %s, which has no home: add it to dependencies, with why", path)
		}
	}
}

// dependencyOf finds the dependency that a module or package belongs to; its
// path is empty if there is none.
func dependencyOf(path string) dependency {
	i := slices.IndexFunc(dependencies, func(d dependency) bool { return within(path, d.path) })
	if i < 0 {
		return dependency{}
	}
	return dependencies[i]
}

// directRequirements are the modules that go.mod requires for code of ours.
func directRequirements(t *testing.T) []string {
	out, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(root, "go.mod")).Output()
	if err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("decode go.mod: %v", err)
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	return direct
}

// TestLines fails on a file or a package too large to be read in one go.
func TestLines(t *testing.T) {
	files, dirs := map[string]int{}, map[string]int{}
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
			file := p.dir + "/" + name
			n := countLines(t, file)
			files[file] = n
			if !strings.HasSuffix(name, "_test.go") {
				dirs[p.dir] += n
			}
		}
	}
	checkLines(t, files, maxFileLines, tooLong, "cut it where the subject changes")
	checkLines(t, dirs, maxPackageLines, tooLarge, "give a part of it a package of its own")
}

func checkLines(t *testing.T, lines map[string]int, most int, exempt map[string]int, advice string) {
	for path, n := range lines {
		limit, isExempt := exempt[path]
		switch {
		case !isExempt && n > most:
			t.Errorf("%s has %d lines, and %d is the limit: %s", path, n, most, advice)
		case n > limit && n > most:
			t.Errorf("%s has grown from %d lines to %d, and %d is the limit: %s", path, limit, n, most, advice)
		}
	}
	for path := range exempt {
		if lines[path] <= most {
			t.Errorf("%s has %d lines and fits: take it from the list of exemptions", path, lines[path])
		}
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// countLines counts the lines that a person wrote.
func countLines(t *testing.T, file string) int {
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if generated.Match(b) {
		return 0
	}
	return bytes.Count(b, []byte("\n"))
}

// TestTrackedFiles fails on a large file in the repository, such as a binary
// built in its root.
func TestTrackedFiles(t *testing.T) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("not a clone: git cannot list the tracked files")
	}
	git := exec.Command("git", "ls-files", "-z")
	git.Dir = root
	out, err := git.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("git is not on PATH: it lists the tracked files")
	}
	if err != nil {
		t.Fatalf("list tracked files: %v", err)
	}
	for file := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		st, err := os.Lstat(filepath.Join(root, file))
		if err != nil {
			continue // deleted and not yet committed
		}
		_, listed := heavy[file]
		switch {
		case st.Size() > maxTrackedBytes && !listed:
			t.Errorf("%s has %d bytes, and every clone pays for it: ignore it, or list it in heavy with a reason", file, st.Size())
		case st.Size() <= maxTrackedBytes && listed:
			t.Errorf("%s has %d bytes and fits: take it from heavy", file, st.Size())
		}
	}
}

// within reports whether path is top or beneath it; versions count as beneath.
func within(path, top string) bool {
	return path == top || strings.HasPrefix(path, top+"/")
}

// isThirdParty tells a module's path, which begins with a domain, from the
// standard library's and from ours.
func isThirdParty(path string) bool {
	domain, _, _ := strings.Cut(path, "/")
	return strings.Contains(domain, ".") && !within(path, strings.TrimSuffix(module, "/"))
}

// isProgram reports whether dir is a program's, which may import everything.
func isProgram(dir string) bool {
	return within(dir, "cmd") || within(dir, "bench") || within(dir, "packaging") || strings.Contains(dir, "/testdata/")
}

// ownerOf is the package whose internal folder dir is in, or dir itself.
func ownerOf(dir string) string {
	owner, _, _ := strings.Cut(dir, "/internal/")
	return owner
}

// A folder is one package and where it is, from the root.
type folder struct {
	dir string
	*build.Package
}

const root = ".."

// packages lists the packages of the module.
func packages(t *testing.T) []folder {
	var found []folder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); name != root && strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if _, none := err.(*build.NoGoError); none && len(pkg.IgnoredGoFiles) == 0 {
			return nil
		} else if err != nil && !none {
			return err
		}
		for _, name := range pkg.IgnoredGoFiles { // of other systems
			pkg.Imports = append(pkg.Imports, importsOf(t, filepath.Join(path, name))...)
		}
		dir, err := filepath.Rel(root, path)
		found = append(found, folder{filepath.ToSlash(dir), pkg})
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

// machinePackages execute runs. One file of the command names them, so that
// adding one is a package and a line.
var machinePackages = []string{"internal/kernel", "internal/runner", "internal/local", "internal/nomad"}

// TestExecutors fails when another file of the command names a machine.
func TestExecutors(t *testing.T) {
	for _, p := range packages(t) {
		if !within(p.dir, "cmd/fanout") {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
			if p.dir == "cmd/fanout" && name == "executors.go" {
				continue
			}
			for _, path := range importsOf(t, filepath.Join(root, p.dir, name)) {
				if slices.ContainsFunc(machinePackages, func(m string) bool { return within(path, module+m) }) {
					t.Errorf("%s/%s imports %s: executors.go is the one place that names machines", p.dir, name, path)
				}
			}
		}
	}
}

// importsOf are the paths that a file imports.
func importsOf(t *testing.T, file string) []string {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, imported := range parsed.Imports {
		paths = append(paths, strings.Trim(imported.Path.Value, `"`))
	}
	return paths
}
