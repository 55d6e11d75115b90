// Package answer says what an answer of Nomad's servers means, and that there was
// none: for code, whether it may pass; for people, on one line and with a hint.
package answer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/certificate"
	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/unit"
)

// noRegion is what Nomad answers about a region that it does not know, or no
// longer: one whose servers have been away for a minute.
const noRegion = "No path to region"

// NoRegion reports that answer.
func NoRegion(err error) bool {
	return Status(err) >= 500 && strings.Contains(err.Error(), noRegion)
}

// Away reports whether an error says that a cluster or a region is away, and
// nothing about what was asked.
func Away(err error) bool {
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) {
		return true
	}
	away := func(text string) bool { return strings.Contains(answer.Body(), text) }
	return answer.StatusCode() >= 500 && slices.ContainsFunc([]string{"No cluster leader", "rpc error", "EOF", "connection", noRegion}, away)
}

// Missing reports whether Nomad does not know what was asked for.
func Missing(err error) bool { return Status(err) == http.StatusNotFound }

// Status is the HTTP status of the cluster's answer, 0 if there was none.
func Status(err error) int {
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode()
	}
	return 0
}

// Explain adds to an error what was being done and, on one line, what the server
// answered.
func Explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{fmt.Errorf("%s: %s", doing, Of(err)), err, cmp.Or(certificate.Hint(err, trust), hintFor(Status(err), err.Error()))}
}

// Of is, on one line, what the server answered, or that it did not. A server that
// repeats the token it was sent does not spread it.
func Of(err error) string {
	mask, unmasked := secret.New([]string{os.Getenv("NOMAD_TOKEN")})
	if unmasked != nil { // no token, or none that could be found in a text
		return of(err)
	}
	return mask.Text(of(err))
}

func of(err error) string {
	var answer api.UnexpectedResponseError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &answer):
		return fmt.Sprintf("Nomad says %d: %s", answer.StatusCode(), unit.Short(strings.Join(strings.Fields(answer.Body()), " "), maxWords))
	case errors.Is(err, context.DeadlineExceeded):
		return "there is no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the answer breaks off: " + unit.Short(err.Error(), maxWords)
	case strings.Contains(err.Error(), "Got 0 byte response"): // it has no type
		return "the answer is empty"
	case errors.As(err, &syntax), errors.As(err, &kind):
		return "the answer is not Nomad's: " + unit.Short(err.Error(), maxWords)
	}
	return unit.Short(err.Error(), maxWords)
}

// Waits says what does not answer, and why, if that is known; who waits for it, and how
// long at most.
func Waits(what string, why error, who string, limit time.Duration) string {
	what += " does not answer"
	if why != nil {
		what += " (" + Of(why) + ")"
	}
	return fmt.Sprintf("%s: %s, for up to %s", what, who, unit.Duration(limit))
}

// maxWords is how many characters of an answer people are shown.
const maxWords = 1000

// Error is a failed request, with what to do about it.
type Error struct {
	error
	answer error // as the client gave it
	hint   string
}

func (e *Error) Unwrap() error { return e.answer }

// Hint says what to do about it.
func (e *Error) Hint() string { return e.hint }

// Needs is Explain for a request that the token may not make.
func Needs(right, doing string, err error) error {
	if Status(err) != http.StatusForbidden {
		return Explain(doing, err)
	}
	return &Error{Explain(doing, err), err, "NOMAD_TOKEN needs " + right + " in the namespace, besides what fanout run needs"}
}

// trust names what decides whether a cluster is trusted.
var trust = certificate.Settings{Authority: "NOMAD_CACERT", Name: "NOMAD_TLS_SERVER_NAME"}

func hintFor(code int, body string) string {
	switch {
	case code == 0 && strings.Contains(body, "certificate"): // what its side says of ours
		return "the agent wants a certificate of yours: NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY name it"
	case code == http.StatusBadRequest && strings.Contains(body, "HTTP request to an HTTPS server"):
		return "NOMAD_ADDR has to begin with https://"
	case code == 0:
		return "is NOMAD_ADDR right, and is the agent running?"
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return "the cluster, or what stands before it, is busy: run the same command again later"
	case code == http.StatusForbidden:
		return "is NOMAD_TOKEN set and still valid? it needs " + Rights + " in the namespace"
	case strings.Contains(body, noRegion):
		return "`nomad server members` lists the regions"
	case strings.Contains(body, "nonexistent namespace"):
		return "`nomad namespace list` lists the namespaces"
	case strings.Contains(body, "nonexistent node pool"):
		return "`nomad node pool list` lists the node pools"
	case strings.Contains(body, "is stopped"):
		return "somebody stopped the sweep's job; run the same command again to register it"
	}
	return "docs/nomad.md lists what a cluster needs"
}

// Rights are the capabilities that a token needs.
const Rights = "parse-job, register-job, dispatch-job, deregister-job, list-jobs, read-job and read-logs"

// Conflicted reports whether a job was registered by somebody else since it was
// read.
func Conflicted(err error) bool {
	return err != nil && strings.Contains(err.Error(), api.RegisterEnforceIndexErrPrefix)
}
