// Package reproduce writes the command that executes one run of a sweep by itself.
//
// In go a sweep and a run; out comes a line to paste. Package reproduce executes
// nothing.
package reproduce

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Long is how many bytes of parameters, or of an expression, are worth a command line.
const Long = 2000

// A Place is where an object of a sweep is, for people.
type Place func(s *sweep.Sweep, key string) string

// Line is the command that executes a run by itself. Long parameters are read from the
// run's notebook, if it was executed. A run that is fed by others is fed again what its
// last attempt was.
func Line(s *sweep.Sweep, r sweep.Run, place Place) string {
	head, _ := s.Head()
	words := []string{"fanout", "exec", templatePath(s, head, r, place), r.ID + ".ipynb"}
	if k := cmp.Or(s.SettingsOf(r).Kernel, head.Recipe.Kernel); k != "" {
		words = append(words, "-k", k)
	}
	if p := head.Recipe.Python; p != "" {
		words = append(words, "--python", unit.Path(s.Resolve(p)))
	}
	if st, _ := s.Run(r.ID); len(s.Needed(r.ID)) > 0 {
		words = append(words, "--upstream", store.Whole(unit.Path(s.Where()), standing(st)))
	}
	words = append(words, given(s, r, place)...)
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

// standing is the notebook of the last attempt at a run.
func standing(st sweep.RunState) string {
	if st.Attempts == st.Best {
		return sweep.RunKey(st.Run.ID)
	}
	return sweep.AttemptKey(st.Run.ID, st.Attempts)
}

// templatePath is the template where its author has it, or the frozen copy
// when it is not there any more, or will not be after a firing.
func templatePath(s *sweep.Sweep, head sweep.Head, r sweep.Run, place Place) string {
	for _, t := range head.Templates {
		if t.Slot != r.Template {
			continue
		}
		file := s.Resolve(t.Path)
		if _, err := os.Stat(file); err == nil && !strings.Contains(file, "/"+draft.Fetched) {
			return unit.Path(file)
		}
		return place(s, t.Key)
	}
	return "template.ipynb"
}

// given are the flags that pass all parameters of a run.
func given(s *sweep.Sweep, r sweep.Run, place Place) (words []string) {
	size := 0
	for _, b := range r.Params {
		words = append(words, parameterWords(b)...)
		size += len(b.Value.String())
	}
	file := place(s, sweep.RunKey(r.ID))
	if st, _ := s.Run(r.ID); size > Long && st.Last != nil && !store.IsURL(file) {
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
