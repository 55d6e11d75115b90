package notice

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/unit"
)

// tlsPort is the port of servers that speak nothing but TLS.
const tlsPort = "465"

// maxReplies is how many bytes of a server's replies are read.
const maxReplies = 1 << 20

// brief is a connection to a server that says no more than it has to.
type brief struct {
	net.Conn
	left int
}

func (b *brief) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the server's replies do not end")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// maxSubject is how much of a line is the subject of a mail.
const maxSubject = 150

// send sends a message through a server. A password is only sent in TLS, or to this
// machine.
func send(ctx context.Context, to grid.Mail, m Message) error {
	text, err := compose(to, m, time.Now())
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(to.Server)
	if err != nil {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", to.Server)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	if port == tlsPort {
		conn = tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
	}
	c, err := smtp.NewClient(&brief{Conn: conn, left: maxReplies}, host)
	if err != nil {
		return err
	}
	defer c.Close()
	if can, _ := c.Extension("STARTTLS"); can {
		if err := c.StartTLS(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	}
	if err := login(c, to, host); err != nil {
		return err
	}
	return hand(c, to, text)
}

func login(c *smtp.Client, to grid.Mail, host string) error {
	if to.User == "" {
		return nil
	}
	password := password(grid.Notice{Mail: &to})
	if password == "" {
		return unit.WithHint(errors.New("its password is not set"), "set the environment variable %s", to.PasswordEnv)
	}
	return c.Auth(smtp.PlainAuth("", to.User, password, host))
}

func hand(c *smtp.Client, to grid.Mail, text []byte) error {
	from, err := mail.ParseAddress(to.From)
	if err == nil {
		err = c.Mail(from.Address)
	}
	if err != nil {
		return err
	}
	for _, name := range to.To {
		a, err := mail.ParseAddress(name)
		if err == nil {
			err = c.Rcpt(a.Address)
		}
		if err != nil {
			return fmt.Errorf("to %s: %w", unit.Line(name), err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// compose writes a mail: the document as text, and as a page that loads nothing.
func compose(to grid.Mail, m Message, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	from, err := mail.ParseAddress(to.From)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range to.To {
		a, err := mail.ParseAddress(name)
		if err != nil {
			return nil, err
		}
		names = append(names, a.String())
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	for _, h := range [][2]string{
		{"From", from.String()}, {"To", strings.Join(names, ", ")},
		{"Subject", mime.QEncoding.Encode("utf-8", unit.Cut(unit.Line(m.Line), maxSubject))},
		{"Date", now.Format(time.RFC1123Z)}, {"Message-ID", "<" + rand.Text() + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"},
		{"Content-Type", "multipart/alternative; boundary=" + parts.Boundary()},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	document := m.Document
	if len(document) == 0 {
		document = []byte(cmp.Or(m.Line, "fanout has no more to say") + "\n")
	}
	page, err := render.Markdown(string(document))
	if err != nil {
		return nil, err
	}
	html := "<!doctype html><html><head><meta charset=\"utf-8\"><style>" + style + "</style></head><body>" + string(page) + "</body></html>\n"
	err = errors.Join(part(parts, "text/plain", string(document)), part(parts, "text/html", html), parts.Close())
	return b.Bytes(), err
}

// style is little: what reads mail ignores most of it.
const style = "body{font:15px/1.5 system-ui,sans-serif;max-width:60em}table{border-collapse:collapse}td,th{padding:3px 10px;border-bottom:1px solid #ddd;text-align:left}"

func part(to *multipart.Writer, kind, text string) error {
	w, err := to.CreatePart(textproto.MIMEHeader{"Content-Type": {kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err != nil {
		return err
	}
	q := quotedprintable.NewWriter(w)
	_, err = io.WriteString(q, text)
	return errors.Join(err, q.Close())
}
