package guard

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

const token = "a token of some length"

// guarded is a guard with a page, a page with an id, and one that is public.
func guarded(t *testing.T, c Config) *Guard {
	t.Helper()
	if c.Auth == "" {
		c.Auth, c.Token = Token, token
	}
	if c.Base == "" {
		c.Base = "/"
	}
	c.Address = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
	c.Refuse = func(w http.ResponseWriter, _ *http.Request, p Problem) { http.Error(w, p.Error, p.Status) }
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	say := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secret for "+User(r.Context())) }
	g.Handle("GET /{$}", http.HandlerFunc(say))
	g.Handle("GET /s/{id}", http.HandlerFunc(say))
	g.Handle("GET /files/{path...}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.PathValue("path")) }))
	g.Handle("GET /panics", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }))
	g.Public("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	return g
}

// ask sends a request; change may add to it.
func ask(g http.Handler, method, target string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.RemoteAddr = "127.0.0.1:4000", "127.0.0.1:5555"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result()
}

func bearer(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }

func header(name, text string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, text) }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// Nobody who is unknown gets anything but what is public.
func TestUnknownIsRefused(t *testing.T) {
	g := guarded(t, Config{})
	routes, public := g.Routes()
	for _, pattern := range routes {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{$}", "", "{id}", "x", "{path...}", "a/b").Replace(path)
		res := ask(g, method, path)
		if public(pattern) == (res.StatusCode == http.StatusUnauthorized) && path != "/login" {
			t.Errorf("%s: %d", pattern, res.StatusCode)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"wrong token": header("Authorization", "Bearer x"), "no kind": header("Authorization", token), "wrong cookie": header("Cookie", "fanout-4000=x"),
		"the token as cookie": header("Cookie", "fanout-4000="+token), "empty": header("Authorization", "Bearer "),
	} {
		if res := ask(g, "GET", "/s/x", change); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	for _, target := range []string{"/s/x?token=wrong", "/nowhere", "/s/x?token="} {
		if res := ask(g, "GET", target); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", target, res.StatusCode)
		}
	}
}

func TestTokenBecomesACookie(t *testing.T) {
	for _, c := range []struct{ base, target, to string }{
		{"/", "/?token=" + url.QueryEscape(token), "/"},
		{"/", "/s/x?where=a+%3E+1&token=" + url.QueryEscape(token), "/s/x?where=a+%3E+1"},
		{"/sub/", "/sub/s/x?token=" + url.QueryEscape(token), "/sub/s/x"},
		{"/sub/", "/sub?token=" + url.QueryEscape(token), "/sub/"},
	} {
		g := guarded(t, Config{Base: c.base})
		res := ask(g, "GET", c.target)
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != c.to {
			t.Fatalf("%s: %d to %q, want %q", c.target, res.StatusCode, res.Header.Get("Location"), c.to)
		}
		cookies := res.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%d cookies", len(cookies))
		}
		k := cookies[0]
		if k.Path != c.base || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Secure || strings.Contains(k.Value, token) {
			t.Errorf("cookie %+v", k)
		}
		in := ask(g, "GET", c.to, func(r *http.Request) { r.AddCookie(k) })
		if in.StatusCode != http.StatusOK {
			t.Errorf("with the cookie: %d", in.StatusCode)
		}
	}
	g := guarded(t, Config{TLS: true})
	if k := ask(g, "GET", "/?token="+url.QueryEscape(token)).Cookies()[0]; k.Name != "__Host-fanout-4000" || !k.Secure {
		t.Errorf("with TLS: %+v", k)
	}
}

// A redirect leads to this server, whatever the request says.
func TestRedirectStaysHere(t *testing.T) {
	g := guarded(t, Config{})
	tok := url.QueryEscape(token)
	for _, target := range []string{"//evil.test/?token=" + tok, "/%2F/evil.test?token=" + tok, "/%5Cevil.test?token=" + tok, "/\\evil.test?token=" + tok} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL, _ = url.ParseRequestURI(target)
		if r.URL == nil {
			continue
		}
		r.Host = "localhost"
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\") || strings.Contains(to, "://") {
			t.Errorf("%s leads to %q", target, to)
		}
	}
	form := func(next string) *http.Response {
		return ask(g, "POST", "/login", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(url.Values{"token": {token}, "next": {next}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		})
	}
	for next, want := range map[string]string{"https://evil.test/x?y=1": "/x?y=1", "//evil.test/x": "/evil.test/x", "/s/x?a=b": "/s/x?a=b", "javascript:alert(1)": "/", "": "/"} {
		if res := form(next); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != want {
			t.Errorf("next=%q leads to %d %q, want %q", next, res.StatusCode, res.Header.Get("Location"), want)
		}
	}
}

