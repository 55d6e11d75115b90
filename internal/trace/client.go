package trace

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/fanout-dev/fanout/internal/certificate"
	"github.com/fanout-dev/fanout/internal/unit"
)

// setting is a variable of OpenTelemetry's, the one for traces before the one for all
// signals.
func setting(name string) string {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_"+name), os.Getenv("OTEL_EXPORTER_OTLP_"+name))
}

// endpoint is where spans go; "" is nowhere.
func endpoint() string {
	if at := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); at != "" {
		return at
	}
	if at := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); at != "" {
		return strings.TrimSuffix(at, "/") + "/v1/traces"
	}
	return ""
}

// client posts spans by OTLP with protobuf over HTTP. OpenTelemetry's own brings gRPC
// along, which is larger than all that is done with it here.
type client struct {
	http   *http.Client
	url    *url.URL
	header http.Header
	gzip   bool
}

// newClient makes the client that the environment asks for.
func newClient() (*client, error) {
	at, err := url.Parse(endpoint())
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT: want a URL such as http://127.0.0.1:4318")
	}
	if p := setting("PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, and fanout speaks http/protobuf", p)
	}
	c := &client{url: at, header: http.Header{"Content-Type": {"application/x-protobuf"}}, gzip: setting("COMPRESSION") == "gzip"}
	for pair := range strings.SplitSeq(setting("HEADERS"), ",") {
		name, text, found := strings.Cut(pair, "=")
		text, bad := url.PathUnescape(strings.TrimSpace(text))
		if found && bad == nil {
			c.header.Set(strings.TrimSpace(name), text)
		}
	}
	limit := 10 * time.Second
	if ms, err := strconv.Atoi(setting("TIMEOUT")); err == nil && ms > 0 {
		limit = time.Duration(ms) * time.Millisecond
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = secure(); err != nil {
		return nil, err
	}
	c.http = &http.Client{Transport: transport, Timeout: limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// secure is how a collector is trusted, and trusts us.
func secure() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := setting("CERTIFICATE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s has no certificate", file)
		}
	}
	if file := setting("CLIENT_CERTIFICATE"); file != "" {
		pair, err := tls.LoadX509KeyPair(file, setting("CLIENT_KEY"))
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// tries is how often spans are sent that a collector cannot take at the moment.
const tries = 3

// UploadTraces implements otlptrace.Client. The bytes are those of a request to
// export, whose only field is the same.
func (c *client) UploadTraces(ctx context.Context, all []*spans.ResourceSpans) error {
	body, err := proto.Marshal(&spans.TracesData{ResourceSpans: all})
	if err != nil {
		return err
	}
	if c.gzip {
		var small bytes.Buffer
		w := gzip.NewWriter(&small)
		w.Write(body)
		w.Close()
		body = small.Bytes()
	}
	for try := 1; ; try++ {
		again, err := c.post(ctx, body)
		if err == nil || !again || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * time.Second):
		}
	}
}

// post sends spans once; again says that they may be sent once more.
func (c *client) post(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header = c.header.Clone()
	if c.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	res, err := c.http.Do(r)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // without the URL, which may have a password
	}
	if err != nil { // nobody is there: the next spans may find somebody
		err = fmt.Errorf("send spans to %s: %w", c.url.Host, err)
		if hint := certificate.Hint(err, certificate.Settings{Authority: "OTEL_EXPORTER_OTLP_CERTIFICATE"}); hint != "" {
			err = unit.WithHint(err, "%s", hint)
		}
		return false, err
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	switch res.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("send spans to %s: it says %s", c.url.Host, res.Status)
}
