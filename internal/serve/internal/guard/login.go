package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

const (
	tokenParameter = "token"
	minToken       = 16 // characters
	maxUser        = 100
)

// NewToken draws a token.
func NewToken() string {
	var b [24]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// sessionOf is the value of the cookie: it does not tell the token.
func sessionOf(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("fanout session"))
	return hex.EncodeToString(mac.Sum(nil))
}

// cookieName tells servers of one host apart: cookies know no ports.
func (g *Guard) cookieName() string {
	name := "fanout"
	if tcp, ok := g.Address.(*net.TCPAddr); ok {
		name = fmt.Sprintf("fanout-%d", tcp.Port)
	}
	if g.TLS && g.Base == "/" {
		return "__Host-" + name
	}
	return name
}

// known says who asks.
func (g *Guard) known(r *http.Request) (user string, ok bool) {
	switch g.Auth {
	case None:
		return "", true
	case Proxy:
		return g.proxied(r)
	}
	if c, err := r.Cookie(g.cookieName()); err == nil && same(c.Value, g.session) {
		return "", true
	}
	kind, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return "", (strings.EqualFold(kind, "bearer") || strings.EqualFold(kind, "token")) && same(strings.TrimSpace(credentials), g.Token)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// proxied believes the header of a proxy, and of nobody else.
func (g *Guard) proxied(r *http.Request) (user string, ok bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "", false
	}
	for _, p := range g.Proxies {
		if p.Contains(at.Addr().Unmap()) {
			names := r.Header.Values(g.Header)
			if len(names) != 1 { // two are one too many: somebody added his own
				return "", false
			}
			user = unit.Cut(unit.Line(strings.TrimSpace(names[0])), maxUser)
			return user, user != ""
		}
	}
	return "", false
}

// exchange gives whoever brings the token in a link a cookie for it, and sends
// them to the same page without it. It reports whether it did.
func (g *Guard) exchange(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if g.Auth != Token || r.Method != http.MethodGet || !same(query.Get(tokenParameter), g.Token) {
		return false
	}
	query.Del(tokenParameter)
	g.welcome(w, r, r.URL.Path, query)
	return true
}

// login takes the token out of the form of the page that asks for it.
func (g *Guard) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if !same(r.PostFormValue(tokenParameter), g.Token) {
		p := g.unknown(w)
		p.Error = "that is not the token of this server"
		g.Refuse(w, r, p)
		return
	}
	next, err := url.ParseRequestURI(r.PostFormValue("next"))
	if err != nil {
		next = &url.URL{}
	}
	g.welcome(w, r, next.Path, next.Query())
}

// welcome sets the cookie and redirects to a path of ours: only its path and
// query are taken from the request, so that it leads to no other site.
func (g *Guard) welcome(w http.ResponseWriter, r *http.Request, to string, query url.Values) {
	http.SetCookie(w, &http.Cookie{
		Name: g.cookieName(), Value: g.session, Path: g.Base, HttpOnly: true, Secure: g.TLS, SameSite: http.SameSiteStrictMode,
	})
	clean := path.Clean("/" + to)
	if strings.HasSuffix(to, "/") && clean != "/" {
		clean += "/"
	}
	target := url.URL{Path: g.Base + strings.TrimPrefix(clean, "/"), RawQuery: query.Encode()}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusSeeOther)
}

// unknown is what somebody is told who is not known.
func (g *Guard) unknown(w http.ResponseWriter) Problem {
	p := Problem{Status: http.StatusUnauthorized, Error: "who are you?"}
	if g.Auth == Token {
		w.Header().Set("WWW-Authenticate", `Bearer realm="fanout"`)
		p.Error, p.Hint, p.Login = "this page needs the token of the server", "open the address that fanout serve printed", true
		return p
	}
	p.Error, p.Hint = "the proxy in front of this server did not say who asks", fmt.Sprintf("it is to send %s, from an address that --trusted-proxy names", g.Header)
	return p
}
