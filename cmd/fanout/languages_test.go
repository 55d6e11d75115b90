package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A language is what a kernel must be able to do: declare parameters of every kind,
// print them as JSON, and do what x says.
type language struct {
	declare, print string
	record         string // as docs/scraps.md shows it; "-" where no value can be recorded
	given, want    string // instead of the last parameter, where the language has none like it, and how it is printed
	// What a cell does when x is 1, 2, and so on: raise an error; sleep for a minute;
	// exit with status 3; exit with status 0; kill its process; hold 300 MB. It does nothing when x is 7.
	acts  [6]string
	when  string          // how it does what the second operand is, if x is the first
	after string          // what follows all that
	shell bool            // cells run in a child of the kernel, whose memory is not counted
	exits outcome.Outcome // with status 3
	fine  outcome.Outcome // with status 0
}

var died = outcome.Outcome{Status: outcome.Failed, Kind: outcome.KernelDied}

var languages = map[string]language{
	"python3": {
		declare: "import json\nx: float = 0\nword = 'a'\nflag = False\nratio = 1.0\nwhole = 0\nnone = 1\nitems = []\nrecord = {}",
		print:   "print(json.dumps([word, flag, ratio, whole, none, items, record], ensure_ascii=False, separators=(',', ':')))",
		record:  "from fanout_glue import glue\nglue('auc', 0.93)",
		acts: [6]string{
			"raise LookupError('no good')", "import time; time.sleep(60)", "import sys; sys.exit(3)", "import sys; sys.exit(0)", "import os; os.kill(os.getpid(), 9)",
			"import numpy; held = numpy.ones(300_000_000 // 8)",
		},
		when:  "if x == %d:\n    %s\n",
		exits: outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Ename: "SystemExit", Evalue: "3"},
		fine:  outcome.Outcome{Status: outcome.Succeeded, Kind: outcome.EarlyExit},
	},
	"ir": {
		declare: "x <- 0\nword <- 'a'\nflag <- FALSE\nratio <- 1.0\nwhole <- 0L\nnone <- 1\nitems <- list()\nrecord <- list()",
		print:   "cat(jsonlite::toJSON(list(word, flag, ratio, whole, none, items, record), auto_unbox = TRUE, null = 'null', digits = NA), '\\n')",
		acts: [6]string{
			"stop('no good')", "Sys.sleep(60)", "leave <- function(status) quit('no', status)\nleave(1 + 2)", "quit(status = x - 4)", "tools::pskill(Sys.getpid(), 9)", "held <- rep(1, 300e6 / 8)",
		},
		exits: outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Ename: "SystemExit", Evalue: "3"},
		fine:  outcome.Outcome{Status: outcome.Succeeded, Kind: outcome.EarlyExit},
	},
	"deno": {
		declare: "let x = 0\nlet word = 'a'\nlet flag = false\nlet ratio = 1\nlet whole = 0\nlet none = 1\nlet items = []\nlet record = {}",
		print:   "console.log(JSON.stringify([word, flag, ratio, whole, none, items, record]))",
		acts: [6]string{
			"throw new RangeError('no good')", "await new Promise(done => setTimeout(done, 60000))", "Deno.exit(3)", "Deno.exit(0)", "Deno.kill(Deno.pid, 'SIGKILL')",
			"globalThis.held = new Uint8Array(300e6).fill(1)",
		},
		exits: died, fine: died,
	},
	"tslab": {
		declare: "let x = 0\nlet word = 'a'\nlet flag = false\nlet ratio = 1\nlet whole = 0\nlet none = 1\nlet items = []\nlet record = {}",
		print:   "console.log(JSON.stringify([word, flag, ratio, whole, none, items, record]))",
		acts: [6]string{
			"throw new RangeError('no good')", "await new Promise(done => setTimeout(done, 60000))", "process.exit(3)", "process.exit(0)", "process.kill(process.pid, 'SIGKILL')",
			"(globalThis as any).held = new Uint8Array(300e6).fill(1)",
		},
		exits: died, fine: died,
	},
	"bash": {
		declare: "x=0\nword=a\nflag=false\nratio=1.0\nwhole=0\nnone=1\nitems=()\ndeclare -A record=()",
		print: "printf '[%s,%s,%s,%s,%s,[%s,\"%s\",%s],{\"a\":%s,\"b\":\"%s\"}]\\n' \"$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1], ensure_ascii=False))' \"$word\")\" " +
			"$flag $ratio $whole ${none:-null} ${items[@]} ${record[a]} ${record[b]}",
		record: "-", given: `{a: 12, b: "c"}`, want: `{"a":12,"b":"c"}`,
		acts: [6]string{"false", "sleep 60", "leave() { exit $1; }\nleave 3", "exit", "kill -9 $PPID", "held=$(seq 1000)"},
		when: "if [ $x = %d ]; then\n%s\nfi\n", after: "test $x != 1 # a cell's status is that of its last command",
		shell: true,
		exits: outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Ename: "SystemExit", Evalue: "3"},
		fine:  outcome.Outcome{Status: outcome.Succeeded, Kind: outcome.EarlyExit},
	},
}

