package notice

import (
	"bytes"
	"io"
	"net/mail"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
)

// Whatever addresses, lines and documents hold, a mail has the headers it should have,
// and no others; what is no address is an error.
func FuzzCompose(f *testing.F) {
	f.Add("a@b.example", "Ana <ana@b.example>", "a line", "# A document")
	f.Add("a@b.example\r\nBcc: x@y", `"a\r\nBcc: x"@b`, "a\r\nBcc: x@y\r\n\r\nbody", ".\r\nQUIT")
	f.Add("=?utf-8?q?=0D=0ABcc:x?= <a@b>", "ü <ü@ü.example>", "\x1b[31m\u202e", "<script>\x00")
	headers := map[string]bool{"From": true, "To": true, "Subject": true, "Date": true, "Message-Id": true, "Auto-Submitted": true, "Mime-Version": true, "Content-Type": true}
	f.Fuzz(func(t *testing.T, from, to, line, document string) {
		text, err := compose(grid.Mail{From: from, To: []string{to}}, Message{Line: line, Document: []byte(document)}, time.Unix(1_790_000_000, 0))
		if err != nil {
			return
		}
		m, err := mail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("from %q to %q: %v", from, to, err)
		}
		for name, values := range m.Header {
			if !headers[name] || len(values) != 1 {
				t.Errorf("from %q to %q, %q: header %s is %q", from, to, line, name, values)
			}
		}
		if all, err := m.Header.AddressList("To"); err != nil || len(all) != 1 {
			t.Errorf("to %q: %v, %v", to, all, err)
		}
		if _, err := io.Copy(io.Discard, m.Body); err != nil {
			t.Error(err)
		}
	})
}
