package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// maxName is how many characters of a run's name are worth reading.
const maxName = 60

// runName names a run for people by what varies: "region=apac seed=3".
func runName(s *sweep.Sweep, id string) string {
	st, _ := s.Run(id)
	head, _ := s.Head()
	name := pointName(st.Run, head.Axes)
	if name == "" {
		return id
	}
	return name
}

func pointName(r sweep.Run, axes []grid.Axis) string {
	varies := map[string]bool{}
	for _, a := range axes {
		varies[a.Name] = true
	}
	var parts []string
	for _, b := range append(append([]value.Binding(nil), r.Labels...), r.Params...) {
		if varies[b.Name] {
			parts = append(parts, b.Name+"="+plainValue(b.Value))
		}
	}
	if len(parts) == 0 { // nothing varies
		for _, b := range r.Params {
			parts = append(parts, b.Name+"="+plainValue(b.Value))
		}
	}
	if varies["run_replicate"] {
		parts = append(parts, fmt.Sprintf("replicate=%d", r.Replicate))
	}
	name := []rune(clean(strings.Join(parts, " ")))
	if len(name) > maxName {
		return string(name[:maxName-1]) + "…"
	}
	return string(name)
}

// plainValue is a string as it is and anything else as JSON.
func plainValue(v value.Value) string {
	if s, ok := v.Any().(string); ok {
		return s
	}
	return v.String()
}

// failure is what people are told about a run that did not succeed.
func (c *cli) failure(s *sweep.Sweep, run string, o outcome.Outcome) string {
	st, _ := s.Run(run)
	lines := []string{
		fmt.Sprintf("%s: %s: %s", words(o.Status), runName(s, run), clean(o.Reason)),
		"    notebook   " + place(s, sweep.RunKey(run)),
		"    reproduce  " + reproduce(s, st.Run),
	}
	return strings.Join(lines, "\n")
}

// reproduce is the command that makes one run alone.
func reproduce(s *sweep.Sweep, r sweep.Run) string {
	head, _ := s.Head()
	words := []string{"fanout", "exec", templatePath(s, head, r), r.ID + ".ipynb"}
	if k := head.Recipe.Kernel; k != "" {
		words = append(words, "-k", k)
	}
	if p := head.Recipe.Python; p != "" {
		words = append(words, "--python", display(s.Resolve(p)))
	}
	for _, b := range r.Params {
		words = append(words, parameterWords(b)...)
	}
	for _, secret := range head.Recipe.Secrets {
		words = append(words, "--secret", secret.Param, secret.Env)
	}
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// templatePath is the template where its author has it, or the frozen copy
// when it is not there any more.
func templatePath(s *sweep.Sweep, head sweep.Head, r sweep.Run) string {
	for _, t := range head.Templates {
		if t.Slot != r.Template {
			continue
		}
		if file := s.Resolve(t.Path); exists(file) {
			return display(file)
		}
		return place(s, t.Key)
	}
	return "template.ipynb"
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// parameterWords are the flags that pass one parameter with its type kept.
func parameterWords(b value.Binding) []string {
	text := b.Value.String()
	switch b.Value.Kind() {
	case value.Int, value.Float:
		return []string{"-p", b.Name, text}
	case value.Bool:
		return []string{"-p", b.Name, map[string]string{"true": "True", "false": "False"}[text]}
	case value.Null:
		return []string{"-p", b.Name, "None"}
	case value.String:
		return []string{"-r", b.Name, plainValue(b.Value)}
	}
	return []string{"-y", fmt.Sprintf("{%q: %s}", b.Name, text)}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote makes a word safe to paste into a POSIX shell.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// display is a path relative to the working directory where that is shorter.
func display(path string) string {
	wd, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || len(rel) >= len(path) {
		return path
	}
	return rel
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
