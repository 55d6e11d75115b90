package news

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/query"
)

func example() News {
	n := News{Sweep: "s", Status: "failure", Where: "/srv/s.sweep", Text: "s: 2 runs: <!channel> & more", Held: "the pages of 2026-01-12 are not published", Document: []byte("# s\n")}
	for range 12 {
		n.Failures = append(n.Failures, Failure{Failure: query.Failure{Run: "abcdefghijklmnop", Name: "region=<https://evil.test|click>", Reason: "cell 3 raised *KeyError*\n@here"}})
	}
	n.Failures[1].Known = true
	n.Unusual = []Unusual{{Metric: "auc", Text: "auc of emea is 0.5, expected 0.9 ± 0.01"}}
	return n
}

// What Slack gets has a text, and blocks that name failures with their reasons, what is
// unusual, and links to the server that the notice names; foreign text is no markup.
func TestSlack(t *testing.T) {
	m, err := example().Message("https://nb.example.org/fanout/")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Text   string
		Blocks []struct {
			Type string
			Text struct{ Type, Text string }
		}
	}
	if err := json.Unmarshal(m.Slack, &got); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, b := range got.Blocks {
		if b.Type != "section" || b.Text.Type != "mrkdwn" || len([]rune(b.Text.Text)) > 3000 {
			t.Errorf("%+v", b)
		}
		all = append(all, b.Text.Text)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"*s: 2 runs: &lt;!channel&gt; &amp; more*", ":warning: the pages of", "/runs/abcdefghijklmnop|region=&lt;https://evil.test¦click&gt;>: cell 3 raised *KeyError* @here", "_(known)_", "• and 2 more", "*Unusual*\n• auc of emea", "<https://nb.example.org/fanout/s/"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if got.Text != "s: 2 runs: &lt;!channel&gt; &amp; more" || strings.Contains(text, "<!channel") || strings.Contains(text, "<https://evil") {
		t.Errorf("%s", m.Slack)
	}
}

// A mail says first what stays up and where the runs are that failed; without the
// address of a server it has no links.
func TestMailHead(t *testing.T) {
	m, err := example().Message("https://nb.example.org")
	if err != nil || !strings.Contains(string(m.Document), "[region=\\<https://evil.test\\|click\\>](https://nb.example.org/s/") || !strings.Contains(string(m.Document), "**the pages of 2026-01-12") || !strings.HasSuffix(string(m.Document), "# s\n") {
		t.Errorf("%v %s", err, m.Document)
	}
	if m, err = example().Message(""); err != nil || strings.Contains(string(m.Document), "](") || strings.Contains(string(m.JSON), "\"page\"") {
		t.Errorf("%v %s %s", err, m.Document, m.JSON)
	}
	for _, want := range []string{"**What went wrong**\n\n- region=\\<https", "cell 3 raised \\*KeyError\\* @here\n", "*(known)*", "- and 2 more\n", "**Unusual**\n\n- auc of emea is 0.5"} {
		if !strings.Contains(string(m.Document), want) {
			t.Errorf("lacks %q:\n%s", want, m.Document)
		}
	}
	var v map[string]any
	if err := json.Unmarshal(m.JSON, &v); err != nil || v["failures"].([]any)[1].(map[string]any)["known"] != true {
		t.Errorf("%v %s", err, m.JSON)
	}
}

// A mail has no folder: links to the sweep's files lead to the server, or are words.
func TestMailLinks(t *testing.T) {
	document := "[a\\]b](runs/abcdefghijklmnop.ipynb) [t](results/runs.parquet) ![p](figure.png) [w](https://example.org/x)\n"
	for page, want := range map[string]string{
		"":                           "a\\]b t p [w](https://example.org/x)\n",
		"https://nb.example.org/s/x": "[a\\]b](https://nb.example.org/s/x/runs/abcdefghijklmnop) t p [w](https://example.org/x)\n",
	} {
		if got := string(linked([]byte(document), page)); got != want {
			t.Errorf("on %q: %s", page, got)
		}
	}
}
