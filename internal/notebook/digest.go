package notebook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
)

// CodeDigest identifies the code of the notebook: its language and the sources
// of its code cells in order, without trailing space and blank cells, with the
// tags that change how they are executed. Outputs, counts, ids, Markdown,
// other metadata and the injected cell do not matter.
func (n *Notebook) CodeDigest() string {
	return n.digest("code", func(c *Cell) bool {
		return c.Type == "code" && !c.HasTag(tagInjected)
	})
}

// TextDigest identifies the Markdown and raw cells of the notebook.
func (n *Notebook) TextDigest() string {
	return n.digest("text", func(c *Cell) bool { return c.Type != "code" })
}

func (n *Notebook) digest(what string, counts func(*Cell) bool) string {
	h := sha256.New()
	part(h, what)
	if what == "code" {
		part(h, n.digestLanguage())
	}
	for _, c := range n.Cells {
		source := trimmed(c.Source)
		if source == "" && !c.HasTag(tagParameters) || isBanner(c) || !counts(c) {
			continue
		}
		part(h, c.Type, source)
		for _, tag := range []string{tagParameters, tagRaises, tagSkip} {
			if what == "code" && c.HasTag(tag) {
				part(h, tag)
			}
		}
		part(h, "")
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// part adds texts so that no two lists of them look alike.
func part(h hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
}

// digestLanguage is the notebook's language however much of it the metadata
// says: editors fill in what is missing when they save.
func (n *Notebook) digestLanguage() string {
	kernel, language := n.Kernel()
	if kernel == "" && language == "" {
		return "python"
	}
	d, err := dialect.Of(kernel, language)
	if err != nil {
		return strings.ToLower(language)
	}
	return d.Language()
}

// trimmed is source without the space at the end of its lines, and without
// empty lines at its end.
func trimmed(source string) string {
	lines := strings.Split(dialect.UnixLines(source), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}
