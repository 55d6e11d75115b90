package browsertest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Firefox is asked over its remote protocol, Marionette.
type Firefox struct {
	t    *testing.T
	conn net.Conn
	from *bufio.Reader
	asks int
}

// preferences keep Firefox from asking anybody else for anything.
const preferences = `user_pref("marionette.port", %d);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("browser.startup.page", 0);
`

// StartFirefox starts a browser; it ends with the test. A test is skipped where
// there is none, unless FANOUT_TEST_REQUIRE names firefox.
func StartFirefox(t *testing.T) *Firefox {
	t.Helper()
	program := ""
	for _, name := range []string{"firefox-esr", "firefox"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "firefox") {
			t.Fatal("no firefox is on PATH")
		}
		t.Skip("firefox is not on PATH (on Debian: apt install firefox-esr)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	home := t.TempDir()
	profile := filepath.Join(home, "profile")
	if err := os.Mkdir(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), fmt.Appendf(nil, preferences, port), 0o600); err != nil {
		t.Fatal(err)
	}
	browser := exec.CommandContext(t.Context(), program, "--headless", "--marionette", "--no-remote", "--profile", profile, "about:blank")
	browser.Env = append(os.Environ(), "HOME="+home, "MOZ_HEADLESS_WIDTH=1200", "MOZ_HEADLESS_HEIGHT=900")
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	f := &Firefox{t: t}
	t.Cleanup(func() {
		if f.conn != nil {
			f.conn.Close()
		}
		browser.Process.Kill()
		browser.Wait()
	})
	for i := 0; f.conn == nil; i++ {
		if f.conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil && i > 1200 {
			t.Fatalf("firefox does not answer: %v", err)
		} else if err != nil {
			f.conn = nil
			time.Sleep(50 * time.Millisecond)
		}
	}
	f.from = bufio.NewReader(f.conn)
	f.read() // who it is
	f.ask("WebDriver:NewSession", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"acceptInsecureCerts": true}}})
	return f
}

// Open goes to an address, and waits until the page is loaded.
func (f *Firefox) Open(address string) {
	f.t.Helper()
	f.ask("WebDriver:Navigate", map[string]any{"url": address})
}

// Frame goes into the first frame that a selector finds; "" is back to the page.
func (f *Firefox) Frame(selector string) {
	f.t.Helper()
	if selector == "" {
		f.ask("WebDriver:SwitchToFrame", map[string]any{"id": nil})
		return
	}
	found := f.ask("WebDriver:FindElement", map[string]any{"using": "css selector", "value": selector})
	var v struct {
		Value map[string]string
	}
	if err := json.Unmarshal(found, &v); err != nil {
		f.t.Fatal(err)
	}
	for key, id := range v.Value {
		f.ask("WebDriver:SwitchToFrame", map[string]any{"element": id, "id": map[string]string{key: id}})
	}
}

// Evaluate runs the body of a function, and reads what it returns.
func (f *Firefox) Evaluate(body string, into any) {
	f.t.Helper()
	answer := f.ask("WebDriver:ExecuteScript", map[string]any{"script": body, "args": []any{}})
	v := struct{ Value any }{into}
	if err := json.Unmarshal(answer, &v); err != nil {
		f.t.Fatalf("%s: %v in %s", body, err, answer)
	}
}

// ask sends a command and waits for its answer.
func (f *Firefox) ask(command string, parameters any) json.RawMessage {
	f.t.Helper()
	f.asks++
	text, err := json.Marshal([]any{0, f.asks, command, parameters})
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f.conn, "%d:%s", len(text), text); err != nil {
		f.t.Fatal(err)
	}
	var answer [4]json.RawMessage
	if err := json.Unmarshal(f.read(), &answer); err != nil {
		f.t.Fatal(err)
	}
	if text := string(answer[2]); text != "null" {
		f.t.Fatalf("firefox: %s: %s", command, text)
	}
	return answer[3]
}

// read reads one message: its length, a colon, and JSON.
func (f *Firefox) read() []byte {
	f.t.Helper()
	f.conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	length, err := f.from.ReadString(':')
	if err != nil {
		f.t.Fatalf("firefox: %v", err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil || n < 0 || n > 64<<20 {
		f.t.Fatalf("firefox says %q", length)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(f.from, text); err != nil {
		f.t.Fatalf("firefox: %v", err)
	}
	return text
}
