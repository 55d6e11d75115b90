package client

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

const limit = 1 << 20

// serve returns a client of a server that answers so.
func serve(t *testing.T, answer http.HandlerFunc) *api.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := within(&api.Config{Address: s.URL, SecretID: "token", TLSConfig: &api.TLSConfig{}}, limit)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A redirect to another host does not take the token there.
func TestTokenStays(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		t.Errorf("it is asked for %s with the token %q", r.URL, r.Header.Get("X-Nomad-Token"))
	}))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+r.URL.Path, code) })
		_, _, err := c.Jobs().List(nil)
		if err == nil || !strings.Contains(err.Error(), "redirects to "+other.URL+", which does not get the token") {
			t.Errorf("%d: %v", code, err)
		}
	}
	if asked > 0 {
		t.Errorf("it is asked %d times", asked)
	}
}

// Redirects within the server are followed, but not for ever.
func TestRedirectsWithin(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("prefix") == "ever", r.URL.Path == "/ever":
			http.Redirect(w, r, "/ever", http.StatusTemporaryRedirect)
		case r.URL.Path != "/ui":
			http.Redirect(w, r, "/ui", http.StatusTemporaryRedirect)
		case r.Header.Get("X-Nomad-Token") != "token":
			t.Error("the token is gone")
		default:
			io.WriteString(w, `[{"ID":"a"}]`)
		}
	})
	jobs, _, err := c.Jobs().List(nil)
	if err != nil || len(jobs) != 1 || jobs[0].ID != "a" {
		t.Errorf("%v, %v", jobs, err)
	}
	if _, _, err := c.Jobs().List(&api.QueryOptions{Prefix: "ever"}); err == nil || !strings.Contains(err.Error(), "redirects for ever") {
		t.Errorf("for ever: %v", err)
	}
}

// spaces is a JSON text that does not end.
func spaces(w io.Writer) {
	line := []byte(strings.Repeat(" ", 1<<16))
	for range 100 * limit / len(line) {
		if _, err := w.Write(line); err != nil {
			return
		}
	}
}

// Replies without end are errors, packed ones too, and cost no memory, be they what
// was asked for or an error.
func TestEndlessReplies(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "["); spaces(w) },
		"packed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			io.WriteString(z, "[")
			spaces(z)
			z.Close()
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		jobs, _, err := serve(t, answer).Jobs().List(nil)
		runtime.ReadMemStats(&after)
		if err == nil || len(jobs) > 0 || !strings.Contains(err.Error(), errEndless.Error()) {
			t.Errorf("%s: %d jobs, %v", name, len(jobs), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 20*limit {
			t.Errorf("%s: allocated %d MB", name, used>>20)
		}
	}
}

// A list with an entry that is null is an error, before Nomad's library looks at it;
// null elsewhere is none.
func TestNullEntries(t *testing.T) {
	for text, bad := range map[string]bool{
		`[null]`: true, ` [ {"ID":"a"} , null ]`: true, `[{"ID":"]\"\\"},null]`: true,
		`[]`: false, `null`: false, `[{"ID":"a","Meta":null}]`: false, `[{"ID":"[null"},{"ID":"\\\",null"}]`: false,
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			for i := range len(text) { // wherever it is divided
				io.WriteString(w, text[i:i+1])
				w.(http.Flusher).Flush()
			}
		})
		_, _, err := c.Jobs().List(nil)
		if is := err != nil && strings.Contains(err.Error(), errNull.Error()); is != bad || !bad && err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is packed is unpacked, and an empty reply stays one.
func TestPackedReplies(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
		}
		z := gzip.NewWriter(w)
		io.WriteString(z, `[{"ID":"a"}]`)
		z.Close()
	})
	if jobs, _, err := c.Jobs().List(nil); err != nil || len(jobs) != 1 || jobs[0].ID != "a" {
		t.Errorf("%v, %v", jobs, err)
	}
	if _, _, err := c.Jobs().Deregister("a", false, nil); err == nil || !strings.Contains(err.Error(), `[{"ID":"a"}]`) {
		t.Errorf("an error that is packed: %v", err)
	}
}
