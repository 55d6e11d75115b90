package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// A session is a command of a page, as in `    $ fanout …`, and what the page
// shows below it. A line of "…" stands for any lines, and within a line "…" for
// any text.
type session struct {
	command string
	shown   []string
}

// sessions reads a page's commands, in order.
func sessions(t *testing.T, page string) []session {
	t.Helper()
	var all []session
	inside := false
	for _, line := range strings.Split(page, "\n") {
		code, indented := strings.CutPrefix(line, "    ")
		command, isCommand := strings.CutPrefix(code, "$ ")
		switch {
		case !indented:
			inside = false
		case isCommand:
			all, inside = append(all, session{command: command}), true
		case inside:
			last := &all[len(all)-1]
			last.shown = append(last.shown, code)
		}
	}
	if len(all) == 0 {
		t.Fatal("the page has no commands")
	}
	return all
}

// matches says whether output is what a page shows.
func (s session) matches(output string) bool {
	pattern := ""
	for _, line := range s.shown {
		if line == "…" {
			pattern += "(?:.*\n)*"
			continue
		}
		pattern += strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "\n"
	}
	return regexp.MustCompile("^" + pattern + "$").MatchString(output)
}

// A walk is a page whose commands are executed by a shell in a folder of its own,
// one after the other, with a Python that has what the examples need.
type walk struct {
	t   *testing.T
	dir string
}

func newWalk(t *testing.T) walk {
	t.Helper()
	python := kerneltest.Python(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := walk{t, t.TempDir()}
	w.write("bin/fanout", "#!/bin/sh\n"+asFanout+"=1 exec '"+exe+"' \"$@\"\n", 0o777)
	if err := os.Symlink(filepath.Dir(filepath.Dir(python)), filepath.Join(w.dir, ".venv")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(w.dir, "examples"), os.DirFS(filepath.Join("..", "..", "examples"))); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w walk) write(name, text string, mode os.FileMode) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
}

// shell executes a line with the variables that earlier lines have exported.
func (w walk) shell(line string) (code int, output string) {
	w.t.Helper()
	cmd := exec.Command("/bin/sh", "-c", ". ./exported; { "+line+"; }; code=$?; export -p >exported; exit $code")
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + filepath.Join(w.dir, "bin") + ":/usr/bin:/bin", "HOME=" + filepath.Join(w.dir, "home")}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() < 0 {
		w.t.Fatalf("%s: %v", line, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// Every command of the pages about tasks does what its page shows.
func TestTaskPages(t *testing.T) {
	for _, page := range []struct {
		name string
		code map[string]int     // exit codes other than 0, by a part of the command
		prep func(walk, string) // what the page has people bring along
	}{
		{name: "five-minutes"},
		{name: "ab", code: map[string]int{"--fail-if": 5}},
		{name: "backfill"},
		{name: "papermill", prep: bringModel},
	} {
		t.Run(page.name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("..", "..", "docs", page.name+".md"))
			if err != nil {
				t.Fatal(err)
			}
			w := newWalk(t)
			w.write("exported", "", 0o666)
			if page.prep != nil {
				page.prep(w, string(text))
			}
			for _, s := range sessions(t, string(text)) {
				if strings.HasPrefix(s.command, "python3 -m venv") {
					continue // which needs the network; .venv is there
				}
				want := 0
				for part, code := range page.code {
					if strings.Contains(s.command, part) {
						want = code
					}
				}
				code, output := w.shell(s.command)
				if code != want || !s.matches(output) {
					t.Errorf("%s\nexit code %d, want %d; the page shows\n%s\nand it printed\n%s", s.command, code, want, strings.Join(s.shown, "\n"), output)
				}
			}
		})
	}
}

// bringModel writes the template of the page about papermill, and its sweep file.
func bringModel(w walk, page string) {
	for _, block := range sourceRE.FindAllStringSubmatch(page, -1) {
		w.write("model.yaml", block[2], 0o666)
	}
	w.write("model.ipynb", string(notebookOf("python3", "python",
		[]string{"region = \"apac\"\nalpha = 0.5", "import scrapbook as sb", "sb.glue(\"auc\", round(0.92 - alpha / 10, 2))"})), 0o666)
}

func TestSessionMatches(t *testing.T) {
	s := session{shown: []string{"a … b", "…", "c"}}
	for output, want := range map[string]bool{
		"a 1 b\nc\n": true, "a 1 b\nx\ny\nc\n": true, "a 1 b\nc": false, "a\nc\n": false, "a 1 b\nc\nd\n": false,
	} {
		if got := s.matches(output); got != want {
			t.Errorf("matches(%q) = %v", output, got)
		}
	}
	if got := fmt.Sprint(sessions(t, "x\n\n    $ one\n    1\n    $ two\n\n    no\n")); got != "[{one [1]} {two []}]" {
		t.Errorf("sessions: %s", got)
	}
}

// portsOnLoopback is what the agents of a page need besides its files where all of them are
// one machine.
const portsOnLoopback = `
name = %q
bind_addr = "127.0.0.1"
disable_update_check = true
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
ports {
  http = %d
  rpc  = %d
  serf = %d
}
client {
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,cni"
  }
}
`

