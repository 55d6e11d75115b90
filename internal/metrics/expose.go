package metrics

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Place is where numbers can be had: an address, or a file.
type Place struct{ address, file string }

// ParsePlace reads an address, which is this machine's alone without a host, or the
// name of a file that ends in .prom.
func ParsePlace(where string) (Place, error) {
	if strings.HasSuffix(where, ".prom") {
		return Place{file: where}, nil
	}
	host, port, err := net.SplitHostPort(where)
	if err != nil {
		host, port = "", where
	}
	if n, bad := strconv.ParseUint(port, 10, 16); bad != nil || n > 65535 {
		return Place{}, unit.Mistake(unit.WithHint(fmt.Errorf("metrics %q: want an address or a file that ends in .prom", where),
			"write 9464, 0.0.0.0:9464 or /var/lib/prometheus/node-exporter/fanout.prom"))
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return Place{address: net.JoinHostPort(host, port)}, nil
}

// An Exposed set can be asked until Close.
type Exposed struct {
	Where string // for people
	stop  func() error
}

// Close ends it. A file has the last numbers then.
func (e *Exposed) Close() error { return e.stop() }

// Expose lets others see the set. problem is called, from another goroutine, with what
// goes wrong later, once.
func (s *Set) Expose(p Place, problem func(error)) (*Exposed, error) {
	if p.file != "" {
		return s.write(p.file, problem)
	}
	return s.listen(p.address)
}

func (s *Set) listen(address string) (*Exposed, error) {
	at, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	var done sync.WaitGroup
	done.Go(func() { server.Serve(at) })
	stop := func() error {
		err := server.Close()
		done.Wait()
		return err
	}
	return &Exposed{"http://" + at.Addr().String() + "/metrics", stop}, nil
}

// How often a file is written: never for more than a fiftieth of the time.
const (
	writeEvery = 5 * time.Second
	writeShare = 50
)

// write keeps the numbers in a file, whole at any moment.
func (s *Set) write(file string, problem func(error)) (*Exposed, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	put := func() error { return prometheus.WriteToTextfile(file, s.registry) }
	if err := put(); err != nil {
		return nil, err
	}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		told := false
		for wait := writeEvery; ; {
			select {
			case <-quit:
				return
			case <-time.After(wait):
			}
			began := time.Now()
			if err := put(); err != nil && !told {
				told = true
				problem(err)
			}
			wait = max(writeEvery, writeShare*time.Since(began))
		}
	})
	stop := func() error {
		close(quit)
		done.Wait()
		return put()
	}
	return &Exposed{file, stop}, nil
}
