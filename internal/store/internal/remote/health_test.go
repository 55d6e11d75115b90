package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// server answers requests after a while: with a status, or with an error if it is 0.
type server struct {
	after  time.Duration
	status int
	method string // of the requests; GET if empty
}

func (s *server) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(s.after)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if s.status == 0 {
		return nil, errors.New("timeout awaiting response headers")
	}
	return &http.Response{StatusCode: s.status, Status: "503 busy", Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// ask repeats a request as protocols do, until it is answered or given up.
func ask(t *testing.T, c Client, method string) error {
	t.Helper()
	q, err := http.NewRequest(method, "http://store/b/k", nil)
	if err != nil {
		t.Fatal(err)
	}
	var givenUp *GivenUpError
	for try := 1; ; try++ {
		res, err := c.Do(q)
		if err == nil && res.StatusCode < 300 || errors.As(err, &givenUp) {
			return err
		}
		if try == Attempts {
			t.Fatal("it is not given up")
		}
		Wait(t.Context(), try)
	}
}

// A server that does not answer, in whatever way, is given up after a time that does
// not depend on how often it was asked, and people are told once before.
func TestHealth(t *testing.T) {
	for name, tt := range map[string]struct {
		server
		limit      time.Duration
		from, to   time.Duration // when it is given up
		told       time.Duration
		toldBefore time.Duration
	}{
		"silent, somebody waits":  {server{replyLimit, 0, ""}, time.Minute, time.Minute, time.Minute, tellAfter, tellAfter},
		"silent":                  {server{replyLimit, 0, ""}, 0, Patience, Patience + replyLimit + maxPause, tellAfter, tellAfter},
		"refuses, somebody waits": {server{0, 0, ""}, time.Minute, time.Minute, time.Minute + maxPause, tellAfter, tellAfter + maxPause},
		"busy":                    {server{time.Second, 503, ""}, 0, Patience, Patience + 2*maxPause, tellAfter, tellAfter + maxPause},
		"busy with writes":        {server{time.Second, 503, http.MethodPut}, 0, Patience, Patience + 2*maxPause, tellAfter, tellAfter + maxPause},
		"too many requests":       {server{time.Second, 429, ""}, time.Minute, time.Minute, time.Minute + 2*maxPause, tellAfter, tellAfter + maxPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var told []time.Duration
				h := &Health{Limit: tt.limit, Tell: func() { told = append(told, time.Since(began)) }}
				err := ask(t, Watched(&tt.server, &Clock{}, h), tt.method)
				synctest.Wait() // told is appended to by a timer
				if waited := time.Since(began); err == nil || waited < tt.from || waited > tt.to {
					t.Errorf("%v after %v, want an error after %v to %v", err, waited, tt.from, tt.to)
				}
				if len(told) != 1 || told[0] < tt.told || told[0] > tt.toldBefore {
					t.Errorf("told after %v, want once after %v to %v", told, tt.told, tt.toldBefore)
				}
			})
		})
	}
}

// What is answered begins anew, and what the caller ends says nothing of the server.
func TestHealthRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := &server{}, &Health{Limit: time.Minute}
		c := Watched(s, &Clock{}, h)
		q, err := http.NewRequest(http.MethodGet, "http://store/b/k", nil)
		if err != nil {
			t.Fatal(err)
		}
		var givenUp *GivenUpError
		for range 5 {
			s.status = 0
			if _, err := c.Do(q); errors.As(err, &givenUp) {
				t.Error(err)
			}
			time.Sleep(50 * time.Second)
			s.status = 404
			if _, err := c.Do(q); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 3 {
			if _, err := c.Do(q.WithContext(ctx)); errors.As(err, &givenUp) {
				t.Error(err)
			}
			time.Sleep(time.Hour)
		}
	})
}

// A server that does not read what it is sent is not waited for without end.
func TestWritesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		began := time.Now()
		n, err := conn{ours}.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n > 0 || time.Since(began) != replyLimit {
			t.Errorf("%d bytes, %v after %v", n, err, time.Since(began))
		}
	})
}
