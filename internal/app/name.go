package app

import (
	"fmt"
	"os"
	"strings"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// PlaceOf is where an object of a sweep is, for people.
func PlaceOf(s *sweep.Sweep, key string) string {
	return store.Join(unit.Path(s.Where()), key)
}

// longParameters is how many bytes of parameters are worth a command line.
const longParameters = 2000

// Reproduce is the command that executes one run by itself. Long parameters are
// read from the run's notebook, if it was executed. A run that is fed by others is
// executed again in its sweep, which has what it is fed.
func Reproduce(s *sweep.Sweep, r sweep.Run) string {
	head, _ := s.Head()
	if len(s.Needed(r.ID)) > 0 {
		return fmt.Sprintf("fanout rerun %s %s --frozen", unit.Quote(s.Where()), r.ID)
	}
	words := []string{"fanout", "exec", templatePath(s, head, r), r.ID + ".ipynb"}
	if k := head.Recipe.Kernel; k != "" {
		words = append(words, "-k", k)
	}
	if p := head.Recipe.Python; p != "" {
		words = append(words, "--python", unit.Path(s.Resolve(p)))
	}
	words = append(words, given(s, r)...)
	for _, secret := range head.Recipe.Secrets {
		if !secret.For(r) {
			continue
		}
		words = append(words, "--secret", secret.Param, secret.Env)
	}
	for i, w := range words {
		words[i] = unit.Quote(w)
	}
	return strings.Join(words, " ")
}

// templatePath is the template where its author has it, or the frozen copy
// when it is not there any more, or will not be after a firing.
func templatePath(s *sweep.Sweep, head sweep.Head, r sweep.Run) string {
	for _, t := range head.Templates {
		if t.Slot != r.Template {
			continue
		}
		file := s.Resolve(t.Path)
		if _, err := os.Stat(file); err == nil && !strings.Contains(file, "/"+draft.Fetched) {
			return unit.Path(file)
		}
		return PlaceOf(s, t.Key)
	}
	return "template.ipynb"
}

// given are the flags that pass all parameters of a run.
func given(s *sweep.Sweep, r sweep.Run) (words []string) {
	size := 0
	for _, b := range r.Params {
		words = append(words, parameterWords(b)...)
		size += len(b.Value.String())
	}
	file := PlaceOf(s, sweep.RunKey(r.ID))
	if st, _ := s.Run(r.ID); size > longParameters && st.Last != nil && !store.IsURL(file) {
		return []string{"-f", file}
	}
	return words
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
		return []string{"-r", b.Name, b.Value.Text()}
	}
	return []string{"-y", fmt.Sprintf("{%q: %s}", b.Name, text)}
}
