package notice

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/grid"
)

// A webhook that leads elsewhere is an error: nobody else gets the message, or learns
// the URL, which often is a token.
func TestWebhookRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host is asked for %s, from %q", r.URL, r.Referer())
	}))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		hook := httptest.NewServer(http.RedirectHandler(other.URL, code))
		err := Send(t.Context(), grid.Notice{Webhook: hook.URL + "/T0KEN"}, Message{JSON: []byte("{}")})
		hook.Close()
		if err == nil || !strings.Contains(err.Error(), "name that place instead") || strings.Contains(err.Error(), "T0KEN") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// A mail server that never stops talking is an error, and costs no memory.
func TestEndlessMailServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for line := []byte(strings.Repeat("2", 1<<16)); err == nil; {
			_, err = c.Write(line)
		}
	}()
	err = Send(t.Context(), grid.Notice{Mail: &grid.Mail{From: "a@b.example", To: []string{"c@d.example"}, Server: l.Addr().String()}}, Message{Line: "x"})
	if err == nil || !strings.Contains(err.Error(), "replies do not end") {
		t.Error(err)
	}
}

// speaking is a server that answers each line of a client as reply says, and greets
// first if it is one for mail.
func speaking(t *testing.T, greeting string, reply func(line string) string) (address string) {
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
				io.WriteString(c, greeting)
				for in := bufio.NewScanner(c); in.Scan(); {
					if _, err := io.WriteString(c, reply(in.Text())); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestServersThatRepeat: what a server says in its refusal is what it was told, and
// none of that is in the error.
func TestServersThatRepeat(t *testing.T) {
	const path, sig = "/hooks/T0KEN-of-the-hook", "S1GNATURE"
	for what, reply := range map[string]string{
		"status": "HTTP/1.1 400 no " + path + "?sig=" + sig + "\r\nContent-Length: 0\r\n\r\n", "leads elsewhere": "HTTP/1.1 302 to " + path + "\r\nLocation: " + path + "\r\n\r\n",
		"no HTTP": "I know no " + path + "?sig=" + sig + "\r\n\r\n", "no status": "HTTP/1.1 " + sig + " x\r\n\r\n", "a broken header": "HTTP/1.1 200 OK\r\n" + sig + "\r\n\r\n",
	} {
		address := speaking(t, "", func(line string) string {
			if line != "" {
				return ""
			}
			return reply
		})
		t.Setenv("HOOK", "http://user:Pa55-w0rd@"+address+path+"?sig="+sig)
		err := Send(t.Context(), grid.Notice{WebhookEnv: "HOOK"}, Message{JSON: []byte("{}")})
		if text := fmt.Sprint(err); err == nil || !strings.Contains(text, address) || strings.Contains(text, "T0KEN") || strings.Contains(text, sig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for password, ends := range map[string]string{"s3cret-word": `535 "you said AGZhbm91dAB[secret]A=="`, "pw": "it answers 535", "": "xxx…"} {
		t.Setenv("MAIL_PASSWORD", password)
		address := speaking(t, "220 here\r\n", func(line string) string {
			switch word, rest, _ := strings.Cut(line, " "); word {
			case "EHLO":
				return "250-here\r\n250 AUTH PLAIN\r\n"
			case "AUTH":
				return "535 you said " + strings.TrimPrefix(rest, "PLAIN ") + "\r\n"
			default:
				return "550 " + strings.Repeat("x", 5000) + "\r\n"
			}
		})
		m := grid.Mail{From: "a@b.example", To: []string{"c@d.example"}, Server: address}
		if password != "" {
			m.User, m.PasswordEnv = "fanout", "MAIL_PASSWORD"
		}
		err := Send(t.Context(), grid.Notice{Mail: &m}, Message{Line: "x"})
		if text := fmt.Sprint(err); err == nil || !strings.Contains(text, "mail through "+address) || !strings.HasSuffix(text, ends) || len(text) > mostWords+100 {
			t.Errorf("%q: %.200q", password, text)
		}
	}
}
