package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/serve"
	"github.com/fanout-dev/fanout/internal/store"
)

// heard is what leaves a test by other ways than files and words.
type heard struct {
	mu  sync.Mutex
	all map[string]string
}

func (h *heard) add(where, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[where] += text
}

// mailServer takes every mail, and returns its address.
func mailServer(t *testing.T, h *heard) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "220 here\r\n")
				data := false
				for in := bufio.NewScanner(c); in.Scan(); {
					h.add("mail", in.Text()+"\n")
					switch line := in.Text(); {
					case line == "DATA":
						data = true
						fmt.Fprint(c, "354 go on\r\n")
					case !data || line == ".":
						data = false
						fmt.Fprint(c, "250 fine\r\n")
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

var addresses = regexp.MustCompile(`\b(?:href|src|action)="(/[^"]*)"`)

// crawl asks a server for all that its pages lead to, and their JSON.
func crawl(t *testing.T, h *heard, root string) (pages int) {
	t.Helper()
	s, err := serve.New(t.Context(), serve.Config{App: &app.App{OpenStore: store.Open, Warn: func(text string) { h.add("warnings of the server", text) }, Version: "test"}, Roots: []string{root},
		Errors: func(text string) { h.add("errors of the server", text) },
		Access: serve.Access{Auth: serve.None, Base: "/", Address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	known, queue := map[string]bool{"/": true}, []string{"/", "/schedules", "/launch", "/?q=leak2", "/metrics"}
	for ; len(queue) > 0 && pages < 400; queue = queue[1:] {
		for _, at := range []string{queue[0], "/api/v1" + queue[0]} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+at, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "localhost"
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(at, err)
			}
			h.add("served "+at, fmt.Sprint(res.Header)+string(body))
			if res.StatusCode == http.StatusOK {
				pages++
			}
			for _, m := range addresses.FindAllStringSubmatch(string(body), -1) {
				to := html.UnescapeString(m[1])
				if u, err := url.Parse(to); err == nil && !known[to] && !strings.HasPrefix(to, "/-/") && !strings.HasPrefix(u.Path, "/api/") && !strings.HasSuffix(u.Path, "/events") {
					known[to] = true
					queue = append(queue, to)
				}
			}
		}
	}
	return pages
}

// TestScanOfSteps looks for a secret in everything that a sweep with steps and
// notifications writes, prints, sends and serves, with warm kernels and with cold ones.
func TestScanOfSteps(t *testing.T) {
	interpreter := kerneltest.Python(t)
	for _, warm := range []string{"auto", "off"} {
		t.Run("warm "+warm, func(t *testing.T) { scanSteps(t, interpreter, warm) })
	}
}

func scanSteps(t *testing.T, interpreter, warm string) {
	const key = `Zk9pa"ss\wörd'<7>&+ QqXwVk`
	dir, h := t.TempDir(), &heard{all: map[string]string{}}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.add("webhook", r.URL.String()+string(body))
	}))
	defer hook.Close()
	t.Setenv("SCAN_KEY", key)
	t.Setenv("SCAN_HOOK", hook.URL+"/T0KEN-of-the-hook")
	t.Setenv("SCAN_FORMS", filepath.Join(t.TempDir(), "forms.json"))
	first := append(leaking[:len(leaking)-1:len(leaking)-1], `glue("note", forms); glue("rows", len(k))`)
	second := []string{"mode = 'ok'\nkey = ''\nnote = None", `import os
k = os.environ["SCAN_KEY"]
from fanout_glue import glue
print(note, k); glue("score", 1.5 if mode == "ok" else 2.5); glue("named " + k, k)
if mode == "raise": raise RuntimeError(k, note)`}
	for name, content := range map[string][]byte{
		"a.ipynb": notebookOf("python3", "python", first), "b.ipynb": notebookOf("python3", "python", second),
		"s.yaml": fmt.Appendf(nil, `name: leak2
steps:
  first: {template: a.ipynb, keep: "*.txt"}
  second: {template: b.ipynb, needs: first, with: {note: first.note}}
python: %s
kernel: {warm: %s}
parameters: {key: {secret: SCAN_KEY}}
grid: {mode: [ok, raise]}
notify: [{webhook: {secret: SCAN_HOOK}}, {mail: {to: [a@b.example], from: c@d.example, server: %q}}]
`, interpreter, warm, mailServer(t, h)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	say := func(want int, args ...string) {
		code, stdout, stderr := fanout(t, args...)
		if code != want {
			t.Errorf("%s: exit %d, want %d\n%s%s", args, code, want, stdout, stderr)
		}
		h.add(strings.Join(args[:min(len(args), 2)], " "), stdout+stderr)
	}
	s := filepath.Join(dir, "leak2.sweep")
	say(exitIncomplete, "run", filepath.Join(dir, "s.yaml"), "--log-output", "--no-progress")
	var ids []string
	runs, _ := filepath.Glob(filepath.Join(s, "runs", "*.ipynb"))
	for _, r := range runs {
		ids = append(ids, strings.TrimSuffix(filepath.Base(r), ".ipynb"))
	}
	if len(ids) != 4 {
		t.Fatal(ids)
	}
	say(exitOK, "plan", filepath.Join(dir, "s.yaml"), "-o", s, "--graph=dot")
	for _, id := range ids {
		say(exitOK, "why", s, id)
		say(exitOK, "show", s, id)
		say(exitOK, "show", s, id, "--json")
	}
	for _, verb := range [][]string{{"status", s}, {"status", s, "--json"}, {"ls", s, "--json"}, {"top", s, "--by", "score"}, {"find", "leak2", dir}, {"find", dir, "--json"}, {"compare", s}, {"diff", s, "--where", `run_step == "first"`}, {"logs", s},
		{"schedule", "ls", dir}, {"publish", s, "-o", filepath.Join(dir, "site")}, {"cancel", s}, {"gc", s}} {
		say(exitOK, verb...)
	}
	if n := crawl(t, h, dir); n < 30 {
		t.Errorf("only %d pages are served", n)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			h.add(path, path+string(b))
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if h.all["webhook"] == "" || !strings.Contains(h.all["mail"], "Subject:") {
		t.Error("nobody was notified")
	}
	delete(h.all, "webhook") // its own address
	checkForms(t, h.all, 300, "T0KEN-of-the-hook")
}

// checkForms looks for the forms that a notebook wrote down, and for other words, in
// all that was written, printed, sent and served.
func checkForms(t *testing.T, all map[string]string, least int, words ...string) {
	t.Helper()
	var forms []string
	if err := json.Unmarshal([]byte(read(t, os.Getenv("SCAN_FORMS"))), &forms); err != nil || len(forms) < 15 {
		t.Fatal(forms, err)
	}
	forms, marks := append(append(forms, "QqXwVk", "Zk9pa"), words...), 0
	for where, text := range all {
		for _, form := range forms {
			inJSON, _ := json.Marshal(form)
			for _, as := range []string{form, strings.Trim(string(inJSON), `"`), html.EscapeString(form), url.QueryEscape(form)} {
				if at := strings.Index(text, as); at >= 0 {
					t.Errorf("%s holds %q: …%q…", where, as, text[max(0, at-40):min(len(text), at+len(as)+10)])
				}
			}
		}
		marks += strings.Count(text, "[secret]")
	}
	if marks < least {
		t.Errorf("only %d marks: the notebook leaks too little", marks)
	}
}
