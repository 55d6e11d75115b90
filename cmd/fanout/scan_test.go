package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// leaking is a notebook that prints, shows, records and raises a secret in every
// form that it writes down first.
var leaking = []string{
	"mode = 'ok'\nkey = ''",
	`import base64, html, json, os, urllib.parse
from IPython.display import HTML, display
from fanout_glue import glue
k, b = os.environ["SCAN_KEY"], os.environ["SCAN_KEY"].encode()
forms = [k, repr(k), ascii(k), repr(b), json.dumps(json.dumps(k)), html.escape(repr(k)), urllib.parse.quote(json.dumps(k)), str(list(k)), " ".join(k), "\n".join(k),
         base64.b64encode(b"u:" + b).decode(), base64.b32encode(b"xy" + b).decode(), b.hex(), b.hex("_", 2), k[:9] + "\0" + k[9:], k[:9] + "\u200b" + k[9:], k[:9] + "\x1b[2K" + k[9:]]
json.dump(forms, open(os.environ["SCAN_FORMS"], "w"))
for f in forms: print(f, flush=True)
for c in k: print(c, end=".", flush=True)`,
	`for f in forms: display(HTML("<b>" + html.escape(f) + "</b>"), {"text/plain": f, f: [f]}, raw=False)
for i, f in enumerate(forms): glue(f"scrap {i}", [f, {f: f}])
glue("score", 0.5)`,
	`import pandas as pd
glue("frame", pd.DataFrame({k: [k], "bytes": [b], "c": pd.Categorical([k])}))
open(os.environ["FANOUT_OUTPUT_DIR"] + "/" + urllib.parse.quote(k, safe="") + ".txt", "w").write("only the name")
os.system("echo $SCAN_KEY; echo $SCAN_KEY >&2")
for f in forms: os.write(2, f.encode() + b"\n")`,
	`if mode == "raise": raise type("E", (ValueError,), {})(k, forms)`,
}

// TestScanForSecret runs a notebook that leaks, has every verb say all that it
// knows, and looks for the secret in every file and every word.
func TestScanForSecret(t *testing.T) {
	interpreter := kerneltest.Python(t)
	const key = `Zk9pa"ss\wörd'<7>&+ QqXwVk`
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	t.Setenv("SCAN_KEY", key)
	t.Setenv("SCAN_FORMS", filepath.Join(t.TempDir(), "forms.json"))
	report := []string{"results_dir = runs_path = sweep_name = as_of = ''", `import os
print(dict(os.environ)); print(open(f"/proc/{os.getppid()}/environ").read().replace("\0", "\n"))`}
	for name, content := range map[string][]byte{
		"t.ipynb": notebookOf("python3", "python", leaking), "r.ipynb": notebookOf("python3", "python", report),
		"s.yaml": fmt.Appendf(nil, "name: leak\ntemplate: t.ipynb\npython: %s\nparameters: {key: {secret: SCAN_KEY}}\ngrid: {mode: [ok, raise]}\nreport: {template: r.ipynb, after: true}\n", interpreter),
	} {
		if err := os.WriteFile(at(name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{}
	say := func(want int, args ...string) {
		code, stdout, stderr := fanout(t, args...)
		if code != want {
			t.Errorf("%s: exit %d, want %d\n%s", args, code, want, stderr)
		}
		all[strings.Join(args[:2], " ")] = stdout + stderr
	}
	s := at("leak.sweep")
	say(exitIncomplete, "run", at("s.yaml"), "--log-output", "--no-progress")
	say(exitIncomplete, "rerun", s, "--failed", "--log-output=json:"+at("log.jsonl"))
	runs, err := filepath.Glob(filepath.Join(s, "runs", "*.ipynb"))
	if err != nil || len(runs) != 2 {
		t.Fatal(runs, err)
	}
	id := strings.TrimSuffix(filepath.Base(runs[0]), ".ipynb")
	for _, verb := range [][]string{{"status", s}, {"status", s, "--json"}, {"ls", s}, {"ls", s, "--json"}, {"logs", s}, {"report", s, "--execute"}, {"compare", s},
		{"diff", s}, {"gc", s}, {"render", s, id, "-o", at("page.html")}, {"show", s, id}, {"collect", s, "--format", "csv", "-o", at("runs.csv")}, {"publish", s, "-o", at("site")}} {
		say(exitOK, verb...)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			all[path] = path + string(b)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	checkForms(t, all, 200)
}
