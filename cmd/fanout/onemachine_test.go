package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// machine is a machine as docs/one-machine.md has it: a folder in place of
// /srv/sales, seven weeks in place of 400 days, and the commands of the page, of
// which every one is to be executed.
type machine struct {
	t    *testing.T
	dir  string
	left map[string]bool // commands of the page that were not executed yet
}

var (
	sourceRE  = regexp.MustCompile("(?s)```(yaml|json)\n(.*?)```")
	commandRE = regexp.MustCompile("(?m)^    (.*\\bfanout .*)$|`(fanout [^`]+)`")
)

// onePage reads the page: its sweep file, its notification and its commands.
func onePage(t *testing.T) (m *machine, page, spec, news string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "one-machine.md"))
	if err != nil {
		t.Fatal(err)
	}
	m = &machine{t: t, dir: t.TempDir(), left: map[string]bool{}}
	page = strings.NewReplacer("/srv/sales", m.dir, "/usr/local/bin/fanout", "fanout",
		"from: 2025-01-01", "from: 2025-05-20", "2025-03-09", "2025-05-25", "2026-02-06", "2025-07-08").Replace(string(text))
	for _, block := range sourceRE.FindAllStringSubmatch(page, -1) {
		if block[1] == "yaml" {
			spec = block[2]
		} else {
			news = block[2]
		}
	}
	for _, c := range commandRE.FindAllStringSubmatch(page, -1) {
		m.left[c[1]+c[2]] = true
	}
	return m, page, spec, news
}

func (m *machine) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

