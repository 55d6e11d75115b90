package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// fakeSweep is a sweep file in a folder of its own, whose cells the fake kernel
// executes.
func fakeSweep(t *testing.T, grid string, cells ...string) (file string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("JUPYTER_PATH", filepath.Join(dir, "jupyter"))
	if err := kerneltest.InstallSpec(filepath.Join(dir, "jupyter"), nil); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "sweep.yaml")
	for name, text := range map[string][]byte{
		"sweep.yaml": []byte("name: watched\ntemplate: t.ipynb\ngrid: " + grid + "\n"), "t.ipynb": notebookOf("fake", "python", cells),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// The environment is all it takes to have spans of runs, and values of parameters are
// not in them. A collector that is away is told of, and nothing else.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var got bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		io.Copy(&got, r.Body)
	}))
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	file := fakeSweep(t, "{x: [value-1, value-2]}", "x = ''", "print hello", "when $x value-2 error ValueError bad")
	code, _, stderr := fanout(t, "run", file)
	if code != exitIncomplete || strings.Contains(stderr, "traces") {
		t.Errorf("%d: %s", code, stderr)
	}
	mu.Lock()
	text := got.String()
	mu.Unlock()
	for _, want := range []string{"attempt 1", "start kernel", "cell 1", "cell 4", "fanout.parameters_digest", "watched", "exception"} {
		if !strings.Contains(text, want) {
			t.Errorf("the spans lack %s", want)
		}
	}
	if strings.Contains(text, "value-1") {
		t.Error("the value of a parameter is in the spans")
	}
	collector.Close()
	code, _, stderr = fanout(t, "rerun", "--failed", filepath.Join(filepath.Dir(file), "watched.sweep"))
	if code != exitIncomplete || strings.Count(stderr, "warning: traces: ") != 1 {
		t.Errorf("%d: %s", code, stderr)
	}
}
