package frame

import (
	"math"
	"os"
	"runtime"
	"testing"

	"github.com/parquet-go/parquet-go/format"
)

func TestGlimpse(t *testing.T) {
	for name, c := range map[string]struct {
		file  []byte
		text  string
		first int
	}{
		"all":       {forged{body: make([]byte, 80), unpacked: 80, values: 10, rows: 10}.file(t), "a table of 10 rows and 1 column", 10},
		"some":      {forged{body: make([]byte, 800), unpacked: 800, values: 100, rows: 100}.file(t), "a table of 100 rows and 1 column", 20},
		"stand-ins": {read(t, "stand_ins"), "a table of 2 rows and 7 columns", 0},
		"too large": {forged{body: make([]byte, 80), unpacked: glimpseBytes + 1, values: 10, rows: 10}.file(t), "a table of 10 rows and 1 column", 0},
		"no gzip":   {forged{codec: format.Gzip, body: make([]byte, 80), unpacked: 80, values: 10, rows: 10}.file(t), "a table of 10 rows and 1 column", 0},
	} {
		g, err := GlimpseOf(c.file, 20)
		if err != nil || g.String() != c.text || len(g.First) != c.first || g.Whole() != (name == "all") {
			t.Errorf("%s: %v, %v", name, g, err)
		}
	}
	if g, err := GlimpseOf([]byte("PAR1 is no file"), 20); err == nil {
		t.Errorf("no Parquet: %v", g)
	}
}

func read(t *testing.T, name string) []byte {
	b, err := os.ReadFile("testdata/" + name + ".parquet")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A page says that it holds many long texts.
func TestGlimpseOfBombs(t *testing.T) {
	b := forged{body: make([]byte, 80), unpacked: glimpseBytes, values: glimpseBytes, rows: glimpseBytes}.file(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if g, err := GlimpseOf(b, 20); err != nil || len(g.First) > 20 {
		t.Errorf("%v, %v", g, err)
	}
	runtime.ReadMemStats(&after)
	if held := after.TotalAlloc - before.TotalAlloc; held > 128<<20 {
		t.Errorf("it took %d MB", held>>20)
	}
}

func TestText(t *testing.T) {
	for want, v := range map[string]any{"": nil, "a": "a", "72439.95999999999": 72439.95999999999, "1e+20": 1e20, "0.1": 0.1, "NaN": math.NaN(),
		"0": 0., "12345678": int64(12345678), "true": true, `[1,null,"x"]`: []any{int64(1), nil, "x"}} {
		if got := Text(v); got != want {
			t.Errorf("Text(%v) = %q, want %q", v, got, want)
		}
	}
}
