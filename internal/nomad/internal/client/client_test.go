package client

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

const limit = 1 << 20

var short = bounds{limit, 1000, 10_000, 2 * limit, usual.begins, usual.ends}

// serve returns a client of a server that answers so.
func serve(t *testing.T, answer http.HandlerFunc) *api.Client { return serveWithin(t, short, answer) }

func serveWithin(t *testing.T, b bounds, answer http.HandlerFunc) *api.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	c, err := within(&api.Config{Address: s.URL, SecretID: "token", TLSConfig: &api.TLSConfig{}}, b)
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

// No other host is asked, whatever address a server gives for a node: Nomad's library
// would ask it, with the token.
func TestNodesAreNotAsked(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("another host is asked for %s with the token %q", r.URL, r.Header.Get("X-Nomad-Token"))
	}))
	defer other.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/node/") {
			fmt.Fprintf(w, `{"Status":"ready","HTTPAddr":%q}`, strings.TrimPrefix(other.URL, "http://"))
			return
		}
		io.WriteString(w, `{"Data":"YQ=="}`)
	})
	node, err := c.GetNodeClient("n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := node.Jobs().List(nil); err == nil || !strings.Contains(err.Error(), "is not asked: NOMAD_ADDR names another server") {
		t.Errorf("jobs: %v", err)
	}
	frames, errs := c.AllocFS().Logs(&api.Allocation{ID: "a", NodeID: "n"}, false, "t", "stderr", "start", 0, nil, nil)
	select {
	case f := <-frames:
		if string(f.Data) != "a" {
			t.Errorf("%q", f.Data)
		}
	case err := <-errs:
		t.Error(err)
	}
}

// A few bytes do not become much memory: lists of objects with nothing in them, however
// deep, are errors.
func TestManyValues(t *testing.T) {
	for name, text := range map[string]string{
		"objects": "{},", "lists": "[],", "texts": `"",`, "numbers": "0,", "deep": `{"TaskStates":{"a":{}}},`,
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "[")
			for line := []byte(strings.Repeat(text, 1<<16/len(text))); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		})
		body, err := c.Raw().Response("/v1/jobs", nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, body)
		body.Close()
		if !errors.Is(err, errMany) || n > 1<<17 {
			t.Errorf("%s: %v after %d bytes", name, err, n)
		}
	}
}

// A text that does not end, and blanks that do not, are errors long before the reply
// is as long as one may be.
func TestLongValues(t *testing.T) {
	b := short
	b.run = limit / 10
	for name, tt := range map[string]struct {
		begins, goes string
		want         error
	}{
		"text":    {`[{"ID":"`, "a", errLong},
		"escaped": {`[{"ID":"`, `\"`, errLong},
		"blanks":  {`[`, " ", errLong},
		"number":  {`[{"ModifyIndex":`, "1", errLong},
		"short":   {`[`, `{"ID":"` + strings.Repeat("a", limit/20) + `"},   `, nil},
	} {
		c := serveWithin(t, b, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, tt.begins+strings.Repeat(tt.goes, limit/2/len(tt.goes)))
		})
		body, err := c.Raw().Response("/v1/jobs", nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, body)
		body.Close()
		if !errors.Is(err, tt.want) || err != nil && n > limit/5 {
			t.Errorf("%s: %v after %d bytes", name, err, n)
		}
	}
}

// Of a refusal without end the beginning is read.
func TestEndlessRefusals(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		w.Write([]byte("slowly! "))
		spaces(w)
	})
	_, _, err := c.Jobs().List(nil)
	if err == nil || !strings.Contains(err.Error(), "slowly!") || len(err.Error()) > maxRefusal+1000 {
		t.Errorf("%.200v", err)
	}
}

// A page for people is said to be one.
func TestPages(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<html>Sign in")
	})
	if _, _, err := c.Jobs().List(nil); !errors.Is(err, errPage) {
		t.Error(err)
	}
	if _, err := c.Raw().Response(eventStream, nil); !errors.Is(err, errPage) {
		t.Error(err)
	}
}

// A server that accepts and never answers, and one that never comes to an end, are
// waited for as long as the bounds say.
func TestSilence(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no answer": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a drip": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "[")
			for r.Context().Err() == nil {
				io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		},
	} {
		c := serveWithin(t, bounds{limit, 1000, 10_000, limit, 50 * time.Millisecond, 50 * time.Millisecond}, answer)
		if _, _, err := c.Jobs().List(nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if usual.objects > 1_500_000 || usual.parts > 20_000_000 || usual.begins > time.Minute || usual.ends > 90*time.Second {
		t.Errorf("docs/security.md names other bounds than %+v", usual)
	}
}
