package trace

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// collector keeps the spans that it is sent.
type collector struct {
	mu     sync.Mutex
	spans  []*spans.Span
	about  string // of the resource
	header http.Header
	raw    bytes.Buffer
	status int // of the first answer, if not 200
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status := c.status; status != 0 {
		c.status = 0
		w.WriteHeader(status)
		return
	}
	body := r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	b, err := io.ReadAll(body)
	var got spans.TracesData
	if err != nil || proto.Unmarshal(b, &got) != nil || r.URL.Path != "/v1/traces" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.raw.Write(b)
	c.header = r.Header
	for _, rs := range got.ResourceSpans {
		c.about = rs.Resource.String()
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

// tree draws spans with those beneath them, in the order in which they began.
func (c *collector) tree(parent []byte, indent string) string {
	var out strings.Builder
	slices.SortStableFunc(c.spans, func(a, b *spans.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	for _, s := range c.spans {
		if !bytes.Equal(s.ParentSpanId, parent) {
			continue
		}
		fmt.Fprintf(&out, "%s%s %s\n%s", indent, s.Name, strings.TrimPrefix(s.Status.GetCode().String(), "STATUS_CODE_"), c.tree(s.SpanId, indent+"  "))
	}
	return out.String()
}

func attr(s *spans.Span, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

func clearEnvironment(t *testing.T) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
}

// execute fans out two runs, of which the second fails once, and each note is told.
func execute(t *testing.T, tr *Traces) (s *sweep.Sweep, ids []string) {
	t.Helper()
	s = fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 2, fantest.Succeed)
	for _, st := range s.Runs() {
		ids = append(ids, st.Run.ID)
	}
	fake := &fantest.Fake{Sweep: s, Limit: fan.Limits{PerShard: 1}, Deed: func(run sweep.Run, n int, d fantest.Deed) fantest.Deed {
		if run.ID == ids[1] && n == 1 {
			return fantest.Raise
		}
		return d
	}}
	if _, err := fan.Fan(t.Context(), s, fake, fan.Options{Runs: ids, Jobs: 1, Retry: fan.Retry{N: 1}, Note: tr.Runs(s)}); err != nil {
		t.Fatal(err)
	}
	return s, ids
}

// A run is a trace, with its attempts and their cells beneath it, and without the
// values of its parameters. A collector that is busy at first is asked again.
func TestSpans(t *testing.T) {
	clearEnvironment(t)
	c := &collector{status: http.StatusServiceUnavailable}
	server := httptest.NewServer(c)
	defer server.Close()
	if Wanted() {
		t.Fatal("nobody asked for traces")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL+"/")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret,x=y")
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "team=pricing")
	t.Setenv("OTEL_SERVICE_NAME", "nightly")
	if !Wanted() {
		t.Fatal("traces are asked for")
	}
	tr, err := New("1.2", func(text string) { t.Error(text) })
	if err != nil {
		t.Fatal(err)
	}
	s, ids := execute(t, tr)
	tr.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	cells := 0
	for _, span := range c.spans {
		if strings.HasPrefix(span.Name, "cell ") {
			cells++
		}
	}
	if cells == 0 {
		t.Error("no cell has a span")
	}
	c.spans = slices.DeleteFunc(c.spans, func(s *spans.Span) bool { return strings.HasPrefix(s.Name, "cell ") })
	want := "run test OK\n  attempt 1 OK\nrun test OK\n  attempt 1 ERROR\n  attempt 2 OK\n"
	if got := c.tree(nil, ""); got != want {
		t.Errorf("spans\n%swant\n%s", got, want)
	}
	digests := map[string]bool{}
	for _, span := range c.spans {
		for _, a := range span.Attributes {
			if a.Value.GetStringValue() == "" && a.Value.GetIntValue() == 0 && a.Value.GetDoubleValue() == 0 && a.Key != "fanout.cpu_seconds" && a.Key != "fanout.peak_rss_bytes" {
				t.Errorf("%s: %s has no value", span.Name, a.Key)
			}
		}
		if span.Name == "run test" {
			digests[attr(span, "fanout.parameters_digest")] = true
			if id := attr(span, "fanout.run"); !slices.Contains(ids, id) || attr(span, "fanout.sweep") != s.Name() || attr(span, "fanout.status") != "succeeded" {
				t.Errorf("run %s: %v", id, span.Attributes)
			}
		}
		if span.Status.GetCode() == spans.Status_STATUS_CODE_ERROR && (attr(span, "fanout.reason") != "exception" || span.Status.Message == "") {
			t.Errorf("%s: %v, %v", span.Name, span.Attributes, span.Status)
		}
		if n := len(hex.EncodeToString(span.TraceId)); n != 32 || span.EndTimeUnixNano < span.StartTimeUnixNano {
			t.Errorf("%v", span)
		}
	}
	if len(digests) != 2 {
		t.Errorf("%d digests of two runs", len(digests))
	}
	if c.header.Get("Authorization") != "Bearer secret" || c.header.Get("X") != "y" {
		t.Errorf("header %v", c.header)
	}
	for _, want := range []string{"nightly", "pricing", "1.2"} {
		if !strings.Contains(c.about, want) {
			t.Errorf("the resource lacks %s: %s", want, c.about)
		}
	}
}

// A collector that is not there, or does not answer, is told of once. Nothing waits
// for it but the end, for a moment.
func TestAway(t *testing.T) {
	clearEnvironment(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	free := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-free }))
	defer silent.Close()
	defer close(free)
	for name, at := range map[string]string{"gone": gone.URL, "silent": silent.URL} {
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", strings.Replace(at, "http://", "http://me:password@", 1))
		var mu sync.Mutex
		var told []string
		tr, err := New("", func(text string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, text)
		})
		if err != nil {
			t.Fatal(err)
		}
		tr.within = 100 * time.Millisecond
		note := tr.Runs(fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 1, fantest.Succeed))
		for i := range 3 * maxWaiting {
			note(sweep.Note{Kind: sweep.NoteEnded, Run: fmt.Sprint(i), Attempt: 1, Outcome: &outcome.Outcome{Status: outcome.Failed}})
		}
		tr.Close()
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 1 || !strings.HasPrefix(told[0], "traces: ") || strings.Contains(told[0], "password") {
			t.Errorf("%s: told %q", name, told)
		}
	}
}

// What the environment asks for wrongly is an error; what ends traces ends them.
func TestEnvironment(t *testing.T) {
	clearEnvironment(t)
	for name, text := range map[string]string{"ENDPOINT": "127.0.0.1:4317", "PROTOCOL": "grpc", "CERTIFICATE": "/none", "CLIENT_CERTIFICATE": "/none"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
			t.Setenv("OTEL_EXPORTER_OTLP_"+name, text)
			if _, err := New("", nil); err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_"+name) {
				t.Error(err)
			}
		})
	}
	for name, text := range map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
			t.Setenv(name, text)
			if Wanted() {
				t.Error("traces are made")
			}
		})
	}
}
