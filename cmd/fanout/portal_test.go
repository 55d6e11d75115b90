package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
)

// postBox is an SMTP server on this machine that keeps the mail it gets.
func postBox(t *testing.T) (at string, box chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	box = make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go takeMail(conn, box)
		}
	}()
	return l.Addr().String(), box
}

func takeMail(conn net.Conn, box chan string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 here\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case verb == "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			var text strings.Builder
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
				text.WriteString(line)
			}
			box <- text.String()
			fmt.Fprint(conn, "250 taken\r\n")
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
}

// templateIn writes a template in Python.
func templateIn(t *testing.T, path, title, parameters, code string) {
	t.Helper()
	text := fmt.Sprintf(`{"cells": [{"cell_type": "markdown", "metadata": {}, "source": "# %s"},
 {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "execution_count": null, "outputs": [], "source": %q},
 {"cell_type": "code", "metadata": {}, "execution_count": null, "outputs": [], "source": %q}],
 "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}, "nbformat": 4, "nbformat_minor": 4}`, title, parameters, code)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// visitor is somebody in front of a browser, who knows no command.
type visitor struct {
	t    *testing.T
	tab  context.Context
	base string
}

func (v visitor) eval(script string) string {
	v.t.Helper()
	text, err := chromedp.Run(v.tab, chromedp.Evaluate[string]("String("+script+")"))
	if err != nil {
		v.t.Fatalf("%s: %v", script, err)
	}
	return text
}

func (v visitor) open(path string) {
	v.t.Helper()
	if err := chromedp.Do(v.tab, chromedp.Navigate(v.base+path)); err != nil {
		v.t.Fatalf("open %s: %v", path, err)
	}
}

// see waits until the page shows a text; reload says that it is looked at again.
func (v visitor) see(text string, reload bool) {
	v.t.Helper()
	const script = `document.readyState === "complete" ? document.body.innerText : ""`
	page := ""
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		if page = v.eval(script); strings.Contains(page, text) {
			return
		}
		if reload {
			chromedp.Do(v.tab, chromedp.Navigate(v.eval("location.href.split('#')[0]")))
		}
	}
	v.t.Fatalf("the page %s does not show %q:\n%s", v.eval("location.href"), text, page)
}

// fill fills a field in, as typing does; click clicks what has a text.
func (v visitor) fill(name, text string) {
	v.t.Helper()
	v.eval(fmt.Sprintf(`(f => { f.closest("details")?.setAttribute("open", ""); f.value = %q; f.dispatchEvent(new Event("input", {bubbles: true})); })(document.getElementsByName(%q)[0])`, text, name))
}

func (v visitor) click(text string) {
	v.t.Helper()
	script := fmt.Sprintf(`(e => { if (e) e.click(); return Boolean(e); })([...document.querySelectorAll("main button"), ...document.querySelectorAll("main a, .tools a")].find(e => e.textContent.trim() === %q))`, text)
	for end := time.Now().Add(time.Minute); v.eval(script) != "true"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			v.t.Fatalf("the page %s has no %q to click:\n%s", v.eval("location.href"), text, v.eval("document.body.innerText"))
		}
	}
}

// complaints gathers what the browser has to say about the pages of a tab.
func complaints(t *testing.T, tab context.Context) func() []string {
	t.Helper()
	var mu sync.Mutex
	var all []string
	add := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, text)
	}
	sure(t, chromedp.Listen(tab, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			add("exception: " + e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			add("console: " + string(e.Type))
		case *log.EventEntryAdded:
			add("log: " + e.Entry.Text)
		}
	}))
	sure(t, chromedp.Do(tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err1 := cdp.Call(ctx, tab, log.Enable, cdp.Empty{})
		_, err2 := cdp.Call(ctx, tab, runtime.Enable, cdp.Empty{})
		return errors.Join(err1, err2)
	})))
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// partsOf are the subject of a mail, to whom it goes, and its parts as people read them.
func partsOf(t *testing.T, text string) (subject, to string, parts map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	sure(t, err)
	_, how, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	sure(t, err)
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	sure(t, err)
	parts = map[string]string{}
	for r := multipart.NewReader(m.Body, how["boundary"]); ; {
		part, err := r.NextPart() // it decodes quoted-printable
		if err == io.EOF {
			return subject, m.Header.Get("To"), parts
		}
		sure(t, err)
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		sure(t, err)
		body, err := io.ReadAll(part)
		sure(t, err)
		parts[kind] = string(body)
	}
}

