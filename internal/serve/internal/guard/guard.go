// Package guard stands between the network and the pages of a server.
//
// In go requests from anybody; out come those that may be answered, with the
// name of who asks. It promises that a route which nobody declared public is
// answered only to somebody who is known, that the server is reached only by
// names it knows itself by, that no other site makes a browser change
// anything, and that every response says what a browser may do with it. There
// is one place where a route is registered, Handle, and one where it is
// decided, ServeHTTP.
//
// It knows nothing of what the routes show.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/metrics"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Auth says how the guard knows who asks.
type Auth string

// The ways to know who asks.
const (
	Token Auth = "token" // whoever has the token, as a cookie or a header
	Proxy Auth = "proxy" // a proxy says so in a header
	None  Auth = "none"  // everybody is let in
)

// Config is what a guard is told once.
type Config struct {
	Auth    Auth
	Token   string         // for Token
	Proxies []netip.Prefix // for Proxy: addresses whose header is believed
	Header  string         // for Proxy: the header that names the user
	Base    string         // path beneath which all routes are: "/", or "/fanout/"
	Hosts   []string       // further names by which the server may be reached; "*.example.org" is any beneath it, "*" any
	Address net.Addr       // what the server listens on
	TLS     bool
	Log     func(Entry)  // called after every request; nil is nobody
	Metrics *metrics.Set // counts requests; nil is one of its own
	// Refuse writes the response to a request that is not let in, or that
	// failed: a page or JSON. The guard has set the headers.
	Refuse func(w http.ResponseWriter, r *http.Request, p Problem)
}

// A Problem is why a request is not answered.
type Problem struct {
	Status int    `json:"status"`
	Error  string `json:"error"`          // a sentence
	Hint   string `json:"hint,omitempty"` // what to do next
	Login  bool   `json:"-"`              // a token would help
}

// A Guard is the handler of a whole server.
type Guard struct {
	Config
	mux     *http.ServeMux
	cross   *http.CrossOriginProtection
	session string          // value of the cookie
	public  map[string]bool // patterns that everybody may ask for
	routes  []string        // all patterns
	meter   *meter
}

// New makes a guard that lets nobody to anything yet.
func New(c Config) (*Guard, error) {
	switch {
	case c.Auth == Token && len(c.Token) < minToken:
		return nil, unit.Mistake(fmt.Errorf("the token, FANOUT_SERVE_TOKEN, has %d characters: at least %d are needed", len(c.Token), minToken))
	case c.Auth == Proxy && (len(c.Proxies) == 0 || c.Header == ""):
		return nil, unit.Mistake(errors.New("a proxy names its users: say which addresses are proxies, and which header has the name"))
	case c.Auth != Token && c.Auth != Proxy && c.Auth != None:
		return nil, unit.Mistake(fmt.Errorf("auth %q: want token, proxy or none", c.Auth))
	}
	if c.Base != path.Clean("/"+c.Base) && c.Base != path.Clean("/"+c.Base)+"/" || !plainBase(c.Base) {
		return nil, unit.Mistake(fmt.Errorf("base URL %q: want a path such as /fanout/", c.Base))
	}
	c.Base = strings.TrimSuffix(c.Base, "/") + "/"
	g := &Guard{Config: c, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), public: map[string]bool{}}
	g.session = sessionOf(c.Token)
	if g.Metrics == nil {
		g.Metrics = metrics.New("serve", metrics.Build{}, metrics.Place{})
	}
	g.meter = newMeter(g.Metrics)
	if c.Auth == Token {
		g.Public("POST /login", http.HandlerFunc(g.login))
	}
	return g, nil
}

