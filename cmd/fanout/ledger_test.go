package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// A backfill is a daily sweep whose runs book their day in a ledger.
type backfill struct {
	t      *testing.T
	dir    string
	from   string   // the first day
	fanout string   // the command, built without the race detector: there are thousands of runs
	code   []string // code cells
	text   string   // a Markdown cell
}

func newBackfill(t *testing.T, from string) *backfill {
	t.Helper()
	b := &backfill{t: t, dir: t.TempDir(), from: from, text: "Daily."}
	b.fanout = filepath.Join(t.TempDir(), "fanout")
	build := exec.Command("go", "build", "-trimpath", "-o", b.fanout, ".") // as make build does, whose cache it shares
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, out)
	}
	b.code = []string{`day = "2020-01-01"`, "import helper", "append " + filepath.Join(b.dir, "ledger") + " $day",
		"append " + filepath.Join(b.dir, "lake") + "/$day/reads 1", "scrap n 1"}
	if err := kerneltest.InstallSpec(filepath.Join(b.dir, "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	b.write("helper.py", "rate = 1\n")
	b.until("2023-12-31")
	b.template()
	return b
}

func (b *backfill) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o666); err != nil {
		b.t.Fatal(err)
	}
}

func (b *backfill) until(day string) {
	b.t.Helper()
	b.write("sweep.yaml", "name: daily\ntemplate: t.ipynb\ngrid:\n  day: {dates: {from: "+b.from+", to: "+day+", step: 1d}}\n")
}

// template writes the template, a Markdown cell after the parameters.
func (b *backfill) template() {
	b.t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(notebookOf("fake", "python", b.code), &doc); err != nil {
		b.t.Fatal(err)
	}
	cells := doc["cells"].([]any)
	prose := map[string]any{"cell_type": "markdown", "id": "prose", "metadata": map[string]any{}, "source": b.text}
	doc["cells"] = slices.Insert(cells, 1, any(prose))
	text, err := json.Marshal(doc)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write("t.ipynb", string(text))
}

// run runs the sweep and demands what it says is due, its exit code, and that
// exactly these days were booked.
func (b *backfill) run(due string, code int, days []string, flags ...string) {
	b.t.Helper()
	b.write("ledger", "")
	cmd := exec.Command(b.fanout, append([]string{"run", "--no-progress", "--no-canary", "sweep.yaml"}, flags...)...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "JUPYTER_PATH="+filepath.Join(b.dir, "jupyter"), "FANOUT_JOBS=4")
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		b.t.Fatalf("%s: exit %d, want %d: %v\n%s", due, got, code, err, out)
	}
	if !strings.Contains(string(out), ": "+due+"\n") {
		b.t.Errorf("want due %q:\n%s", due, out)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "ledger"))
	if err != nil {
		b.t.Fatal(err)
	}
	got := strings.Fields(string(text))
	slices.Sort(got)
	if !slices.Equal(got, days) {
		b.t.Errorf("%s: booked %d days, want %d", due, len(got), len(days))
	}
}

// days lists days, both ends included.
func days(from, to string) []string {
	var list []string
	end, _ := time.Parse(time.DateOnly, to)
	for d, _ := time.Parse(time.DateOnly, from); !d.After(end); d = d.AddDate(0, 0, 1) {
		list = append(list, d.Format(time.DateOnly))
	}
	return list
}

// TestBackfill grows a daily backfill and edits what it is made of: each time
// exactly the difference is executed, as the ledger of side effects shows. It is
// of two months, or of three years where there is time.
func TestBackfill(t *testing.T) {
	from := "2023-12-01"
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		from = "2021-01-01"
	}
	b := newBackfill(t, from)
	before, all := days(from, "2023-12-31"), days(from, "2024-01-31")
	b.flood(all)
	n, most := len(before), len(all)
	b.run(fmt.Sprintf("%d new", n), 0, before)
	b.run(fmt.Sprintf("%d kept", n), 0, nil)

	b.until("2024-01-31")
	b.run(fmt.Sprintf("31 new, %d kept", n), 0, days("2024-01-01", "2024-01-31"))

	b.text = "Daily, as agreed with finance."
	b.template()
	b.run(fmt.Sprintf("%d kept", most), 0, nil)

	b.asJupyterLabSaves()
	b.run(fmt.Sprintf("%d kept", most), 0, nil)

	b.code = append(b.code, "print more")
	b.template()
	b.run(fmt.Sprintf("%d stale (code)", most), 0, all)

	// An imported helper is edited, and two days of the lake are gone.
	b.write("helper.py", "rate = 2\n")
	broken := []string{"2023-12-28", "2024-01-01"}
	for _, d := range broken {
		b.remove(filepath.Join("lake", d))
	}
	b.run(fmt.Sprintf("%d stale (files)", most), 3, all)
	b.flood(broken)
	b.run(fmt.Sprintf("%d kept, 2 failed before", most-2), 0, broken)
	b.run(fmt.Sprintf("%d kept", most), 0, nil)
}

// flood fills the lake for some days.
func (b *backfill) flood(list []string) {
	b.t.Helper()
	for _, d := range list {
		if err := os.MkdirAll(filepath.Join(b.dir, "lake", d), 0o777); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *backfill) remove(name string) {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.dir, name)); err != nil {
		b.t.Fatal(err)
	}
}

// asJupyterLabSaves writes the template as JupyterLab does after it was
// executed there: outputs, counts, indent, other ids, sources as lists.
func (b *backfill) asJupyterLabSaves() {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "t.ipynb"))
	if err != nil {
		b.t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		b.t.Fatal(err)
	}
	for i, c := range doc["cells"].([]any) {
		cell := c.(map[string]any)
		cell["id"] = fmt.Sprintf("0000-%04d", i)
		if source, ok := cell["source"].(string); ok {
			cell["source"] = strings.SplitAfter(source+"  ", "\n")
		}
		if cell["cell_type"] == "code" {
			cell["execution_count"] = i + 1
			cell["outputs"] = []any{map[string]any{"output_type": "stream", "name": "stdout", "text": []string{"seen\n"}}}
			cell["metadata"].(map[string]any)["collapsed"] = false
		}
	}
	doc["metadata"].(map[string]any)["language_info"].(map[string]any)["version"] = "3.11.7"
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", " ")
	if err := enc.Encode(doc); err != nil {
		b.t.Fatal(err)
	}
	b.write("t.ipynb", out.String())
}
