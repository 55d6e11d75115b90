package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
)

// postBox is an SMTP server on this machine that keeps the mail it gets.
func postBox(t *testing.T) (at string, mail chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	mail = make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go takeMail(conn, mail)
		}
	}()
	return l.Addr().String(), mail
}

func takeMail(conn net.Conn, mail chan string) {
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
			mail <- text.String()
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
	v.eval(fmt.Sprintf(`[...document.querySelectorAll("main button"), ...document.querySelectorAll("main a, .tools a")].find(e => e.textContent.trim() === %q).click()`, text))
}

// Somebody new has two templates and a sweep file, and the address of a server. From its
// pages alone he launches a template with other parameters, schedules the sweep nightly,
// sees tonight against last night, and people get a report without code by mail.
func TestPortal(t *testing.T) {
	python := os.Getenv("FANOUT_TEST_PYTHON")
	if python == "" {
		t.Skip("FANOUT_TEST_PYTHON names no Python with ipykernel")
	}
	tab := browsertest.Chromium(t)
	dir, home := t.TempDir(), t.TempDir()
	smtp, mail := postBox(t)
	templateIn(t, filepath.Join(dir, "stock.ipynb"), "Stock", "region = 'emea'\nlevel = 3  # what is left\n", "print('level', level * 2)")
	templateIn(t, filepath.Join(dir, "demand.ipynb"), "Demand", "region = 'emea'\nday = '2026-01-01'\n",
		"import fanout_glue\nprint('for people')\nfanout_glue.glue('demand', 100.0 + len(region) + int(day[-2:]))")
	day := func(before int) string { return time.Now().UTC().AddDate(0, 0, -before).Format(time.DateOnly) }
	for name, text := range map[string]string{
		"fanout.yaml": "python: " + python + "\njobs: 2\n",
		"demand.yaml": "name: demand\ntemplate: demand.ipynb\ngrid:\n  region: [emea, apac]\n  day: {dates: {from: " + day(3) + ", to: yesterday}}\nmetrics: {demand: maximize}\n" +
			"html: {code: false, name: \"{region}-{day}.html\"}\nnotify: {mail: {to: ana@example.org, from: fanout@example.org, server: \"" + smtp + "\"}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	v := visitor{t, tab, ""}
	v.base = serveIn(t, dir, home)
	where, token, _ := strings.Cut(v.base, "?token=")
	v.base = strings.TrimSuffix(where, "/")
	v.open("/?token=" + token)

	v.click("Launch")
	v.see("Stock", false)
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

	v.open("/launch")
	v.click("demand.yaml")
	v.see("Every night, or when you say", false)
	v.fill("cron", "0 4 * *")
	v.see("missing field", false)
	v.fill("cron", "0 4 * * *")
	v.see("Next:", false)
	v.click("Schedule")
	v.see("Scheduled", false)
	v.click("Scheduled")
	v.see("This server fires it", false)
	v.click("Fire now")
	v.see("done", true)

	v.click("Nights")
	v.see(day(1)+" against "+day(2), false)
	v.click("cells that differ")
	v.see("fanout_glue", true)

	select {
	case m := <-mail:
		if !strings.Contains(m, "Subject: demand: 6 runs: 6 succeeded") || strings.Contains(m, "fanout_glue.glue") || !strings.Contains(m, "To: <ana@example.org>") {
			t.Errorf("%s", m)
		}
	case <-time.After(time.Minute):
		t.Error("no mail came")
	}
	page, err := os.ReadFile(filepath.Join(dir, "demand.sweep", "pages", "emea-"+day(1)+".html"))
	if err != nil || !strings.Contains(string(page), "for people") || strings.Contains(string(page), "fanout_glue") {
		t.Errorf("%v %.500s", err, page)
	}
}

// serveIn starts a server of a folder, and returns its address with the token.
func serveIn(t *testing.T, dir, home string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "serve", ".", "--allow-launch", "--schedule", "--listen", "127.0.0.1:0")
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
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}
