package remote

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// replies is a client that answers every request with one body.
type replies struct{ body io.ReadCloser }

func (c replies) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: c.body, Request: r}, nil
}

// reply is what a watched client says, whose server sends size bytes every pause,
// times times, and then nothing for ever. tell is called when people are told.
func reply(t *testing.T, method string, size int, pause time.Duration, times int, tell func()) io.ReadCloser {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range times {
			time.Sleep(pause)
			if _, err := w.Write(make([]byte, size)); err != nil {
				return
			}
		}
	}()
	q, err := http.NewRequest(method, "http://store/b/k", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Watched(replies{r}, &Clock{}, &Health{Tell: tell}).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		res.Body.Close()
		<-done
	})
	return res.Body
}

// A reply ends with an error a minute after it hardly goes on, however it drips, and
// people are told before, unless it is one to a write, which may take its time.
func TestStalledReplies(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		size   int
		pause  time.Duration
		times  int
		want   time.Duration // after which it is given up
		bytes  int64
		told   time.Duration // 0 if they are not
	}{
		"nothing comes":              {"GET", 0, 0, 0, time.Minute, 0, 5 * time.Second},
		"it stops":                   {"GET", 1 << 20, time.Second, 3, 63 * time.Second, 3 << 20, 8 * time.Second},
		"a byte a second":            {"GET", 1, time.Second, 1 << 30, time.Minute, 60, 5 * time.Second},
		"a kilobyte a second":        {"GET", 1 << 10, time.Second, 1 << 30, 80 * time.Second, 80 << 10, 6 * time.Second},
		"a write works for long":     {"POST", 1, 20 * time.Second, 30, writeLimit, 30, 0},
		"a write drips for too long": {"PUT", 1, time.Second, 1 << 30, writeLimit, 900, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var told time.Duration
				n, err := io.Copy(io.Discard, reply(t, tt.method, tt.size, tt.pause, tt.times, func() { told = time.Since(began) }))
				waited := time.Since(began)
				synctest.Wait() // told is written by a timer
				if told < tt.told || told > tt.told+time.Second {
					t.Errorf("told after %v, want %v", told, tt.told)
				}
				if !errors.Is(err, ErrStalled) || waited < tt.want-2*time.Second || waited > tt.want+2*time.Second {
					t.Errorf("%v after %v, want ErrStalled after %v", err, waited, tt.want)
				}
				if n < tt.bytes-2*int64(tt.size) || n > tt.bytes {
					t.Errorf("%d bytes, want %d", n, tt.bytes)
				}
			})
		})
	}
}

// A reply that is slow, and one whose reader is, comes through.
func TestSlowReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := reply(t, "GET", slowest, time.Second, 1000, func() { t.Error("told") })
		if n, err := io.CopyN(io.Discard, body, 1000*slowest); err != nil {
			t.Errorf("slow server: %v after %d bytes", err, n)
		}
		body = reply(t, "GET", 100, 0, 20, nil)
		for range 20 {
			time.Sleep(10 * time.Minute)
			if _, err := body.Read(make([]byte, 100)); err != nil {
				t.Fatalf("slow reader: %v", err)
			}
		}
	})
}

// Closing the body of a real connection is what ends a read of it.
func TestStalledConnection(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got strings.Builder
	_, err = io.Copy(&got, &hurriedBody{ReadCloser: res.Body, left: 50 * time.Millisecond})
	if !errors.Is(err, ErrStalled) || got.String() != "begun" {
		t.Errorf("%q, %v", got.String(), err)
	}
}
