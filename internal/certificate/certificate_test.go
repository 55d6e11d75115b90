package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Each way in which a server is not trusted has its remedy, and what is no question of
// trust has none.
func TestHints(t *testing.T) {
	settings := Settings{Authority: "CA_FILE", Name: "SERVER_NAME"}
	past, future := time.Now().Add(-2*time.Hour), time.Now().Add(time.Hour)
	for what, tt := range map[string]struct {
		ip      net.IP
		name    string
		until   time.Time
		unknown bool
		want    string
	}{
		"trusted":   {ip: net.IPv4(127, 0, 0, 1), until: future},
		"unknown":   {ip: net.IPv4(127, 0, 0, 1), until: future, unknown: true, want: "CA_FILE names a file with the authority"},
		"name":      {name: "other.example", until: future, want: "is that of other.example: give the server that name, or set SERVER_NAME to it"},
		"no name":   {until: future, want: "has no name"},
		"too late":  {ip: net.IPv4(127, 0, 0, 1), until: past.Add(time.Hour), want: "the clock of this machine"},
		"other key": {ip: net.IPv4(10, 0, 0, 1), until: future, want: "is that of 10.0.0.1"},
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: past, NotAfter: tt.until, IsCA: true, BasicConstraintsValid: true}
		if tt.ip != nil {
			c.IPAddresses = []net.IP{tt.ip}
		}
		if tt.name != "" {
			c.DNSNames = []string{tt.name}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		server.StartTLS()
		pool := x509.NewCertPool()
		if parsed, err := x509.ParseCertificate(der); err == nil && !tt.unknown {
			pool.AddCert(parsed)
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		res, err := client.Get(server.URL)
		if err == nil {
			res.Body.Close()
		}
		client.CloseIdleConnections()
		server.Close()
		if got := Hint(err, settings); tt.want == "" && (err != nil || got != "") || !strings.Contains(got, tt.want) || Wrong(err) != (tt.want != "") {
			t.Errorf("%s: %q for %v", what, got, err)
		}
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, err := http.Get(strings.Replace(plain.URL, "http:", "https:", 1))
	if got := Hint(err, settings); err == nil || !strings.Contains(got, "http:// instead of https://") {
		t.Errorf("%q for %v", got, err)
	}
	plain.Close()
	if _, err := http.Get(plain.URL); err == nil || Wrong(err) {
		t.Error(err)
	}
}
