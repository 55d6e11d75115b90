package listen

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const token = "a token for tests only"

// started serves a folder with a file and a planned sweep; it ends with the test.
func started(t *testing.T, f Flags) *Started {
	t.Helper()
	t.Setenv(TokenVariable, token)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	planned(t, filepath.Join(dir, "x.sweep"))
	ctx, stop := context.WithCancel(t.Context())
	a := &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}
	s, err := f.Start(ctx, a, []string{dir}, func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve() }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// planned is a sweep of two runs that have not begun.
func planned(t *testing.T, where string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, dir := t.Context(), t.TempDir()
	must(os.WriteFile(filepath.Join(dir, "t.ipynb"), []byte(`{"cells": [{"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "x = 0", "outputs": [], "execution_count": null}], "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}, "nbformat": 4, "nbformat_minor": 5}`), 0o600))
	must(os.WriteFile(filepath.Join(dir, "sweep.yaml"), []byte("name: x\ntemplate: t.ipynb\ngrid: {x: [1, 2]}\n"), 0o600))
	d, err := draft.Read(ctx, draft.Source{File: filepath.Join(dir, "sweep.yaml"), AsOf: time.Now()})
	must(err)
	s, err := sweep.Init(ctx, store.Dir(where), "x")
	must(err)
	l, err := s.Acquire(ctx)
	must(err)
	must(d.Expand(ctx))
	_, err = l.Plan(ctx, d.Plan)
	must(err)
	must(l.Release())
}

// browser is a client with cookies that follows redirects.
func browser(t *testing.T, transport http.RoundTripper) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}
}

func fetched(t *testing.T, c *http.Client, address string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// With a certificate everything is HTTPS, the cookie too; each request is a line of
// the access log, without the token.
func TestHTTPS(t *testing.T) {
	dir := t.TempDir()
	roots := certificate(t, dir)
	log := filepath.Join(dir, "access.jsonl")
	s := started(t, Flags{Address: "127.0.0.1:0", BaseURL: "/", Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), AccessLog: log})
	if !strings.HasPrefix(s.URL, "https://127.0.0.1:") {
		t.Fatalf("it is at %s", s.URL)
	}
	c := browser(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}})
	res, body := fetched(t, c, s.URL)
	if res.StatusCode != http.StatusOK || res.TLS == nil || res.Request.URL.RawQuery != "" || !strings.Contains(body, "<h1") {
		t.Fatalf("%d at %s: %.300s", res.StatusCode, res.Request.URL, body)
	}
	at, _ := url.Parse(s.URL)
	cookies := c.Jar.Cookies(at)
	if len(cookies) != 1 || !strings.HasPrefix(cookies[0].Name, "__Host-") {
		t.Errorf("cookies %v", cookies)
	}
	root := at.Scheme + "://" + at.Host
	if _, body := fetched(t, c, root+"/files/note.txt"); body != "hello" {
		t.Errorf("the file: %s", body)
	}
	if _, body := fetched(t, c, root+"/metrics"); !strings.Contains(body, `fanout_serve_requests_total{route="GET /files/{path...}",status="200"} 1`) || !strings.Contains(body, "fanout_serve_streams 0") {
		t.Errorf("metrics: %s", body)
	}
	stranger := browser(t, c.Transport)
	for path, want := range map[string]int{"/healthz": 200, "/metrics": 401, "/files/note.txt": 401} {
		if res, _ := fetched(t, stranger, root+path); res.StatusCode != want {
			t.Errorf("%s for a stranger: %d", path, res.StatusCode)
		}
	}
	lines, err := os.ReadFile(log)
	if err != nil || strings.Contains(string(lines), "tests+only") || strings.Contains(string(lines), "tests only") {
		t.Errorf("the access log: %v, %s", err, lines)
	}
	var entry struct {
		Method, Path string
		Status       int
	}
	if err := json.Unmarshal([]byte(strings.SplitN(string(lines), "\n", 3)[1]), &entry); err != nil || entry.Method != "GET" || entry.Path != "/" || entry.Status != 200 {
		t.Errorf("%+v %v", entry, err)
	}
	if n := strings.Count(string(lines), "\n"); n < 6 {
		t.Errorf("%d lines for 7 requests", n)
	}
}

// certificate writes one for 127.0.0.1, and returns who trusts it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	return pool
}

// nginxConfig is that of the documentation, for one process on ports of a test.
const nginxConfig = `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
  access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server {
    listen 127.0.0.1:%[2]d;
    location /fanout/ {
        proxy_pass http://%[3]s;
        proxy_set_header Host $host;
        proxy_buffering off;
    }
  }
}
`

// Behind nginx at a sub-path everything is beneath it: pages, their links, what they
// load and the cookie; events pass as they come, and no other name is answered.
func TestBehindNginx(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "nginx") {
			t.Fatal(err)
		}
		t.Skip("nginx is not on PATH (on Debian: apt install nginx-light)")
	}
	s := started(t, Flags{Address: "127.0.0.1:0", BaseURL: "/fanout/", Hosts: []string{"nb.example.org"}})
	behind, _ := url.Parse(s.URL)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := front.Addr().(*net.TCPAddr).Port
	front.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, port, behind.Host), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx := exec.CommandContext(t.Context(), program, "-c", config, "-p", dir)
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nginx.Process.Kill(); nginx.Wait() })
	at := fmt.Sprintf("127.0.0.1:%d", port)
	for i := 0; ; i++ {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
			break
		}
		if i > 200 {
			text, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx does not answer: %v %s", err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
	// Every name is that machine's, as in somebody's DNS.
	c := browser(t, &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}})
	const site = "http://nb.example.org"
	res, body := fetched(t, c, site+"/fanout/?token="+url.QueryEscape(token))
	if res.StatusCode != http.StatusOK || res.Request.URL.String() != site+"/fanout/" {
		t.Fatalf("%d at %s: %.300s", res.StatusCode, res.Request.URL, body)
	}
	links := regexp.MustCompile(`\b(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(body, -1)
	for _, m := range links {
		if !strings.HasPrefix(m[1], "/fanout/") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("a link leads to %s", m[1])
			continue
		}
		if res, _ := fetched(t, c, site+m[1]); !strings.HasPrefix(m[1], "#") && res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", m[1], res.StatusCode)
		}
	}
	if len(links) < 6 {
		t.Errorf("only %d links", len(links))
	}
	root, _ := url.Parse(site + "/")
	sub, _ := url.Parse(site + "/fanout/")
	if outside, inside := c.Jar.Cookies(root), c.Jar.Cookies(sub); len(outside) != 0 || len(inside) != 1 {
		t.Errorf("cookies: %v outside, %v inside", outside, inside)
	}
	if res, _ := fetched(t, c, "http://evil.test/fanout/"); res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another name: %d", res.StatusCode)
	}
	if res, body := fetched(t, c, site+"/fanout/files/note.txt"); body != "hello" {
		t.Errorf("a file: %d %s", res.StatusCode, body)
	}
	_, body = fetched(t, c, site+"/fanout/api/v1/")
	var v struct{ Sweeps []struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &v); err != nil || len(v.Sweeps) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	if event := firstEvent(t, c, site+"/fanout/s/"+v.Sweeps[0].ID+"/events"); !strings.Contains(event, "2 planned") {
		t.Errorf("the first event is %q", event)
	}
}

// firstEvent reads a stream until it has told something.
func firstEvent(t *testing.T, c *http.Client, address string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return data
		}
	}
	return ""
}