// Somebody new has two templates and a sweep file, and the address of a server. From its
// pages alone he launches a template with other parameters, schedules the sweep nightly,
// has three nights of it made, sees the last against the one before, and people get a
// report without code by mail. The browser has nothing to complain about.
func TestPortal(t *testing.T) {
	python := os.Getenv("FANOUT_TEST_PYTHON")
	if python == "" {
		t.Skip("FANOUT_TEST_PYTHON names no Python with ipykernel")
	}
	tab := browsertest.Chromium(t)
	said := complaints(t, tab)
	dir, home := t.TempDir(), t.TempDir()
	smtp, box := postBox(t)
	templateIn(t, filepath.Join(dir, "stock.ipynb"), "Stock", "region = 'emea'\nlevel = 3  # what is left\n", "import fanout_glue\nfanout_glue.glue('twice', level * 2)")
	templateIn(t, filepath.Join(dir, "demand.ipynb"), "Demand", "region = 'emea'\nday = '2026-01-01'\n",
		"import fanout_glue\nprint('for people')\nfanout_glue.glue('demand', 100.0 + len(region) + int(day[-2:]))")
	day := func(before int) string { return time.Now().UTC().AddDate(0, 0, -before).Format(time.DateOnly) }
	for name, text := range map[string]string{
		"fanout.yaml": "python: " + python + "\njobs: 2\n",
		"demand.yaml": "name: demand\ntemplate: demand.ipynb\ngrid:\n  region: [emea, apac]\n  day: {dates: {from: " + day(4) + ", to: yesterday}}\nmetrics: {demand: maximize}\n" +
			"html: {code: false, name: \"{region}-{day}.html\"}\nnotify: {mail: {to: ana@example.org, from: fanout@example.org, server: \"" + smtp + "\"}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	where, token, _ := strings.Cut(serveIn(t, dir, home, ".", "--allow-launch", "--schedule").address, "?token=")
	v := visitor{t, tab, strings.TrimSuffix(where, "/")}
	v.open("/?token=" + token)
	v.see("No sweeps here yet", false)

	v.fill("q", "stock")
	v.see("To launch: Stock", false)
	v.click("Stock")
	v.see("what is left", false)
	v.fill("v.level", "21")
	v.click("Show what would run")
	v.see("1 new", false)
	v.click("Launch")
	v.see("What was asked for", true)
	v.see("succeeded", true)
	v.open("/?q=stock")
	v.see("1 succeeded", true)
	v.eval(`document.querySelector('main a[href^="/s/"]').click()`)
	v.see("1 run: 1 succeeded", true)
	v.click("Runs")
	v.see("1 run", false)
	v.click("level=21")
	v.see("42", false)

	v.open("/launch")
	v.click("demand.yaml")
	v.see("every night, or whenever you say", false)
	v.fill("cron", "0 0 * *")
	v.see("missing field", false)
	v.fill("cron", "0 0 * * *")
	v.fill("tz", "UTC")
	v.see("Next:", false)
	if next := v.eval(`document.querySelector("output.next").innerText`); strings.Count(next, " 00:00 UTC") != 5 {
		t.Errorf("when it is due next is %q", next)
	}
	v.click("Schedule")
	v.see("Scheduled", false)
	v.click("Scheduled")
	v.see("This server fires it", false)
	v.fill("from", day(2))
	v.fill("to", day(1))
	v.click("Catch up")
	for _, night := range []string{day(2), day(1)} {
		v.rows(night+" 00:00 UTC", "done", 1)
	}
	v.click("Nights")
	v.see(day(2)+" against "+day(3), true)
	v.click("Schedule")
	v.see("This server fires it", false)
	v.click("Fire now")
	v.rows("", "done", 3)
	at := v.eval("location.pathname")
	v.click("What it printed")
	v.see("The firing due", false)
	v.see("demand.sweep", false)
	v.click("2 runs")
	v.see("report", false)
	v.click("Open")
	v.see("for people", false)
	if v.eval("self.origin") != "null" || strings.Contains(v.eval("document.body.innerText"), "glue") {
		t.Errorf("a report is of the origin %s, and says %s", v.eval("self.origin"), v.eval("document.body.innerText"))
	}
	v.open(at)

	v.click("Nights")
	v.see(day(1)+" against "+day(2), true)
	v.see("cells that differ", true)
	v.click("cells that differ")
	v.see("fanout_glue", true)

	for i, runs := range []string{"4 runs: 4", "6 runs: 6", "8 runs: 8"} {
		select {
		case text := <-box:
			subject, to, parts := partsOf(t, text)
			if subject != "demand: "+runs+" succeeded" || to != "<ana@example.org>" || len(parts) != 2 {
				t.Errorf("mail %d is %q to %q: %v", i+1, subject, to, parts)
			}
			for kind, body := range parts {
				if !strings.Contains(body, day(3-i)) || strings.Contains(body, "fanout_glue.glue") {
					t.Errorf("mail %d, %s: %s", i+1, kind, body)
				}
			}
		case <-time.After(time.Minute):
			t.Fatal("no mail came")
		}
	}
	v.open("/")
	v.see("last "+time.Now().UTC().Format(time.DateOnly), true) // the firing that was asked for
	if front := v.eval("document.body.innerText"); strings.Contains(front, "did not go well") || strings.Contains(front, "not ended") {
		t.Errorf("%s", front)
	}
	page, err := os.ReadFile(filepath.Join(dir, "demand.sweep", "pages", "emea-"+day(1)+".html"))
	if err != nil || !strings.Contains(string(page), "for people") || strings.Contains(string(page), "fanout_glue") {
		t.Errorf("%v %.500s", err, page)
	}
	code, audit, _ := fanout(t, "audit", filepath.Join(dir, "demand.sweep"))
	for _, deed := range []string{"schedule ", "schedule catchup ", "schedule run-now "} {
		if code != exitOK || !regexp.MustCompile(`(?m)^- .* web +\S.* fanout `+deed).MatchString(audit) {
			t.Errorf("that %swas ordered in the browser is not in the audit:\n%s", deed, audit)
		}
	}
	if all := said(); len(all) > 0 {
		t.Errorf("the browser says %q", all)
	}
}

// rows waits until a table of the page has n rows that contain a text and end with words.
func (v visitor) rows(text, words string, n int) {
	v.t.Helper()
	count := fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].filter(r => r.innerText.includes(%q) && [...r.cells].some(c => c.innerText.trim() === %q)).length`, text, words)
	for end := time.Now().Add(3 * time.Minute); v.eval(count) != strconv.Itoa(n); time.Sleep(300 * time.Millisecond) {
		if time.Now().After(end) {
			v.t.Fatalf("the page %s does not have %d rows of %q and %q:\n%s", v.eval("location.href"), n, text, words, v.eval("document.body.innerText"))
		}
	}
}

// A server is fanout serve, in a process of its own.
type server struct {
	t       *testing.T
	address string // with the token
	cmd     *exec.Cmd
}

// serveIn starts a server in a folder; it ends with the test, or earlier.
func serveIn(t *testing.T, dir, home string, args ...string) server {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asFanout+"=1", "HOME="+home, "XDG_STATE_HOME="+home, "XDG_CACHE_HOME="+home)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := server{t, "", cmd}
	t.Cleanup(s.end)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.address = strings.TrimSpace(address)
	return s
}

func (s server) end() { s.cmd.Process.Signal(syscall.SIGTERM); s.cmd.Wait() }