func TestHosts(t *testing.T) {
	g := guarded(t, Config{Hosts: []string{"nb.example.org", "*.pool.example.org"}})
	for name, ok := range map[string]bool{
		"127.0.0.1:4000": true, "localhost": true, "localhost:9": true, "[::1]:4000": true, "10.1.2.3:4000": true, "nb.example.org": true, "NB.example.org:443": true,
		"a.pool.example.org": true, "evil.test": false, "evil.test:4000": false, "127.0.0.1.evil.test": false, "localhost.evil.test": false, "pool.example.org": false,
		"nb.example.org.evil.test": false, "xpool.example.org": false, "": false,
	} {
		res := ask(g, "GET", "/", bearer, host(name))
		if (res.StatusCode == http.StatusOK) != ok || !ok && res.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("Host %q: %d", name, res.StatusCode)
		}
	}
	body, _ := io.ReadAll(ask(g, "GET", "/healthz", host("evil.test")).Body)
	if !strings.Contains(string(body), "Host") {
		t.Errorf("the refusal does not name the header: %s", body)
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	g := guarded(t, Config{})
	for name, change := range map[string]func(*http.Request){
		"cross-site": header("Sec-Fetch-Site", "cross-site"), "same-site": header("Sec-Fetch-Site", "same-site"),
		"null": header("Origin", "null"), "other origin": header("Origin", "https://evil.test"),
	} {
		if res := ask(g, "POST", "/login", change); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if res := ask(g, method, "/s/x", bearer); res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, res.StatusCode)
		}
	}
}

// A path is decoded once: what decodes to a slash or to .. is no id.
func TestPathsAreDecodedOnce(t *testing.T) {
	g := guarded(t, Config{})
	for target, want := range map[string]int{
		"/s/x": 200, "/s/..%2Fx": 404, "/s/%2e%2e": 404, "/s/a%2Fb/../x": 404, "/files/a%20b": 200, "/files/a%252Fb": 200, "/files/..%2f..%2fetc/passwd": 404, "/files//etc": 404,
	} {
		res := ask(g, "GET", target, bearer)
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", target, res.StatusCode, want)
		}
		if body, _ := io.ReadAll(res.Body); target == "/files/a%252Fb" && string(body) != "a%2Fb" {
			t.Errorf("decoded twice: %s", body)
		}
	}
}

func TestProxyNamesUsers(t *testing.T) {
	g := guarded(t, Config{Auth: Proxy, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Header: "X-Forwarded-User"})
	from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
	for name, c := range map[string]struct {
		change []func(*http.Request)
		status int
	}{
		"the proxy":         {[]func(*http.Request){from("10.1.2.3:99"), header("X-Forwarded-User", "ada")}, 200},
		"mapped address":    {[]func(*http.Request){from("[::ffff:10.1.2.3]:99"), header("X-Forwarded-User", "ada")}, 200},
		"somebody else":     {[]func(*http.Request){from("11.1.2.3:99"), header("X-Forwarded-User", "ada")}, 401},
		"no name":           {[]func(*http.Request){from("10.1.2.3:99")}, 401},
		"two names":         {[]func(*http.Request){from("10.1.2.3:99"), func(r *http.Request) { r.Header["X-Forwarded-User"] = []string{"eve", "ada"} }}, 401},
		"a token is no use": {[]func(*http.Request){from("10.1.2.3:99"), bearer}, 401},
	} {
		res := ask(g, "GET", "/", c.change...)
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != c.status || c.status == 200 && string(body) != "secret for ada" {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
}

func TestConfigs(t *testing.T) {
	for name, c := range map[string]Config{
		"short token": {Auth: Token, Token: "short", Base: "/"}, "proxy without addresses": {Auth: Proxy, Base: "/", Header: "X"},
		"unknown": {Auth: "x", Base: "/"}, "base with a query": {Auth: None, Base: "/a?b"}, "base with dots": {Auth: None, Base: "/a/../b"}, "base of a host": {Auth: None, Base: "//evil.test/"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHeadersAndFailures(t *testing.T) {
	var logged []Entry
	g := guarded(t, Config{Log: func(e Entry) { logged = append(logged, e) }})
	res := ask(g, "GET", "/s/x?token=guess", bearer)
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if p := res.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(strings.ReplaceAll(p, "style-src-attr 'unsafe-inline'", ""), "unsafe") {
		t.Errorf("policy %s", p)
	}
	if res := ask(g, "GET", "/panics", bearer); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("panic: %d", res.StatusCode)
	}
	if len(logged) != 2 || strings.Contains(logged[0].Path, "guess") || logged[0].Route != "GET /s/{id}" || logged[1].Panic != "broken" {
		t.Errorf("log %+v", logged)
	}
	text := httptest.NewRecorder()
	g.Metrics.Handler().ServeHTTP(text, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`fanout_serve_requests_total{route="GET /s/{id}",status="200"} 1`, `fanout_serve_request_duration_seconds_bucket{route="GET /s/{id}",le="+Inf"} 1`, "fanout_serve_requests_in_flight 0"} {
		if !strings.Contains(text.Body.String(), want) {
			t.Errorf("metrics lack %s:\n%s", want, text.Body)
		}
	}
}
