package notice

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/grid"
)

// A post office is an SMTP server on this machine, which keeps what one client says.
type postOffice struct {
	at       string
	commands chan []string
	mail     chan string
}

// newPostOffice takes one mail. refuse is the beginning of a command that it refuses.
func newPostOffice(t *testing.T, refuse string) postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := postOffice{l.Addr().String(), make(chan []string, 1), make(chan string, 1)}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		p.serve(conn, refuse)
	}()
	return p
}

func (p postOffice) serve(conn net.Conn, refuse string) {
	r := bufio.NewReader(conn)
	var said []string
	defer func() { p.commands <- said }()
	fmt.Fprint(conn, "220 here\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		said = append(said, line)
		switch verb, _, _ := strings.Cut(line, " "); {
		case refuse != "" && strings.HasPrefix(line, refuse):
			fmt.Fprint(conn, "550 nobody of that name\r\n")
		case verb == "EHLO":
			fmt.Fprint(conn, "250-here\r\n250 AUTH PLAIN\r\n")
		case verb == "AUTH":
			fmt.Fprint(conn, "235 welcome\r\n")
		case verb == "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			var text strings.Builder
			for line := ""; line != ".\r\n"; {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
				if line != ".\r\n" {
					text.WriteString(strings.TrimPrefix(line, "."))
				}
			}
			p.mail <- text.String()
			fmt.Fprint(conn, "250 taken\r\n")
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
}

const document = "# churn\n\n⚠ **auc** is unusual for emea: see `runs/x.ipynb`.\n\n.a line that begins with a dot\n\n| region | auc |\n|---|---|\n| emea | 0.5 |\n\n<script>alert(1)</script>\n"

// A summary arrives as text and as a page without scripts, whatever is in it; the
// password is where it belongs.
func TestMail(t *testing.T) {
	p := newPostOffice(t, "")
	t.Setenv("MAIL_PASSWORD", "s3cret")
	to := grid.Mail{To: []string{"Ana <ana@example.org>", "bo@example.org"}, From: "fanout@example.org", Server: p.at, User: "fanout", PasswordEnv: "MAIL_PASSWORD"}
	m := Message{Line: "churn: 3 runs ✓\r\nBcc: everybody@example.org", Document: []byte(document)}
	if err := Send(t.Context(), grid.Notice{Mail: &to}, m); err != nil {
		t.Fatal(err)
	}
	text, said := <-p.mail, strings.Join(<-p.commands, "\n")
	for _, want := range []string{"MAIL FROM:<fanout@example.org>", "RCPT TO:<ana@example.org>", "RCPT TO:<bo@example.org>", "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00fanout\x00s3cret"))} {
		if !strings.Contains(said, want) {
			t.Errorf("the client did not say %q:\n%s", want, said)
		}
	}
	got, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if got.Header.Get("Bcc") != "" || strings.Contains(text, "s3cret") {
		t.Errorf("%s", text)
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if !strings.HasPrefix(subject, "churn: 3 runs ✓") || got.Header.Get("To") != `"Ana" <ana@example.org>, <bo@example.org>` || got.Header.Get("Date") == "" {
		t.Errorf("header %v, subject %q", got.Header, subject)
	}
	plain, page := partsOf(t, got)
	if strings.ReplaceAll(plain, "\r\n", "\n") != document {
		t.Errorf("as text: %q", plain)
	}
	if !strings.Contains(page, "<strong>auc</strong>") || !strings.Contains(page, "<td>emea</td>") || strings.Contains(page, "<script") {
		t.Errorf("as a page: %s", page)
	}
}

func partsOf(t *testing.T, m *mail.Message) (plain, page string) {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	var texts []string
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, p.Header.Get("Content-Type")+"\n"+string(text))
	}
	if len(texts) != 2 {
		t.Fatalf("%d parts", len(texts))
	}
	plain, okPlain := strings.CutPrefix(texts[0], "text/plain; charset=utf-8\n")
	page, okPage := strings.CutPrefix(texts[1], "text/html; charset=utf-8\n")
	if !okPlain || !okPage {
		t.Fatalf("%q", texts)
	}
	return plain, page
}

// A mail that cannot be sent says where and why, and nothing of the password.
func TestMailRefused(t *testing.T) {
	t.Setenv("MAIL_PASSWORD", "s3cret")
	refused := newPostOffice(t, "RCPT TO:<bo@")
	auth := newPostOffice(t, "AUTH")
	for what, c := range map[string]struct {
		mail grid.Mail
		want string
	}{
		"nobody of that name": {grid.Mail{To: []string{"bo@example.org"}, From: "f@example.org", Server: refused.at}, `to bo@example.org: 550 "nobody of that name"`},
		"a wrong password":    {grid.Mail{To: []string{"bo@example.org"}, From: "f@example.org", Server: auth.at, User: "f", PasswordEnv: "MAIL_PASSWORD"}, "550"},
		"no password":         {grid.Mail{To: []string{"bo@example.org"}, From: "f@example.org", Server: newPostOffice(t, "").at, User: "f", PasswordEnv: "NO_PASSWORD"}, "its password is not set"},
		"no server":           {grid.Mail{To: []string{"bo@example.org"}, From: "f@example.org", Server: "127.0.0.1:1"}, "mail through 127.0.0.1:1"},
	} {
		err := Send(t.Context(), grid.Notice{Mail: &c.mail}, Message{Line: "x"})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
