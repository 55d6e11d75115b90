package render

import (
	"bytes"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// large is a notebook of about 16 MB: pictures, tables, prints and Markdown.
func large(t testing.TB) []byte {
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	cells := []sketch{}
	for range 32 {
		cells = append(cells,
			sketch{Type: "markdown", Source: "## A heading\n\n" + strings.Repeat("Some *words* with `code` and $x_1$. ", 20)},
			sketch{Source: strings.Repeat("x = f(1, 'two')  # three\n", 20), Outputs: []any{shows(bundle{"image/png": base64.StdEncoding.EncodeToString(noise)})}},
			sketch{Source: "df", Outputs: []any{shows(bundle{"text/html": "<table>" + strings.Repeat("<tr><td>1.5</td><td>word</td></tr>", 300) + "</table>"}), prints("stdout", strings.Repeat("a line of text\n", 3000))}})
	}
	b := book(t, nil, cells...).Encode()
	return b
}

// A large notebook begins to be seen within a second, and is never held twice.
func TestLarge(t *testing.T) {
	b := large(t)
	var before, peak runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	n, err := notebook.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	w := &firstWrite{}
	var most uint64
	w.each = func() {
		runtime.ReadMemStats(&peak)
		most = max(most, peak.HeapAlloc-min(peak.HeapAlloc, before.HeapAlloc))
	}
	if err := WritePage(w, "large", New(n, Options{})); err != nil {
		t.Fatal(err)
	}
	first, all := w.at.Sub(began), time.Since(began)
	t.Logf("%d MB: first byte after %s, all %d MB after %s, at most %d MB more on the heap", len(b)>>20, first, w.n>>20, all, most>>20)
	if first > 3*time.Second {
		t.Errorf("the first byte comes after %s", first)
	}
	if most > 3*uint64(len(b)) {
		t.Errorf("the heap grows by %d bytes for a notebook of %d", most, len(b))
	}
}

type firstWrite struct {
	at   time.Time
	n    int
	next int
	each func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.at.IsZero() {
		w.at = time.Now()
	}
	if w.n += len(p); w.n >= w.next {
		w.next += 1 << 20
		w.each()
	}
	return len(p), nil
}

func BenchmarkPage(b *testing.B) {
	text := large(b)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		n, err := notebook.Decode(bytes.Clone(text))
		if err != nil {
			b.Fatal(err)
		}
		if err := WritePage(io.Discard, "large", New(n, Options{})); err != nil {
			b.Fatal(err)
		}
	}
}
