// Package certificate says what to do about a server that could not be trusted: an
// error of TLS goes in, and a sentence that names a setting comes out.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
)

// Settings are the names of what decides whom a client trusts.
type Settings struct {
	Authority string // names a file with further authorities
	Name      string // says which name the certificate has; empty if nothing does
}

// mostNames is how many names of a certificate are repeated.
const mostNames = 3

// Wrong reports whether err says that there is a server, and that its certificate, or
// what it speaks instead of TLS, cannot be trusted. That does not pass by itself.
func Wrong(err error) bool { return Hint(err, Settings{}) != "" }

// Hint is what to do about err; empty if it is about something else.
func Hint(err error, s Settings) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var failed *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return s.Authority + " names a file with the authority that has signed the server's certificate"
	case errors.As(err, &name):
		return otherName(name.Certificate, s)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server needs another certificate, or the clock of this machine is wrong"
	case errors.As(err, &failed):
		return "the server needs another certificate"
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS: is it http:// instead of https://?"
	}
	return ""
}

// otherName is the hint for a certificate of another name.
func otherName(c *x509.Certificate, s Settings) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	hint := "the server's certificate has no name"
	if len(names) > 0 {
		hint = "the server's certificate is that of " + strings.Join(names[:min(len(names), mostNames)], ", ") + ": give the server that name"
		if s.Name != "" {
			hint += ", or set " + s.Name + " to it"
		}
	}
	return hint
}
