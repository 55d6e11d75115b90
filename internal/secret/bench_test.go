package secret

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkText masks what notebooks put out: logs, and pictures in base64.
func BenchmarkText(b *testing.B) {
	m, err := New([]string{`hunter2-"Zq\wö`, "sk-0123456789abcdefghij"})
	if err != nil {
		b.Fatal(err)
	}
	var log strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&log, "2026-03-31 04:05:06 INFO step %d: loss=%.6f lr=%g, read /data/part-%05d.parquet\n", i, 1/float64(i+1), 1e-3, i)
	}
	noise := make([]byte, 1<<19)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for name, text := range map[string]string{"log": log.String(), "base64": base64.StdEncoding.EncodeToString(noise)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if m.Text(text) != text {
					b.Fatal("it holds no secret")
				}
			}
		})
	}
}
