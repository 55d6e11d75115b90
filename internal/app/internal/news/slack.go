package news

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A block is one of a Slack message.
type block struct {
	Type string `json:"type"`
	Text *text  `json:"text,omitempty"`
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// slack is a message as Slack, Mattermost and others take it at an incoming webhook: a
// line, and blocks that say more.
type slack struct {
	Text   string  `json:"text"`
	Blocks []block `json:"blocks"`
}

// maxBlock is how much text a block may have, in characters.
const maxBlock = 2900

func (n News) slack() slack {
	line := unit.Line(n.Text)
	m := slack{Text: escape(line)}
	m.add("*" + escape(line) + "*")
	switch {
	case n.Error != "":
		m.add(escape(unit.Line(n.Error)))
	case n.Halted != "":
		m.add("Halted: " + escape(unit.Line(n.Halted)))
	}
	if why := n.noPages(); why != "" {
		m.add(":warning: " + escape(unit.Line(why)))
	}
	m.list("What went wrong", len(n.Failures), func(i int) string {
		f := n.Failures[i]
		words := link(f.Page, unit.Line(f.Name)) + ": " + escape(unit.Cut(unit.Line(f.Reason), 200))
		if f.Known {
			words += " _(known)_"
		}
		return words
	})
	m.list("Unusual", len(n.Unusual), func(i int) string { return escape(n.Unusual[i].Text) })
	if n.Page != "" {
		m.add(link(n.Page, "Open the sweep"))
	} else if n.Where != "" {
		m.add("`" + escape(strings.ReplaceAll(unit.Line(n.Where), "`", "'")) + "`")
	}
	return m
}

func (m *slack) add(words string) {
	m.Blocks = append(m.Blocks, block{"section", &text{"mrkdwn", words}})
}

func (m *slack) list(title string, all int, line func(i int) string) {
	if all == 0 {
		return
	}
	words := "*" + title + "*"
	for i := range min(all, maxLines) {
		next := "\n• " + line(i)
		if len([]rune(words+next)) > maxBlock {
			break
		}
		words += next
	}
	if all > maxLines {
		words += fmt.Sprintf("\n• and %d more", all-maxLines)
	}
	m.add(words)
}

// escape keeps a text from meaning anything to Slack: no link, no mention.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// link leads to a page, if there is one.
func link(page, words string) string {
	if page == "" {
		return escape(words)
	}
	return "<" + page + "|" + strings.ReplaceAll(escape(words), "|", "¦") + ">"
}
