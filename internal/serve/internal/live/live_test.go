package live

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counter is watched by tests: its state is a number that grows.
type counter struct {
	n     atomic.Int64 // the state
	looks atomic.Int64
	names sync.Map // that were wanted
}

func (c *counter) look(_ context.Context, wanted []string) (map[string][]byte, time.Duration, error) {
	c.looks.Add(1)
	states := map[string][]byte{"sweep": fmt.Append(nil, c.n.Load())}
	for _, name := range wanted {
		c.names.Store(name, true)
		states[name] = fmt.Appendf(nil, "%q", name)
	}
	return states, 10 * time.Millisecond, nil
}

// server streams the counter at every path, under the path's name.
func server(t *testing.T, c *counter) (*Hub, string) {
	var hub Hub
	ctx, stop := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hub.Stream(ctx, w, r, "x", r.URL.Query()["want"], c.look)
	}))
	t.Cleanup(func() { stop(); s.CloseClientConnections(); s.Close() })
	return &hub, s.URL
}

// events reads a stream until enough says so, and returns the events as
// "id|name|data".
func events(t *testing.T, url, last string, enough func([]string) bool) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", last)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var all []string
	var id, name string
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		field, text, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = text
		case "event":
			name = text
		case "data":
			all = append(all, id+"|"+name+"|"+text)
			if enough(all) {
				return all
			}
		}
	}
	t.Fatalf("the stream ended after %q", all)
	return nil
}

func first([]string) bool { return true }

// One who looks looks for all, and when nobody watches nobody looks.
func TestOneLooksForAll(t *testing.T) {
	c := &counter{}
	hub, url := server(t, c)
	c.n.Store(7)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			got := events(t, url, "", func(all []string) bool { return strings.HasSuffix(all[len(all)-1], "|8") })
			if !strings.HasSuffix(got[len(got)-1], "|sweep|8") {
				t.Errorf("got %q", got)
			}
		})
	}
	for hub.Clients() < 50 {
		time.Sleep(time.Millisecond)
	}
	before, began := c.looks.Load(), time.Now()
	time.Sleep(100 * time.Millisecond)
	if looks, most := c.looks.Load()-before, int64(time.Since(began)/(10*time.Millisecond))+2; looks > most {
		t.Errorf("%d looks for 50 clients, want at most %d", looks, most)
	}
	c.n.Store(8)
	wg.Wait()
	for hub.Clients() > 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(30 * time.Millisecond)
	before = c.looks.Load()
	time.Sleep(50 * time.Millisecond)
	if after := c.looks.Load(); after != before {
		t.Errorf("%d looks although nobody watches", after-before)
	}
}

// A client that was cut off gets what changed since, and no more.
func TestResume(t *testing.T) {
	c := &counter{}
	_, url := server(t, c)
	stays, err := http.Get(url) // keeps what is watched alive
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Body.Close()
	got := events(t, url+"?want=run/a", "", func(all []string) bool { return len(all) == 2 })
	var last string
	for _, e := range got {
		last, _, _ = strings.Cut(e, "|")
	}
	c.n.Store(5)
	again := events(t, url+"?want=run/a", last, first)
	if len(again) != 1 || !strings.HasSuffix(again[0], "|sweep|5") {
		t.Errorf("after %s: %q, want the one that changed", last, again)
	}
	for _, id := range []string{"other-1", last + "9", "", "-", "x"} {
		if all := events(t, url, id, first); !strings.HasSuffix(all[0], "|sweep|5") {
			t.Errorf("after %q: %q, want everything", id, all)
		}
	}
}

// Only who asked for a run gets what it prints.
func TestWants(t *testing.T) {
	c := &counter{}
	_, url := server(t, c)
	all := events(t, url+"?want=run/a", "", func(all []string) bool { return len(all) == 2 })
	if text := strings.Join(all, " "); !strings.Contains(text, `|run|"run/a"`) {
		t.Errorf("got %q", all)
	}
	c.n.Store(1)
	other := events(t, url, "", first)
	if strings.Contains(strings.Join(other, " "), "run/a") {
		t.Errorf("got %q", other)
	}
}

// A client that reads nothing holds up nobody.
func TestSlowClient(t *testing.T) {
	c := &counter{}
	hub, url := server(t, c)
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for i := range 200 {
		c.n.Store(int64(i))
		time.Sleep(time.Millisecond)
	}
	// What was polled last may be a little older.
	events(t, url, "", func(all []string) bool { return strings.HasSuffix(all[len(all)-1], "|sweep|199") })
	if n := hub.Clients(); n < 1 {
		t.Errorf("%d clients", n)
	}
}
