package notice

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/grid"
)

// TestWebhook: a URL may come from the environment, and no error repeats more of
// it than the host.
func TestWebhook(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = r.URL.Path + " " + string(b)
		if strings.HasPrefix(r.URL.Path, "/refused") {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	t.Setenv("HOOK", server.URL+"/T0KEN")
	if err := Send(t.Context(), grid.Notice{WebhookEnv: "HOOK"}, Message{JSON: []byte("{}")}); err != nil || got != "/T0KEN {}" {
		t.Errorf("%q %v", got, err)
	}
	for what, n := range map[string]grid.Notice{
		"refused":     {Webhook: server.URL + "/refused/T0KEN?key=T0KEN"},
		"unreachable": {Webhook: "http://user:T0KEN@127.0.0.1:1/T0KEN"},
		"no URL":      {Webhook: "http://[T0KEN"},
		"not set":     {WebhookEnv: "NO_SUCH_HOOK"},
	} {
		if err := Send(t.Context(), n, Message{JSON: []byte("{}")}); err == nil || strings.Contains(err.Error(), "T0KEN") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