func plainBase(base string) bool {
	return strings.HasPrefix(base, "/") && !strings.ContainsFunc(base, func(r rune) bool {
		return !strings.ContainsRune("/-_.~", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// Handle answers a pattern of http.ServeMux, beneath the base path, to whoever
// is known.
func (g *Guard) Handle(pattern string, h http.Handler) {
	g.mux.Handle(pattern, h)
	g.routes = append(g.routes, pattern)
}

// Public answers a pattern to everybody: it must tell nothing.
func (g *Guard) Public(pattern string, h http.Handler) {
	g.public[pattern] = true
	g.Handle(pattern, h)
}

// Routes are the patterns that are answered; public reports whether everybody
// may ask for one.
func (g *Guard) Routes() (patterns []string, public func(string) bool) {
	return slices.Clone(g.routes), func(p string) bool { return g.public[p] }
}

// ServeHTTP lets a request in, or refuses it.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	g.meter.begin()
	seen := &response{ResponseWriter: w}
	entry := Entry{At: began, Method: r.Method, Path: r.URL.Path, Remote: r.RemoteAddr}
	defer func() {
		failed := recover()
		if failed != nil && failed != http.ErrAbortHandler && seen.status == 0 {
			g.Refuse(seen, r, Problem{Status: http.StatusInternalServerError, Error: "something went wrong here: it is in the server's log"})
		}
		entry.Status, entry.Bytes, entry.Took = seen.code(), seen.bytes, time.Since(began)
		if failed != nil && failed != http.ErrAbortHandler {
			entry.Panic = fmt.Sprint(failed)
		}
		g.meter.end(entry)
		if g.Log != nil {
			g.Log(entry)
		}
		if failed == http.ErrAbortHandler {
			panic(failed) // closes the connection, and prints nothing
		}
	}()
	secure(seen.Header())
	pattern, user, problem := g.admit(seen, r)
	if refused(r.Method, problem) {
		problem.Status = http.StatusForbidden
	}
	entry.Route, entry.User = pattern, user
	switch {
	case problem.Status == redirected:
	case problem.Status != 0:
		g.Refuse(seen, r, problem)
	default:
		g.mux.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	}
}

// refused reports whether a request that could change something is not let in: it is
// told no more than that.
func refused(method string, p Problem) bool {
	return method != http.MethodGet && method != http.MethodHead && p.Status >= 400 && p.Status != http.StatusMethodNotAllowed
}

// redirected is the status of a request that was answered by the guard.
const redirected = -1

type userKey struct{}

// User is who asks, as far as the guard knows; "" where everybody is let in.
func User(ctx context.Context) string { user, _ := ctx.Value(userKey{}).(string); return user }

// admit decides about a request. It takes the base off its path.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request) (pattern, user string, p Problem) {
	if !g.named(r.Host) {
		return "", "", Problem{Status: http.StatusMisdirectedRequest, Error: fmt.Sprintf("this server is not known as %q, which the request's Host header says", unit.Cut(unit.Line(r.Host), maxHost)),
			Hint: "if that is a name of it, start it with --host NAME"}
	}
	if err := g.cross.Check(r); err != nil {
		return "", "", Problem{Status: http.StatusForbidden, Error: "the request comes from another site: " + err.Error()}
	}
	if !g.strip(r) {
		return "", "", Problem{Status: http.StatusNotFound, Error: "nothing is here", Hint: "the pages are beneath " + g.Base}
	}
	if clean := path.Clean(r.URL.Path); r.URL.Path != clean && r.URL.Path != clean+"/" {
		return "", "", Problem{Status: http.StatusNotFound, Error: "there is no such page"}
	}
	_, pattern = g.mux.Handler(r)
	if !g.public[pattern] {
		var known bool
		if user, known = g.known(r); !known {
			if g.exchange(w, r) {
				return pattern, "", Problem{Status: redirected}
			}
			return pattern, "", g.unknown(w)
		}
	}
	if r.URL.Query().Has(tokenParameter) && g.Auth == Token && g.exchange(w, r) {
		return pattern, user, Problem{Status: redirected}
	}
	switch {
	case pattern != "":
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		p = Problem{Status: http.StatusMethodNotAllowed, Error: "this server only shows: it answers GET and HEAD"}
	default:
		p = Problem{Status: http.StatusNotFound, Error: "there is no such page"}
	}
	return pattern, user, p
}

const maxHost = 100

// strip takes the base off the path of a request; ok is false when it is not
// beneath it.
func (g *Guard) strip(r *http.Request) (ok bool) {
	if g.Base == "/" {
		return strings.HasPrefix(r.URL.Path, "/")
	}
	rest, ok := strings.CutPrefix(r.URL.Path, g.Base)
	if !ok {
		return r.URL.Path == strings.TrimSuffix(g.Base, "/") && g.stripTo(r, "", "")
	}
	raw := strings.TrimPrefix(r.URL.RawPath, g.Base)
	return g.stripTo(r, rest, raw)
}

func (g *Guard) stripTo(r *http.Request, rest, raw string) bool {
	u := *r.URL
	u.Path, u.RawPath = "/"+rest, ""
	if raw != "" {
		u.RawPath = "/" + raw
	}
	r.URL = &u
	return true
}

// named reports whether a Host header names this server. The port does not
// matter: a page of another site cannot choose it for us.
func (g *Guard) named(host string) bool {
	name := strings.ToLower(hostOf(host))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true // nobody can make a browser believe that an address is his name
	}
	return slices.ContainsFunc(g.Hosts, func(known string) bool { return matches(strings.ToLower(known), name) })
}

func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

func matches(known, name string) bool {
	beneath, any := strings.CutPrefix(known, "*")
	return known == name || any && (beneath == "" || strings.HasPrefix(beneath, ".") && strings.HasSuffix(name, beneath))
}

// secure says what a browser may do with a response of ours. Handlers of
// foreign bytes say less.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", OwnPages)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-cache, private")
}

// OwnPages is the policy of pages that hold nothing foreign. Alignment of the
// columns of tables is a style attribute of ours.
const OwnPages = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ErrorLog passes on what net/http has to say; report may be nil.
func ErrorLog(report func(text string)) *log.Logger { return log.New(errorLog(report), "", 0) }

type errorLog func(string)

func (e errorLog) Write(text []byte) (int, error) {
	if e != nil {
		e(string(text))
	}
	return len(text), nil
}

// Healthy says to anybody that the server answers.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}

// WantsPage reports whether a browser navigates, rather than a program reads.
func WantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, "/api/")
}
