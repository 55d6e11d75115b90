package notice

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/unit"
)

// selfSigned is one of this machine, and a file in which it is trusted.
func selfSigned(t *testing.T) (c tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o666); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// secureOffice is an SMTP server that offers STARTTLS, and says what it was told before
// TLS and in it.
func secureOffice(t *testing.T, c tls.Certificate) (at string, plain, inside chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	plain, inside = make(chan string, 1), make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		fmt.Fprint(conn, "220 here\r\n")
		var said strings.Builder
		for line := ""; strings.TrimSpace(line) != "STARTTLS"; {
			if line, err = r.ReadString('\n'); err != nil {
				break
			}
			said.WriteString(line)
			if strings.HasPrefix(line, "EHLO") {
				fmt.Fprint(conn, "250-here\r\n250 STARTTLS\r\n")
			}
		}
		plain <- said.String()
		fmt.Fprint(conn, "220 go on\r\n")
		p := postOffice{commands: make(chan []string, 1), mail: make(chan string, 1)}
		p.serve(&greeted{Conn: tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{c}})}, "")
		inside <- strings.Join(<-p.commands, "\n")
	}()
	return l.Addr().String(), plain, inside
}

// greeted drops the first that is written: the greeting, which came before TLS.
type greeted struct {
	net.Conn
	done bool
}

func (g *greeted) Write(b []byte) (int, error) {
	if !g.done {
		g.done = true
		return len(b), nil
	}
	return g.Conn.Write(b)
}

// A password goes to a server only in TLS, and only to one whose certificate is trusted.
func TestMailInTLS(t *testing.T) {
	c, file := selfSigned(t)
	other, _ := selfSigned(t)
	t.Setenv("SSL_CERT_FILE", file) // is read once, here
	t.Setenv("MAIL_PASSWORD", "s3cret")
	send := func(c tls.Certificate) (plain, inside string, err error) {
		at, before, in := secureOffice(t, c)
		to := grid.Mail{To: []string{"ana@example.org"}, From: "f@example.org", Server: at, User: "f", PasswordEnv: "MAIL_PASSWORD"}
		err = Send(t.Context(), grid.Notice{Mail: &to}, Message{Line: "x"})
		return <-before, <-in, err
	}
	plain, inside, err := send(c)
	if err != nil || strings.Contains(plain, "AUTH") || strings.Contains(plain, "MAIL FROM") || !strings.Contains(inside, "AUTH PLAIN") || !strings.Contains(inside, "RCPT TO:<ana@example.org>") {
		t.Errorf("%v\nbefore TLS: %s\nin it: %s", err, plain, inside)
	}
	plain, inside, err = send(other)
	if err == nil || !strings.Contains(err.Error(), "certificate") || !strings.Contains(unit.HintOf(err), "SSL_CERT_FILE") || strings.Contains(plain+inside, "AUTH") {
		t.Errorf("a certificate that nobody trusts: %v\n%s\n%s", err, plain, inside)
	}
}
