package local_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// planted is a secret with what every form writes differently. It has no slash:
// it becomes the name of a file.
const planted = `pa"ss\wörd'<7>&+ ZqXwVk`

// spell lists in how many ways a program writes the secret, for the cells below
// and for the test, which looks for them.
const spell = `
import base64, html, json, os, sys, textwrap, urllib.parse
key, b = os.environ["THE_KEY"], os.environ["THE_KEY"].encode()
spelled = [key, repr(key), ascii(key), repr(b), str({"k": [key]}), json.dumps(key), json.dumps(key, ensure_ascii=False), json.dumps(json.dumps(key)),
           urllib.parse.quote(key), urllib.parse.quote(key, safe=""), urllib.parse.quote_plus(key), html.escape(key), b.hex(), b.hex().upper(),
           base64.b64encode(b).decode(), base64.b64encode(b"user:" + b).decode(), base64.urlsafe_b64encode(b"xy" + b).decode().rstrip("="),
           base64.encodebytes(b"z" * 50 + b).decode(), textwrap.indent("\n".join(key), "    "), key[:9] + "\x1b[1;31m" + key[9:],
           json.dumps(repr(key)), html.escape(repr(key)), repr(repr(key)), json.dumps(json.dumps(json.dumps(key))), str(list(key)), " ".join(key), "-".join(key),
           key[:9] + "\0" + key[9:], key[:9] + "\u200b" + key[9:], key[:9] + "\x1b[2K" + key[9:], b.hex("_", 2), "".join("\\%03o" % c for c in b)]
`

// exits is a notebook that sends the secret through everything that leaves a
// kernel.
var exits = []string{
	spell + `json.dump(spelled, open(os.environ["SPELLED"], "w"))`,
	`for text in spelled: print(text, flush=True)`,
	`for c in key: print(end=c, flush=True); print("noise", file=sys.stderr, flush=True)`,
	`for text in spelled: print(text, file=sys.stderr)`,
	`from IPython.display import display, publish_display_data as publish
for text in spelled: display({"text/plain": text, "text/html": "<b>" + text + "</b>", "application/json": {text: [text]}}, raw=True, metadata={text: text})
display({"text/plain": [key[:5], key[5:]]}, raw=True)
key`,
	`handle = display("nothing", display_id=True)
handle.update(key)`,
	`for text in spelled: publish({"application/scrapbook.scrap.json+json": {"name": text, "data": text, "encoder": "json", "version": 1}}, {"scrapbook": {"name": text, "data": True, "display": False}})`,
	`from ipykernel.comm import Comm
Comm("jupyter.widget", data={"state": {"_model_name": "T", "value": spelled}, "buffer_paths": [["bytes"]]}, buffers=[b])`,
	`for text in spelled: os.write(2, (text + "\n").encode())
for text in spelled: print(text, file=sys.__stderr__)`,
	`for name in (key, urllib.parse.quote(key), urllib.parse.quote_plus(key)):
    open(os.environ["FANOUT_OUTPUT_DIR"] + "/" + name + ".txt", "w").write("kept")
open(key + ".csv", "w").write("left behind")`,
	`if x == 0: raise RuntimeError(key)
if x == 1: raise type(key, (Exception,), {})(key)
if x == 2: raise SystemExit(key)
if x == 3: print(key, file=sys.__stderr__, flush=True); os._exit(3)
if x == 4: get_ipython().payload_manager.write_payload({"source": "ask_exit", "keepkernel": key}, single=False)`,
}

// TestEveryExit plants a secret, and looks for it in all that leaves an executor:
// every byte of the sweep, every note and every error.
func TestEveryExit(t *testing.T) {
	python := kerneltest.Python(t)
	recipe := sweep.Recipe{Secrets: []sweep.Secret{{Param: "key", Env: "THE_KEY"}}, Modules: []string{"leaky", planted}}
	leaky := "import os, sys\nprint(os.environ['THE_KEY'], file=sys.stderr)\nraise ImportError('leaky: ' + os.environ['THE_KEY'])\n"
	p := settle(t, "python3", recipe, map[string]string{"leaky.py": leaky}, nil, 6, exits...)
	file := filepath.Join(t.TempDir(), "spelled.json")
	env := append(venvEnv(t, python), "THE_KEY="+planted, "SPELLED="+file)
	n := p.execute(t, local.Options{Jobs: 2, Environ: env})
	spelled := spellings(t, file)

	for i, want := range []outcome.Status{outcome.Failed, outcome.Failed, outcome.Failed, outcome.Failed, outcome.Failed, outcome.Succeeded} {
		if st := p.Runs()[i]; st.Status != want {
			t.Errorf("run %d: %+v", i, st.Last)
		}
	}
	all, marks := map[string]string{}, 0
	err := filepath.WalkDir(filepath.Join(p.dir, "test.sweep"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "plan" {
			return fs.SkipDir // the user's, which names a module
		}
		all["the name "+path] = path
		if err == nil && d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			all[path] = string(b)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, note := range n.all {
		all[fmt.Sprintf("note %d, %s", i, note.Kind)] = fmt.Sprintf("%+v %+v", note, note.Outcome)
	}
	err = newExecutor(t, p.Sweep, local.Options{Environ: env}).Preflight(t.Context(), p.Runs()[0].Run.ID)
	if err == nil {
		t.Fatal("no module is missing")
	}
	all["Preflight"] = err.Error() + unit.HintOf(err)
	for where, text := range all {
		for _, form := range spelled {
			if strings.Contains(text, form) {
				t.Errorf("%s holds %q", where, form)
			}
		}
		marks += strings.Count(text, "[secret]")
	}
	if marks < 500 {
		t.Errorf("only %d marks: the notebook sends too little", marks)
	}
}

// spellings are the forms that a notebook wrote down, and how a JSON document
// holds them. Pieces of one are joined.
func spellings(t *testing.T, file string) (all []string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var forms []string
	if err := json.Unmarshal(b, &forms); err != nil {
		t.Fatal(err)
	}
	for _, f := range forms {
		var in strings.Builder
		enc := json.NewEncoder(&in)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f, strings.Trim(in.String(), "\"\n"))
	}
	return append(all, "ZqXwVk") // no part of it either
}

// TestErrorsHoldNoSecret: an executor returns errors in many ways.
func TestErrorsHoldNoSecret(t *testing.T) {
	const key = "hunter2-Zq"
	env := environ(t, "THE_KEY="+key)
	secrets := []sweep.Secret{{Param: "key", Env: "THE_KEY"}}
	holds := func(what string, err error) {
		if err == nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "[secret]") {
			t.Errorf("%s: %v", what, err)
		}
	}
	p := settle(t, "fake", sweep.Recipe{Secrets: secrets}, nil, nil, 1, "print a")
	e := newExecutor(t, p.Sweep, local.Options{Environ: append(env, "JUPYTER_PATH="+p.specs)})
	holds("Execute", e.Execute(t.Context(), sweep.Shard{Runs: []string{key}}, func(sweep.Note) {}))
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), key))
	_, err := local.New(t.Context(), p.Sweep, local.Options{Environ: env})
	holds("New", err)
	_, _, err = local.ExecuteSingle(t.Context(), nil, local.Single{Kernel: "fake", Environ: append(env, "JUPYTER_PATH="+p.specs), Secrets: []string{key}})
	holds("ExecuteSingle", err)
}
