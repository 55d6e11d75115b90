package store

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// A server that cannot be trusted is not waited for, and what helps is said: the
// setting that names an authority, or the scheme that the endpoint should have.
func TestUntrustedServers(t *testing.T) {
	storetest.S3(t) // the environment
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for endpoint, want := range map[string]string{
		server.URL: "AWS_CA_BUNDLE names a file",
		strings.Replace(plain.URL, "http:", "https:", 1):  "is it http:// instead of https://?",
		strings.Replace(server.URL, "https:", "http:", 1): "then its endpoint is https://",
	} {
		s, err := Open(Within(ctx, Wait{Limit: time.Minute}), "s3://"+storetest.Bucket+"/p?region=us-east-1&endpoint="+url.QueryEscape(endpoint))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = s.Get(ctx, "k")
		if hint, _ := err.(interface{ Hint() string }); hint == nil || !strings.Contains(hint.Hint(), want) {
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: it is waited for: %v", endpoint, took)
		}
	}
}
