package secret

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// longLine is how many characters of a part of a secret are in no other text.
const longLine = 16

// parts are what programs take out of a value and print, and errors quote, by itself:
// the value without white space around it or composed in another way, the lines of a
// key in PEM, the texts of a JSON document, the password of a URL.
func parts(v string) (all []string) {
	trimmed := strings.TrimSpace(v)
	texts := append(jsonTexts(trimmed), passwords(trimmed)...)
	for _, text := range append(texts, v) {
		all = append(all, longLines(text)...)
	}
	for _, text := range append(append(texts, all...), v, trimmed) {
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			if composed := form.String(text); composed != text && Check(composed) == nil {
				all = append(all, composed)
			}
		}
	}
	if all = append(all, texts...); trimmed != v {
		all = append(all, trimmed)
	}
	return all
}

// longLines are the long lines of a text that has several; its armour is no secret.
func longLines(text string) (lines []string) {
	if !strings.Contains(strings.TrimSpace(text), "\n") {
		return nil
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) >= longLine && !strings.HasPrefix(line, "-----") {
			lines = append(lines, line)
		}
	}
	return lines
}

// passwords is that of a URL, as it is written and as it is meant.
func passwords(v string) (all []string) {
	u, err := url.Parse(v)
	if err != nil || u.User == nil {
		return nil
	}
	password, _ := u.User.Password()
	_, written, _ := strings.Cut(u.User.String(), ":")
	for _, text := range []string{password, written} {
		if Check(text) == nil {
			all = append(all, text)
		}
	}
	return all
}

// keeps matches names of what is a secret also where it is short.
var keeps = regexp.MustCompile(`(?i)pass|pwd|secret|token|key|credential`)

// jsonTexts are the texts of a JSON document that are long, or whose names say what
// they are.
func jsonTexts(v string) (all []string) {
	var doc any
	if !strings.HasPrefix(v, "{") && !strings.HasPrefix(v, "[") || json.Unmarshal([]byte(v), &doc) != nil {
		return nil
	}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case string:
			if len(strings.TrimSpace(v)) >= longLine || keeps.MatchString(name) && Check(v) == nil {
				all = append(append(all, v), passwords(v)...)
			}
		case []any:
			for _, each := range v {
				walk(name, each)
			}
		case map[string]any:
			for name, each := range v {
				walk(name, each)
			}
		}
	}
	walk("", doc)
	return all
}
