package gcs

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/fanout-dev/fanout/internal/certificate"
	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// statusError is the reply of a server that refused.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.text) }

// maxText is how much is read of what a server says of an error, in bytes.
const maxText = 64 << 10

// refusal is the error that a reply is, or nil. It closes the body of one.
func refusal(r *http.Response) error {
	if r.StatusCode < 300 {
		return nil
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(r.Body, maxText))
	var said struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil || said.Error.Message == "" {
		said.Error.Message = strings.TrimSpace(string(text[:min(len(text), 200)]))
	}
	if said.Error.Message == "" {
		said.Error.Message = http.StatusText(r.StatusCode)
	}
	return &statusError{r.StatusCode, said.Error.Message}
}

// passes says whether an error may be gone the next time. Every request can be
// repeated: what must happen once has a condition.
func passes(err error) bool {
	var refused *statusError
	if errors.As(err, &refused) {
		return maySucceed(refused.status)
	}
	var token *oauth2.RetrieveError
	if errors.As(err, &token) {
		return token.Response != nil && maySucceed(token.Response.StatusCode)
	}
	var givenUp *remote.GivenUpError
	var certificate *tls.CertificateVerificationError
	var forEver remote.RedirectedError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return !errors.As(err, &givenUp) && !errors.As(err, &certificate) && !errors.As(err, &forEver) && !errors.As(err, &syntax) && !errors.As(err, &kind) && !errors.Is(err, remote.ErrEndless) && !errors.Is(err, remote.ErrStalled)
}

func maySucceed(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500
}

func (p *protocol) Judge(err error) (hint string, kind error) {
	var refused *statusError
	if !errors.As(err, &refused) {
		return certificate.Hint(err, certificate.Settings{Authority: "SSL_CERT_FILE"}), nil
	}
	switch refused.status {
	case http.StatusNotFound:
		if strings.Contains(refused.text, "bucket does not exist") {
			hint = "create the bucket, or correct its name in the URL"
		}
		return hint, fs.ErrNotExist
	case http.StatusPreconditionFailed:
		return "", fs.ErrExist
	case http.StatusForbidden:
		return "the credentials may not do that: they need the role Storage Object User on the bucket", fs.ErrPermission
	case http.StatusUnauthorized:
		return NoCredentials, fs.ErrPermission
	}
	return "", nil
}
