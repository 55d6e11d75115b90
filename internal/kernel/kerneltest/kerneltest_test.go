package kerneltest_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

func TestMain(m *testing.M) {
	kerneltest.Main()
	os.Exit(m.Run())
}

// What each line of a cell makes the fake say, less busy, idle and the rest.
func TestLanguage(t *testing.T) {
	dir := t.TempDir()
	if err := kerneltest.InstallSpec(dir, map[string]string{"GREETING": "hi"}); err != nil {
		t.Fatal(err)
	}
	spec, err := kernelspec.Finder{Env: append(os.Environ(), "JUPYTER_PATH="+dir)}.Find("fake")
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Launch(t.Context(), spec, kernel.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(time.Second)
	for _, tt := range []struct{ code, want, ename string }{
		{"print a  b", `stream {"name":"stdout","text":"a  b\n"}`, ""},
		{"# a comment\nimport os\n\nnothing known", "", ""},
		{"x = 1.5\ns = \"it's \\\"so\\\"\"\nb = True\nn = None\nl = [1, 2]\nprint $x $s $b $n $l $unknown", `stream {"name":"stdout","text":"1.5 it's \"so\" true null [1, 2] $unknown\n"}`, ""},
		{"typed: int = 3\nprint $typed", `stream {"name":"stdout","text":"3\n"}`, ""},
		{"print = 3", "", ""}, // an assignment, although it begins like a line of ours
		{"scrap loss 0.5", `display_data {"data":{"application/scrapbook.scrap.json+json":{"data":0.5,"encoder":"json","name":"loss","version":1}},"metadata":{"scrapbook":{"data":true,"display":false,"name":"loss"}},"transient":{}}`, ""},
		{"scrap note some text", `display_data {"data":{"application/scrapbook.scrap.text+json":{"data":"some text","encoder":"text","name":"note","version":1}},"metadata":{"scrapbook":{"data":true,"display":false,"name":"note"}},"transient":{}}`, ""},
		{"scrap x $x", `display_data {"data":{"application/scrapbook.scrap.json+json":{"data":1.5,"encoder":"json","name":"x","version":1}},"metadata":{"scrapbook":{"data":true,"display":false,"name":"x"}},"transient":{}}`, ""},
		{"display text/html <b>1</b>", `display_data {"data":{"text/html":"<b>1</b>"},"metadata":{},"transient":{}}`, ""},
		{"show d application/json {\"a\":1}", `display_data {"data":{"application/json":{"a":1}},"metadata":{},"transient":{"display_id":"d"}}`, ""},
		{"update d text/plain x", `update_display_data {"data":{"text/plain":"x"},"metadata":{},"transient":{"display_id":"d"}}`, ""},
		{"clear wait", `clear_output {"wait":true}`, ""},
		{"send comm_open {\"comm_id\":\"c\"}", `comm_open {"comm_id":"c"}`, ""},
		{"error KeyError 'k'\nprint never", `error {"ename":"KeyError","evalue":"'k'","traceback":["KeyError: 'k'"]}`, "KeyError"},
		{"exit-cell", `error {"ename":"SystemExit","evalue":"0","traceback":["SystemExit: 0"]}`, "SystemExit"},
		{"fail-silently", "", "UsageError"},
		{"input name?", `error {"ename":"StdinNotImplementedError","evalue":"raw_input was called, but this frontend does not support input requests.","traceback":["StdinNotImplementedError: raw_input was called, but this frontend does not support input requests."]}`, "StdinNotImplementedError"},
		{"spam 2 y", `stream {"name":"stdout","text":"0 y\n"}` + "\n" + `stream {"name":"stdout","text":"1 y\n"}`, ""},
		{"when $x 1.5 print yes\nwhen $x 2 print no", `stream {"name":"stdout","text":"yes\n"}`, ""},
		{"append f line\nappend f $x\ncat f", `stream {"name":"stdout","text":"line\n1.5\n"}`, ""},
		{"cat none", `error {"ename":"FileNotFoundError","evalue":"open none: no such file or directory","traceback":["FileNotFoundError: open none: no such file or directory"]}`, "FileNotFoundError"},
		{"env GREETING", `stream {"name":"stdout","text":"hi\n"}`, ""},
	} {
		var said []string
		r, err := k.Execute(context.Background(), tt.code, kernel.ExecuteOptions{}, func(m kernel.Message) {
			switch m.Header.MsgType {
			case "status", "execute_input", "execute_reply":
				return
			}
			var any map[string]any
			if err := json.Unmarshal(m.Content, &any); err != nil {
				t.Fatal(err)
			}
			said = append(said, m.Header.MsgType+" "+compact(any))
		})
		if err != nil || r.Ename != tt.ename {
			t.Errorf("%s: %v, reply %+v", tt.code, err, r)
		}
		if d := cmp.Diff(tt.want, strings.Join(said, "\n")); d != "" {
			t.Errorf("%s\n(-want +got):\n%s", tt.code, d)
		}
	}
}

// compact is JSON without escapes for HTML, keys in order.
func compact(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func TestInstallSpecOverwrites(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if err := kerneltest.InstallSpec(dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	if m, _ := filepath.Glob(filepath.Join(dir, "kernels", "*", "kernel.json")); len(m) != 2 {
		t.Errorf("specifications: %v", m)
	}
}
