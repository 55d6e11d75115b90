package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
)

// Digesting writes through a digest.
func Digesting(write func(io.Writer) error, h hash.Hash) func(io.Writer) error {
	return func(w io.Writer) error {
		h.Reset() // a store may write again
		return write(io.MultiWriter(w, h))
	}
}

// LeftBy digests what an attempt leaves to runs that need it: its scraps, and the
// files it kept by their digests. Where a scrap was recorded, and its order among
// others, does not count.
func LeftBy(doc *notebook.Notebook, files map[string]string) string {
	all, _ := doc.Scraps()
	var lines []string
	for _, s := range all {
		lines = append(lines, fmt.Sprintf("scrap %q %q %q", s.Name, s.Encoder, plan.Digest(s.Data)))
		for mime, data := range s.Display {
			lines = append(lines, fmt.Sprintf("display %q %q %q", s.Name, mime, plan.Digest(data)))
		}
	}
	for name, digest := range files {
		lines = append(lines, fmt.Sprintf("file %q %s", name, digest))
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		fmt.Fprintln(h, line)
	}
	return hex.EncodeToString(h.Sum(nil))
}
