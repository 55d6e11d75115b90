package align

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/unit"
)

const (
	tagInjected = "injected-parameters"
	maxCells    = 20_000 // of one notebook
	maxSource   = 4000   // bytes of a cell's code in a Report
)

// A sheet is what is compared of a notebook: its code cells, without the one
// that papermill injected.
type sheet struct {
	cells []sheetCell
	shape [16]byte // of ids and code
	clock normal.Clock
}

type sheetCell struct {
	index   int // among all cells
	number  int // as people count
	id      string
	title   string
	code    [16]byte
	source  string
	output  [16]byte // as it is
	reached bool
	raised  string
}

// newSheet reads a notebook.
func newSheet(n *notebook.Notebook) (*sheet, error) {
	if len(n.Cells) > maxCells {
		return nil, fmt.Errorf("it has %d cells; %d can be compared", len(n.Cells), maxCells)
	}
	s := &sheet{}
	s.clock.Start, s.clock.End = n.Times()
	heading, number, numbers := "", 0, n.CodeNumbers()
	h := sha256.New()
	for i, c := range n.Cells {
		if c.Type == "markdown" {
			if title := headingOf(c.Source); title != "" {
				heading = title
			}
			continue
		}
		if numbers[i] == number || c.Type != "code" { // a banner
			continue
		}
		number = numbers[i]
		if c.HasTag(tagInjected) {
			continue
		}
		cell := newCell(c, i, number, heading)
		if strings.TrimSpace(c.Source) != "" {
			heading = ""
		}
		h.Write([]byte(cell.id + "\x00"))
		h.Write(cell.code[:])
		s.cells = append(s.cells, cell)
	}
	s.shape = [16]byte(h.Sum(nil))
	return s, nil
}

func newCell(c *notebook.Cell, i, number int, heading string) sheetCell {
	source := trimmed(c.Source)
	digest := sha256.Sum256([]byte(source))
	cell := sheetCell{
		index: i, number: number, id: c.ID, title: titleOf(c, source, heading), code: [16]byte(digest[:16]), source: source[:min(len(source), maxSource)],
		output: normal.Strict(c.Outputs), reached: c.ExecutionCount != nil || len(c.Outputs) > 0,
	}
	for _, o := range c.Outputs {
		if o.Type == "error" {
			cell.raised = raisedText(o.Ename, o.Evalue)
		}
	}
	return cell
}

func trimmed(source string) string {
	lines := strings.Split(strings.ReplaceAll(source, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

const maxTitle = 40

var (
	heading = pattern.Of(`(?m)^#{1,6} +(.+?)#* *$`)
	comment = pattern.Of(`^(?:#|//|--) *%*\s*([^\s!|].*)$`)
)

func headingOf(markdown string) string {
	all := heading().FindAllStringSubmatch(markdown, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// titleOf is what people would call a cell: its name, the comment that it
// begins with, the heading before it, or its first line.
func titleOf(c *notebook.Cell, source, heading string) string {
	title, _ := c.Metadata["name"].(string)
	if title == "" {
		title, _ = c.Metadata["title"].(string)
	}
	first, _, _ := strings.Cut(source, "\n")
	if m := comment().FindStringSubmatch(first); m != nil && title == "" {
		title = m[1]
	}
	if title == "" {
		title = heading
	}
	if title == "" {
		title = first
	}
	return unit.Cut(unit.Line(strings.TrimSpace(title)), maxTitle)
}
