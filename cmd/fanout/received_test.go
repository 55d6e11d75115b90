package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// hostileValues stand where a record of a received sweep has something else.
var hostileValues = []any{
	nil, true, -1, 0, 1e308, 9223372036854775807.0, json.Number("99999999999999999999999"), json.Number("-0.0"), "", ".", "..", "../../../outside/canary", "/etc/passwd",
	"a\x00b", "\x1b]52;c;QUFBQQ==\x07\x1b[2J", "\u202egnp.exe", "\u009b31m", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "first", "succeeded", "%s%n%d", "{{.}}",
	"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-13-45", "Local", []any{}, map[string]any{}, []any{nil, []any{nil}}, map[string]any{"": map[string]any{"": nil}},
	strings.Repeat("x", 100_000), []any{"a", 1, nil}, []any{map[string]any{"step": "first", "share": -1}}, "s3://", "file:///etc/passwd", "http://127.0.0.1:1/", "ssh -oProxyCommand=x",
}

// spoilt is a JSON document with a value somewhere in it replaced, or taken away.
func spoilt(doc any, r *rand.Rand) any {
	switch x := doc.(type) {
	case map[string]any:
		if len(x) == 0 || r.IntN(6) == 0 {
			break
		}
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		k := keys[r.IntN(len(keys))]
		switch r.IntN(12) {
		case 0:
			delete(x, k)
		case 1:
			x[fmt.Sprint(hostileValues[r.IntN(len(hostileValues))])] = x[k]
		default:
			x[k] = spoilt(x[k], r)
		}
		return x
	case []any:
		if len(x) == 0 || r.IntN(6) == 0 {
			break
		}
		i := r.IntN(len(x))
		if r.IntN(12) == 0 {
			return append(x, x[i])
		}
		x[i] = spoilt(x[i], r)
		return x
	}
	return hostileValues[r.IntN(len(hostileValues))]
}

// spoilText spoils a document, or a line of several.
func spoilText(text []byte, r *rand.Rand) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	i := 0
	if whole := json.Valid(text); whole {
		lines = [][]byte{text}
	} else {
		i = r.IntN(len(lines))
	}
	var doc any
	if json.Unmarshal(lines[i], &doc) != nil {
		return append(text[:r.IntN(len(text)+1)], "\x1b[31m\x00\xff{"...)
	}
	out, err := json.Marshal(spoilt(doc, r))
	if err != nil {
		return text
	}
	lines[i] = append(out, '\n')
	return bytes.Join(lines, nil)
}

// spoilFile replaces an object of a sweep by something that fanout never writes.
func spoilFile(t *testing.T, file, outside string, r *rand.Rand) (how string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) error { return os.WriteFile(file, b, 0o666) }
	switch r.IntN(20) {
	case 0:
		return must(t, "a link that leads out", os.Symlink(filepath.Join(outside, "canary"), file))
	case 1:
		return must(t, "a pipe", syscall.Mkfifo(file, 0o666))
	case 2:
		return must(t, "a folder", os.Mkdir(file, 0o777))
	case 3:
		return must(t, "empty", write(nil))
	case 4:
		return must(t, "cut off", write(text[:r.IntN(len(text)+1)]))
	case 5:
		return must(t, "gone", nil)
	case 6:
		return must(t, "a link to itself", os.Symlink(filepath.Base(file), file))
	case 8:
		must(t, "", write(text))
		return must(t, "larger than any object", os.Truncate(file, 3<<30))
	case 7:
		return must(t, "nested", write([]byte(strings.Repeat("[", 100_000))))
	}
	out := spoilText(text, r)
	must(t, "", write(out))
	if head, isRuns := strings.CutSuffix(file, ".jsonl"); isRuns && filepath.Base(filepath.Dir(file)) == "plan" {
		var h map[string]any
		if b, err := os.ReadFile(head + ".json"); err == nil && json.Unmarshal(b, &h) == nil {
			h["digest"] = sweep.Digest(out)
			b, _ := json.Marshal(h)
			must(t, "", os.WriteFile(head+".json", b, 0o666))
		}
	}
	return fmt.Sprintf("spoilt: %.3000q", out)
}

func must(t *testing.T, what string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(what, err)
	}
	return what
}

// askVerb is fanout, whatever happens; a panic is a fault with its stack.
func askVerb(t *testing.T, args ...string) (code int, said string, fault string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, err bytes.Buffer
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	c := &cli{stdin: strings.NewReader(""), stdout: unit.NewPrinter(&out), stderr: unit.NewPrinter(&err), openStore: store.Open}
	code = c.main(ctx, args)
	if ctx.Err() != nil {
		fault = "it does not end"
	}
	return code, out.String() + err.String(), fault
}