// shell executes a line as cron does: with nearly no environment. asOf is the
// day that a plan is made on.
func (m *machine) shell(line, asOf string) (code int, words string) {
	m.t.Helper()
	if asOf != "" {
		line = strings.Replace(line, "sales.yaml", "sales.yaml --as-of "+asOf, 1)
	}
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir = m.dir
	cmd.Env = []string{"PATH=" + filepath.Join(m.dir, "bin") + ":/usr/bin:/bin", "HOME=" + filepath.Join(m.dir, "home"), "FANOUT_JOBS=2"}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() < 0 {
		m.t.Fatalf("%s: %v", line, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// page executes a command of the page, and demands its exit code and what it says.
func (m *machine) page(command, asOf string, code int, says ...string) {
	m.t.Helper()
	if _, known := m.left[command]; !known {
		m.t.Errorf("the page has no command %s", command)
	}
	m.left[command] = false
	m.demand(command, asOf, code, says...)
}

func (m *machine) demand(command, asOf string, code int, says ...string) {
	m.t.Helper()
	got, words := m.shell(command, asOf)
	if got != code {
		m.t.Errorf("%s: exit code %d, want %d", command, got, code)
	}
	for _, want := range says {
		if !strings.Contains(words, want) {
			m.t.Errorf("%s does not say %q:\n%s", command, want, words)
		}
	}
}

// notebook writes the template. The day of a cell is one that stays broken.
func (m *machine) notebook(cells ...string) {
	all := append([]string{"day = \"2025-01-01\""}, cells...)
	m.write("sales.ipynb", string(notebookOf("fake", "python", append(all, "scrap orders 12"))), 0o666)
}

// Every command of the page for one machine does what the page says of it.
func TestOneMachine(t *testing.T) {
	m, page, spec, news := onePage(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.write("bin/fanout", "#!/bin/sh\n"+asFanout+"=1 exec '"+exe+"' \"$@\"\n", 0o777)
	m.write(".venv/bin/python", "", 0o777)
	if err := kerneltest.InstallSpec(filepath.Join(m.dir, ".venv", "share", "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	broken := "when $day 2025-05-25 error LookupError no file for 2025-05-25\nwhen $day 2025-07-04 error LookupError no file for 2025-07-04"
	m.write("sales.yaml", spec, 0o666)
	m.notebook(broken)

	// The first night, then what cron does.
	m.page("fanout run sales.yaml", "2025-07-07", exitIncomplete, "48 runs: 46 succeeded, 2 failed")
	for command := range m.left {
		schedule, line, isCron := strings.Cut(command, " cd ")
		if !isCron {
			continue
		}
		if fields := strings.Fields(schedule); len(fields) != 5 {
			t.Errorf("cron reads five fields, not %q", schedule)
		}
		m.left[command] = false
		m.demand("cd "+line, "2025-07-08", exitIncomplete)
	}
	// The sweep's own Python is checked: nothing else here has its kernel.
	m.demand("fanout doctor sales.sweep", "", exitOK, "ok    kernel fake", "ok    cold start")
	m.demand("fanout doctor .", "", exitFailed, "FAIL")
	log, err := os.ReadFile(filepath.Join(m.dir, "fanout.log"))
	if want := "49 runs: 1 new, 46 kept, 2 failed before"; err != nil || !strings.Contains(string(log), want) {
		t.Errorf("the log does not say %q: %v\n%s", want, err, log)
	}
	m.sent(news)

	// What that day's firing would have: the days after it are not planned.
	day := regexp.MustCompile("`--as-of ([0-9-]+)`").FindStringSubmatch(page)
	if day == nil {
		t.Fatal("the page has no --as-of")
	}
	m.demand("fanout run sales.yaml", "2025-07-10", exitIncomplete, "51 runs: 49 succeeded, 2 failed")
	m.demand("fanout run sales.yaml --reprocess none", day[1], exitIncomplete, "2 no longer planned", "49 runs: 47 succeeded, 2 failed")

	// Days that stay broken: quiet in two ways.
	m.page("fanout run sales.yaml --reprocess none", "2025-07-11", exitIncomplete, "running 1 run", "52 runs: 50 succeeded, 2 failed")
	exclude := regexp.MustCompile("`(exclude: [^`]+)`").FindStringSubmatch(page)
	if exclude == nil {
		t.Fatal("the page excludes nothing")
	}
	m.write("sales.yaml", spec+exclude[1]+"\n", 0o666)
	m.demand("fanout run sales.yaml", "2025-07-11", exitOK, "2 no longer planned", "50 runs: 50 succeeded")
	m.write("sales.yaml", spec, 0o666)
	m.demand("fanout run sales.yaml --reprocess none", "2025-07-11", exitIncomplete, "52 runs: 50 succeeded, 2 failed")

	// The notebook is fixed.
	m.notebook("print fixed")
	m.page("fanout rerun sales.sweep --failed --update --dry-run", "", exitOK, "2 to run again", "2025-05-25", "2025-07-04")
	m.page("fanout rerun sales.sweep --failed --update", "", exitOK, "52 succeeded (50 of them stale: code)")
	m.page("fanout accept sales.sweep --stale", "", exitOK, "accepted 50 runs with other code")
	m.demand("fanout run sales.yaml", "2025-07-11", exitOK, "52 kept")

	// One month again; after an edit it must be said with which notebook.
	var month string
	for command := range m.left {
		if strings.Contains(command, "--only") {
			month = command
		}
	}
	m.page(month, "", exitOK, "running 30 runs", "52 succeeded")
	m.notebook("print edited")
	m.demand(month, "", exitUsage, "--update", "--frozen")
	m.demand(month+" --frozen", "", exitOK, "running 30 runs")
	m.demand(month+" --update", "", exitOK, "running 30 runs", "52 succeeded (22 of them stale: code)")
	m.demand("fanout run sales.yaml", "2025-07-11", exitOK, "22 stale (code)", "52 succeeded")

	// The sweep file was edited, too.
	m.notebook(broken)
	m.demand("fanout rerun sales.sweep --only 'day == \"2025-07-04\" or day == \"2025-05-25\"' --update", "", exitIncomplete, "2 failed")
	m.notebook("print fixed again")
	m.write("sales.yaml", spec+"exclude: [{day: \"2025-07-04\"}]\n", 0o666)
	m.page("fanout run sales.yaml --reprocess failed", "2025-07-11", exitOK, "1 no longer planned", "running 1 run", "51 succeeded")

	for command, left := range m.left {
		if left {
			t.Errorf("the test does not execute %s", command)
		}
	}
}

// sent demands that the last notification has the keys of the page's, and names
// what there is.
func (m *machine) sent(want string) {
	m.t.Helper()
	var like, got map[string]any
	if err := json.Unmarshal([]byte(want), &like); err != nil {
		m.t.Fatalf("the page's notification: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(m.dir, "news.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &got); err != nil {
		m.t.Fatal(err)
	}
	delete(got, "verdicts") // of its metrics
	first := func(of map[string]any) map[string]any { return of["failures"].([]any)[0].(map[string]any) }
	for _, keys := range [][2]map[string]any{{like, got}, {first(like), first(got)}, {like["counts"].(map[string]any), got["counts"].(map[string]any)}} {
		if d := cmp.Diff(slices.Sorted(maps.Keys(keys[0])), slices.Sorted(maps.Keys(keys[1]))); d != "" {
			m.t.Errorf("keys of a notification (-page +sent):\n%s", d)
		}
	}
	for _, key := range []string{"sweep", "status", "where", "summary"} {
		if like[key] != got[key] {
			m.t.Errorf("%s is %v, on the page %v", key, got[key], like[key])
		}
	}
	for _, key := range []string{"name", "status", "kind", "cell", "known"} {
		if like, got := first(like)[key], first(got)[key]; key != "cell" && like != got {
			m.t.Errorf("%s of a failure is %v, on the page %v", key, got, like)
		}
	}
	for _, path := range []any{got["where"], got["summary"], first(got)["notebook"]} {
		if _, err := os.Stat(path.(string)); err != nil || !filepath.IsAbs(path.(string)) {
			m.t.Errorf("%v: %v", path, err)
		}
	}
}
