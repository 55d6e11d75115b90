package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var linkRE = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link from a document to another file, and to a heading in a document, leads
// somewhere, and the first page of the site leads to every document.
func TestLinks(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../examples/*/*.md", "../bench/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	linked := map[string]bool{}
	for _, page := range pages {
		for _, m := range linkRE.FindAllStringSubmatch(prose(t, page), -1) {
			path, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if heading != "" && !headings(t, target)[heading] {
				t.Errorf("%s links to %s: there is no such heading", page, m[1])
			}
			if page == "../docs/index.md" {
				linked[target] = true
			}
		}
	}
	for _, page := range pages {
		if strings.HasPrefix(page, "../docs/") && page != "../docs/index.md" && !linked[page] {
			t.Errorf("docs/index.md does not lead to %s", page)
		}
	}
}

var fenceRE = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`")

// prose is a document without its code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return fenceRE.ReplaceAllString(string(text), "")
}

// headings are the anchors of a document, as GitHub makes them.
func headings(t *testing.T, page string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		anchors[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])] = true
	}
	return anchors
}