// TestReceivedSweeps asks verbs that execute nothing of a sweep of which somebody has
// changed one object after the other: no verb panics, waits, prints what a terminal
// obeys, reads or writes outside the sweep.
func TestReceivedSweeps(t *testing.T) {
	interpreter := kerneltest.Python(t)
	dir := t.TempDir()
	whole, outside := filepath.Join(dir, "whole"), filepath.Join(dir, "outside")
	must(t, "", os.Mkdir(outside, 0o777))
	must(t, "", os.WriteFile(filepath.Join(outside, "canary"), []byte("CANARY-CONTENT {\"CANARY\": 1}\n"), 0o666))
	must(t, "", os.Mkdir(whole, 0o777))
	for name, content := range map[string][]byte{
		"a.ipynb": notebookOf("python3", "python", []string{"mode = 1", "from fanout_glue import glue\nglue('note', mode); print('x')\nopen('rows.csv', 'w').write('a\\n1\\n')"}),
		"b.ipynb": notebookOf("python3", "python", []string{"mode = 1\nnote = None", "from fanout_glue import glue\nglue('score', mode + 0.5)\nif mode == 2: raise ValueError('no')"}),
		"s.yaml": fmt.Appendf(nil, "name: got\nsteps:\n  first: {template: a.ipynb, keep: \"*.csv\"}\n  second: {template: b.ipynb, needs: first, with: {note: first.note}}\npython: %s\n"+
			"grid: {mode: [1, 2]}\nmetrics: {score: maximize}\n", interpreter),
	} {
		must(t, "", os.WriteFile(filepath.Join(dir, name), content, 0o666))
	}
	s := filepath.Join(whole, "got.sweep")
	if code, said, fault := askVerb(t, "run", filepath.Join(dir, "s.yaml"), "-o", s, "--no-progress"); code != exitIncomplete || fault != "" {
		t.Fatal(code, said, fault)
	}
	if code, said, fault := askVerb(t, "schedule", filepath.Join(dir, "s.yaml"), "-o", s, "--cron", "0 2 * * *", "--tz", "UTC"); code != exitOK || fault != "" {
		t.Fatal(code, said, fault)
	}
	must(t, "", os.MkdirAll(filepath.Join(s, "firings"), 0o777))
	var ids []string
	runs, _ := filepath.Glob(filepath.Join(s, "runs", "*.ipynb"))
	for _, r := range runs {
		ids = append(ids, strings.TrimSuffix(filepath.Base(r), ".ipynb"))
	}
	var files []string
	must(t, "", filepath.WalkDir(s, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, ".parquet") && !strings.HasSuffix(path, ".arrow") {
			files = append(files, path)
		}
		return err
	}))
	n := 12
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		n = 1500
	}
	seed := uint64(1)
	if v := os.Getenv("FANOUT_TEST_SEED"); v != "" {
		fmt.Sscan(v, &seed)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		if i%100 == 99 {
			t.Logf("%d objects were spoilt", i)
		}
		here := filepath.Join(dir, "here")
		must(t, "", os.RemoveAll(here))
		must(t, "", os.CopyFS(here, os.DirFS(whole)))
		file := files[r.IntN(len(files))]
		rel, _ := filepath.Rel(whole, file)
		how := spoilFile(t, filepath.Join(here, rel), outside, r)
		got, id := filepath.Join(here, "got.sweep"), ids[r.IntN(len(ids))]
		verbs := [][]string{{"status", got}, {"ls", got}, {"find", here}, {"why", got, id}, {"show", got, id}, {"plan", got, "--graph=dot"}, {"schedule", "ls", here}, {"schedule", "log", got},
			{"compare", got}, {"diff", got}, {"logs", got}, {"top", got}, {"gc", got}, {"collect", got}, {"report", got}, {"publish", got, "-o", filepath.Join(here, "site")}, {"cancel", got}}
		for _, verb := range verbs {
			began := time.Now()
			_, said, fault := askVerb(t, verb...)
			if strings.ContainsAny(said, "\x1b\x00\x07\u202e\u009b") {
				fault = fmt.Sprintf("it prints %q", said)
			}
			if strings.Contains(said, "CANARY") {
				fault = "it reads outside the sweep: " + said
			}
			if fault != "" {
				t.Errorf("%d: %s after %s is %s\n%.6000s", i, verb[0], rel, how, fault)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Logf("%d: %s after %s is %.200s: %s", i, verb[0], rel, how, took)
			}
		}
		if b, err := os.ReadFile(filepath.Join(outside, "canary")); err != nil || !strings.HasPrefix(string(b), "CANARY-CONTENT {") || len(b) != 29 {
			t.Fatalf("%d: outside the sweep there is %q, %v after %s is %s", i, b, err, rel, how)
		}
		if left, _ := os.ReadDir(outside); len(left) != 1 {
			t.Fatalf("%d: outside the sweep there are %v after %s is %s", i, left, rel, how)
		}
	}
}
