// Package listen is `fanout serve`: its flags say where the server listens, who
// may look, and what is logged.
package listen

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/metrics"
	"github.com/fanout-dev/fanout/internal/serve"
	"github.com/fanout-dev/fanout/internal/unit"
)

// TokenVariable is the environment variable that has the token, where it is to
// stay the same.
const TokenVariable = "FANOUT_SERVE_TOKEN"

// Flags are what `fanout serve` is asked for.
type Flags struct {
	Address   string
	Auth      string
	Hosts     []string
	BaseURL   string
	Cert, Key string
	Proxies   []string
	Header    string
	AccessLog string
	Schedule  bool // fire what is scheduled in the sweeps
	Launch    bool // let people launch what lies in the folders
	AuditLog  string
	metrics   *metrics.Set // nil is one of the server's own
}

// Add adds the flags to a command.
func (f *Flags) Add(fl *pflag.FlagSet) {
	fl.StringVar(&f.Address, "listen", "127.0.0.1:4000", "`address` and port; port 0 is any that is free")
	fl.StringVar(&f.Auth, "auth", "", "who may look: `token`, proxy or none (default: token)")
	fl.StringArrayVar(&f.Hosts, "host", nil, "further `name` of this server, such as nb.example.org or *.example.org")
	fl.StringVar(&f.BaseURL, "base-url", "/", "`path` beneath which a proxy has the pages")
	fl.StringVar(&f.Cert, "cert", "", "`file` with the certificate, for HTTPS")
	fl.StringVar(&f.Key, "key", "", "`file` with its key")
	fl.StringArrayVar(&f.Proxies, "trusted-proxy", nil, "with --auth proxy: `address` or network of the proxy")
	fl.StringVar(&f.Header, "user-header", "X-Forwarded-User", "with --auth proxy: the `header` that names the user")
	fl.BoolVar(&f.Schedule, "schedule", false, "fire what is scheduled in these sweeps")
	fl.BoolVar(&f.Launch, "allow-launch", false, "let people launch the templates and sweep files in these folders")
	fl.StringVar(&f.AuditLog, "audit-log", "", "with --allow-launch: `file` that gets a line of JSON for whatever people do (default: in the user's state folder)")
	fl.StringVar(&f.AccessLog, "access-log", "", "`file` that gets a line of JSON for each request; - is stderr")
}

// A Started server answers until its context ends.
type Started struct {
	URL    string // with the token, if there is one
	server *serve.Server
	queue  *launch.Queue // nil where nothing can be launched
	at     net.Listener
	log    io.Closer
}

// Start listens, and makes the server of some roots. It answers once Serve is
// called.
func (f Flags) Start(ctx context.Context, a *app.App, roots []string, report func(string)) (*Started, error) {
	s := &Started{log: io.NopCloser(nil)}
	if err := s.start(ctx, f, a, roots, report); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Started) start(ctx context.Context, f Flags, a *app.App, roots []string, report func(string)) error {
	access, err := f.access()
	if err != nil {
		return unit.Mistake(err)
	}
	secure, err := f.tls()
	if err != nil {
		return unit.Mistake(err)
	}
	if access.Log, s.log, err = f.accessLog(report); err != nil {
		return err
	}
	if s.at, err = net.Listen("tcp", f.Address); err != nil {
		return f.cannotListen(err)
	}
	access.Address, access.TLS, access.Metrics = s.at.Addr(), secure != nil, f.metrics
	c := serve.Config{App: a, Roots: roots, Access: access, TLS: secure, Errors: report, Cache: cacheFile(roots), Cells: cellsFolder(), Fires: f.Schedule}
	if f.Launch {
		l, err := f.newLauncher(a, roots, report)
		if err != nil {
			return err
		}
		c.Launch, c.Audit, s.queue = l.Queue, l.Log, l.Queue
	} else if f.AuditLog != "" {
		return unit.Mistake(errors.New("--audit-log is for --allow-launch"))
	}
	if s.server, err = serve.New(ctx, c); err != nil {
		return err
	}
	s.URL = f.url(s.at.Addr(), s.server.Access)
	return nil
}