// agentOfPage starts an agent with a page's file.
func agentOfPage(t *testing.T, path, name, text string, rpc int) *agent {
	t.Helper()
	a := &agent{path: path, region: "global", dir: t.TempDir(), http: freePort(t), serf: freePort(t)}
	a.addr = fmt.Sprintf("http://127.0.0.1:%d", a.http)
	text = strings.NewReplacer("/var/lib/nomad", filepath.Join(a.dir, "data"), `bind_addr = "10.0.0.1"`, "",
		`"10.0.0.1"`, fmt.Sprintf("\"127.0.0.1:%d\"", rpc)).Replace(text)
	if name == "client" {
		rpc = freePort(t)
	}
	a.args = []string{"agent"}
	for file, text := range map[string]string{name + ".hcl": text, "loopback.hcl": fmt.Sprintf(portsOnLoopback, name, a.http, rpc, a.serf)} {
		file = filepath.Join(a.dir, file)
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		a.args = append(a.args, "-config", file)
	}
	var err error
	if a.log, err = os.Create(filepath.Join(a.dir, "log")); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	return a
}

// The page about a cluster makes one: its files start a server and a client that share a
// bucket, and its commands do what it says.
func TestClusterPage(t *testing.T) {
	deep(t)
	path, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH: the page's agents cannot be started")
	}
	t.Setenv("NOMAD_TOKEN", "")
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "cluster.md"))
	if err != nil {
		t.Fatal(err)
	}
	w, bucket, rpc := newWalk(t), storetest.S3(t), freePort(t)
	w.write("exported", "", 0o666)
	config := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)```(?:hcl|yaml)\n# ([^\\s,]+)[^\n]*\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		config[filepath.Base(block[1])] = block[2]
	}
	server := agentOfPage(t, path, "server", config["server.hcl"], rpc)
	client := agentOfPage(t, path, "client", config["client.hcl"], rpc)
	t.Cleanup(func() { client.end(true); server.end(false) })
	server.awaitNode(t)
	t.Logf("the client's agent: %s", client.addr)
	here := strings.NewReplacer("http://10.0.0.1:4646", server.addr, "/usr/local/bin/fanout", filepath.Join(w.dir, "bin", "fanout"),
		"/opt/venv", filepath.Join(w.dir, ".venv"), "AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…", "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test",
		"s3://sweeps/demo?region=eu-central-1", bucket.Where("demo"), "s3://sweeps/walk.sweep?region=eu-central-1", bucket.Where("walk.sweep"),
		"nomad var", "'"+path+"' var")
	w.write("fanout.yaml", here.Replace(config["fanout.yaml"]), 0o666)
	w.write("exported", "export NOMAD_ADDR="+server.addr+" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_EC2_METADATA_DISABLED=true\n", 0o666)
	done := 0
	for _, line := range strings.Split(string(text), "\n") {
		command, isCode := strings.CutPrefix(line, "    ")
		if !isCode || !regexp.MustCompile(`^(export|nomad var|fanout (init|doctor|run|compare|schedule)) `).MatchString(command) {
			continue
		}
		done++
		if code, output := w.shell(here.Replace(command)); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", command, code, output)
		}
	}
	if done != 7 {
		t.Errorf("%d commands of the page were executed", done)
	}
	if code, output := w.shell(here.Replace("fanout ls 's3://sweeps/walk.sweep?region=eu-central-1' --where 'run_status == \"succeeded\"'")); !strings.Contains(output, "24 runs") {
		t.Errorf("exit code %d\n%s", code, output)
	}
}

// Airflow executes the DAG of its page, twice: the second time nothing is left to do.
func TestAirflowPage(t *testing.T) {
	airflow, err := exec.LookPath("airflow")
	if err != nil {
		t.Skip("no airflow on PATH: the page's DAG cannot be executed")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "airflow.md"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWalk(t)
	w.write("exported", "export AIRFLOW_HOME="+w.dir+"/airflow AIRFLOW__CORE__DAGS_FOLDER="+w.dir+"/dags AIRFLOW__CORE__LOAD_EXAMPLES=False\n", 0o666)
	dag := regexp.MustCompile("(?s)```python\n(.*?)```").FindStringSubmatch(string(text))
	w.write("dags/sales.py", strings.ReplaceAll(dag[1], "/srv/sales", w.dir), 0o666)
	w.write("sales.ipynb", string(notebookOf("python3", "python", []string{"day = \"2026-01-01\""})), 0o666)
	w.write("sales.yaml", "name: sales\ntemplate: sales.ipynb\npython: .venv\ngrid: {day: {dates: {from: 2026-01-30, to: yesterday}}}\n", 0o666)
	for _, want := range []string{"sales: 2 runs: 2 new", "sales: 2 runs: 2 kept"} {
		code, output := w.shell("'" + airflow + "' db migrate >/dev/null 2>&1; '" + airflow + "' dags test sales 2026-02-01")
		if code != 0 || !strings.Contains(output, want) || !strings.Contains(output, "state=success") {
			t.Fatalf("exit code %d, want %q in\n%s", code, want, output)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "site", "index.html")); err != nil {
		t.Error(err)
	}
}
