// Package notice delivers a notification to whom a sweep file names. It knows
// nothing of what the notification says.
package notice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/certificate"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/unit"
)

// limit is how long one notification may take.
const limit = 30 * time.Second

// errLate reports a server or a command that takes longer.
var errLate = fmt.Errorf("it has not taken the message within %s", unit.Duration(limit))

// A Message is what a notification says: as JSON for programs, and for people in a
// line and a document of Markdown.
type Message struct {
	JSON     []byte
	Slack    []byte // JSON as Slack's incoming webhooks take it
	Line     string
	Document []byte // may be empty
}

// Send runs the command of a notice, with JSON as its standard input, posts that to
// its webhook, or sends its document by mail. An error names no more of a webhook than
// its host, whatever a server says.
func Send(ctx context.Context, n grid.Notice, m Message) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLate)
	defer cancel()
	return untold(n, deliver(ctx, n, m))
}

// failed names who did not take a message, and why; what was only too late says so, and
// who is not trusted what helps.
func failed(ctx context.Context, who string, err error) error {
	if err == nil {
		return nil
	}
	if context.Cause(ctx) == errLate {
		err = errLate
	}
	err = fmt.Errorf("%s: %w", who, err)
	if hint := certificate.Hint(err, certificate.Settings{Authority: "SSL_CERT_FILE"}); hint != "" {
		return unit.WithHint(err, "%s", hint)
	}
	return err
}

func deliver(ctx context.Context, n grid.Notice, m Message) error {
	if n.Mail != nil {
		return failed(ctx, "mail through "+n.Mail.Server, send(ctx, *n.Mail, m))
	}
	body := m.JSON
	to := hook(n)
	if n.WebhookEnv != "" && to == "" {
		return unit.WithHint(errors.New("post to a webhook: its URL is not set"), "set the environment variable %s", n.WebhookEnv)
	}
	if n.As == "slack" {
		body = m.Slack
	}
	if to != "" {
		return post(ctx, to, body)
	}
	cmd := exec.CommandContext(ctx, n.Command[0], n.Command[1:]...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(append(body, '\n')), os.Stderr
	cmd.WaitDelay = time.Second
	return failed(ctx, "run "+n.Command[0], cmd.Run())
}

// stay follows no redirect: Go's client would name the URL, with its token, to where it
// leads, and ask there without the body.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// post sends body to a URL. Its errors name the host alone: the rest is often a
// token.
func post(ctx context.Context, to string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return errors.New("post to a webhook: its URL cannot be read")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{CheckRedirect: stay}).Do(req)
	if err != nil {
		var about *url.Error
		if errors.As(err, &about) {
			err = about.Err
		}
		return failed(ctx, "post to "+req.URL.Host, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return fmt.Errorf("post to %s: it answers %s, and where it leads gets neither the message nor the URL: name that place instead", req.URL.Host, status(res))
	}
	if res.StatusCode >= 400 {
		return fmt.Errorf("post to %s: it answers %s", req.URL.Host, status(res))
	}
	return nil
}

// status is what a code means: the words that a server puts after it may repeat the
// URL.
func status(res *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode)))
}
