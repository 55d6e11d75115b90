package notice

import (
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