// TestLanguages executes the same seven runs in every language whose kernel is here:
// what arrives, what is recorded, and how each run ends.
func TestLanguages(t *testing.T) {
	text, err := os.ReadFile("../../docs/scraps.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := map[string]string{"ir": fenced(t, string(text), "r"), "deno": fenced(t, string(text), "javascript"), "tslab": fenced(t, string(text), "typescript")}
	interpreter := kerneltest.Python(t)
	all := append(otherKernels(interpreter), otherKernel{
		name: "python3", language: "python", argv: []string{interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}"},
		present: []string{interpreter, "-c", "import ipykernel"}, required: "ipykernel",
	})
	for _, k := range all {
		l, ok := languages[k.name]
		if !ok {
			continue
		}
		if l.record == "" {
			l.record = snippets[k.name]
		}
		t.Run(k.name, func(t *testing.T) { l.check(t, k) })
	}
}

func (l language) check(t *testing.T, k otherKernel) {
	when := cmp.Or(l.when, "if (x == %d) {\n%s\n}\n")
	var acts strings.Builder
	for i, act := range l.acts {
		fmt.Fprintf(&acts, when, i+1, act)
	}
	k.cells = []string{l.declare, l.record, l.print, acts.String() + l.after, l.print}
	if l.record == "-" {
		k.cells[1] = l.print
	}
	word, _ := json.Marshal(hostile)
	dir := k.write(t, map[string]string{"sweep.yaml": "name: s\ntemplate: t.ipynb\ngrid: {x: [1, 2, 3, 4, 5, 6, 7]}\ntimeout: {cell: 10s}\nparameters:\n  word: " + string(word) + `
  flag: true
  ratio: 0.1
  whole: 123456789012
  none: null
  items: [1, "two", 2.5]
  record: ` + cmp.Or(l.given, `{a: [1, 2], b: "c"}`) + "\n"})
	began := time.Now()
	if code, _, stderr := fanout(t, "run", "--no-progress", "--no-canary", "-j", "2", filepath.Join(dir, "sweep.yaml")); code != exitIncomplete {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	s, err := sweep.Open(context.Background(), store.Dir(filepath.Join(dir, "s.sweep")))
	if err != nil {
		t.Fatal(err)
	}
	ends := []outcome.Outcome{
		{Status: outcome.Failed, Kind: outcome.Exception}, {Status: outcome.TimedOut, Kind: outcome.CellTimeout}, l.exits, l.fine, died,
		{Status: outcome.Succeeded}, {Status: outcome.Succeeded},
	}
	want := "[" + quoted(hostile) + `,true,0.1,123456789012,null,[1,"two",2.5],` + cmp.Or(l.want, `{"a":[1,2],"b":"c"}`) + "]"
	for i, st := range s.Runs() {
		got := *st.Last
		if w := ends[i]; got.Status != w.Status || got.Kind != w.Kind || w.Ename != "" && (got.Ename != w.Ename || got.Evalue != w.Evalue) {
			t.Errorf("x = %d: %s %s %q, %s: %s; want %+v", i+1, got.Status, got.Kind, got.Ename, got.Evalue, got.Reason, w)
		}
		if got.Status == outcome.Failed && got.Cell != 5 { // with the injected one
			t.Errorf("x = %d: it failed in cell %d: %s", i+1, got.Cell, got.Reason)
		}
		if got.Status == outcome.TimedOut && got.Duration() > 50*time.Second {
			t.Errorf("x = %d: an interrupt took effect after %v", i+1, got.Duration())
		}
		if !l.shell && (i == 5 && (got.PeakRSS < 300e6 || got.PeakRSS > 1e9) || i == 6 && (got.PeakRSS < 1e6 || got.PeakRSS > 280e6)) {
			t.Errorf("x = %d: peak memory %d", i+1, got.PeakRSS)
		}
		doc := notebookIn(t, s, st)
		if printed := strings.TrimSpace(printedBy(doc)); !strings.Contains(printed, want) {
			t.Errorf("x = %d: printed %s, want %s", i+1, printed, want)
		}
		if scraps, _ := doc.Scraps(); l.record != "-" && (len(scraps) == 0 || scraps[0].Name != "auc" || string(scraps[0].Data) != "0.93") {
			t.Errorf("x = %d: recorded %+v", i+1, scraps)
		}
	}
	t.Logf("%s: seven runs in %v", k.name, time.Since(began).Round(time.Millisecond))
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}

func notebookIn(t *testing.T, s *sweep.Sweep, st sweep.RunState) *notebook.Notebook {
	t.Helper()
	text, err := s.Notebook(context.Background(), st)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// printedBy is all text that a notebook's cells wrote.
func printedBy(doc *notebook.Notebook) string {
	var printed strings.Builder
	for _, c := range doc.Cells {
		for _, o := range c.Outputs {
			if o.Name == "stdout" {
				printed.WriteString(o.Text)
			}
		}
	}
	return printed.String()
}