// serverGC is how much garbage a server keeps, as a percentage of what it uses: it reads
// one sweep after the other, and mostly waits.
const serverGC = 50

// Serve answers until the context ends.
func (s *Started) Serve() error {
	defer s.close()
	debug.SetGCPercent(serverGC)
	return s.server.Serve(s.at)
}

func (s *Started) close() {
	if s.at != nil {
		s.at.Close()
	}
	s.log.Close()
}

func (f Flags) cannotListen(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return unit.WithHint(fmt.Errorf("listen: %w", err), "another program, or fanout serve, has that port: choose one with --listen 127.0.0.1:4001, or any with --listen 127.0.0.1:0")
	case errors.Is(err, os.ErrPermission):
		return unit.WithHint(fmt.Errorf("listen: %w", err), "ports below 1024 are the system's: choose another one")
	}
	return unit.Mistake(fmt.Errorf("listen on %q: %w", f.Address, err))
}

// access is who may look. Anywhere else than on this machine that is to be
// said, so that nobody shows his runs to the network by a typo.
func (f Flags) access() (serve.Access, error) {
	a := serve.Access{Auth: serve.Token, Base: f.BaseURL, Hosts: f.Hosts}
	host, _, err := net.SplitHostPort(f.Address)
	if err != nil {
		return a, fmt.Errorf("listen %q: want an address with a port, such as 127.0.0.1:4000", f.Address)
	}
	switch f.Auth {
	case "token":
	case "proxy":
		a.Auth = serve.Proxy
	case "none":
		a.Auth = serve.None
	case "":
		if !loopback(host) {
			return a, unit.WithHint(fmt.Errorf("%s is reached from other machines: say who may look", f.Address), "add --auth token, --auth proxy or --auth none")
		}
	default:
		return a, fmt.Errorf("auth %q: want token, proxy or none", f.Auth)
	}
	if _, notAddress := netip.ParseAddr(host); notAddress != nil && host != "" {
		a.Hosts = append(a.Hosts, host)
	}
	if a.Auth == serve.Token {
		if a.Token = os.Getenv(TokenVariable); a.Token == "" {
			a.Token = serve.NewToken()
		}
	}
	if a.Auth == serve.Proxy {
		a.Header = f.Header
		a.Proxies, err = networks(f.Proxies)
	} else if len(f.Proxies) > 0 {
		err = errors.New("--trusted-proxy is for --auth proxy")
	}
	return a, err
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}

func networks(names []string) (all []netip.Prefix, err error) {
	for _, name := range names {
		p, err := netip.ParsePrefix(name)
		if ip, isAddress := netip.ParseAddr(name); isAddress == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q: want an address such as 10.0.0.7, or a network such as 10.0.0.0/8", name)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func (f Flags) tls() (*tls.Config, error) {
	if f.Cert == "" && f.Key == "" {
		return nil, nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("HTTPS needs a certificate and its key: --cert and --key")
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", f.Cert, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// accessLog opens the log of requests. A panic is reported in any case.
func (f Flags) accessLog(report func(string)) (log func(serve.Entry), closer io.Closer, err error) {
	to := io.Writer(io.Discard)
	closer = io.NopCloser(nil)
	switch f.AccessLog {
	case "":
	case "-":
		to = os.Stderr
	default:
		file, err := os.OpenFile(f.AccessLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, closer, unit.Mistake(fmt.Errorf("open access log: %w", err))
		}
		to, closer = file, file
	}
	var mu sync.Mutex
	enc := json.NewEncoder(to)
	return func(e serve.Entry) {
		if e.Panic != "" {
			report(e.Method + " " + e.Path + ": " + e.Panic)
		}
		e.At = e.At.UTC().Truncate(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		enc.Encode(e)
	}, closer, nil
}

// url is what to open in a browser on this machine.
func (f Flags) url(at net.Addr, a serve.Access) string {
	host, _, _ := net.SplitHostPort(f.Address)
	_, port, _ := net.SplitHostPort(at.String())
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: a.Base}
	if a.TLS {
		u.Scheme = "https"
	}
	if a.Auth == serve.Token {
		u.RawQuery = "token=" + url.QueryEscape(a.Token)
	}
	return strings.TrimSpace(u.String())
}
