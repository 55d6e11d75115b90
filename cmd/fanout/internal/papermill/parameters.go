package papermill

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Parameters are the flags that pass parameters to a notebook.
type Parameters struct {
	params, raw, secrets        []string // name NUL value
	files, yaml, base64         []string
	injectIn, injectOut, inject bool
}

// Add adds the flags.
func (p *Parameters) Add(fl *pflag.FlagSet) {
	fl.StringArrayVarP(&p.params, "parameters", "p", nil, "parameter `name value`, typed as it looks")
	fl.StringArrayVarP(&p.raw, "parameters_raw", "r", nil, "parameter `name value`, always a string")
	fl.StringArrayVarP(&p.files, "parameters_file", "f", nil, "YAML `file` of parameters, or a notebook that was executed with them")
	fl.StringArrayVarP(&p.yaml, "parameters_yaml", "y", nil, "YAML `text` of parameters")
	fl.StringArrayVarP(&p.base64, "parameters_base64", "b", nil, "base64 `text` of YAML of parameters")
	fl.StringArrayVar(&p.secrets, "secret", nil, "parameter `name variable`, read from the environment where the notebook runs")
	fl.BoolVar(&p.injectIn, "inject-input-path", false, "pass the input's path as PAPERMILL_INPUT_PATH")
	fl.BoolVar(&p.injectOut, "inject-output-path", false, "pass the output's path as PAPERMILL_OUTPUT_PATH")
	fl.BoolVar(&p.inject, "inject-paths", false, "pass both paths")
}

// Arguments merges parameters as papermill does: later ones win and keep the
// place of the first.
func (p *Parameters) Arguments(args []string) ([]notebook.Argument, error) {
	var merged []notebook.Argument
	set := func(a notebook.Argument) {
		if i := slices.IndexFunc(merged, func(m notebook.Argument) bool { return m.Name == a.Name }); i >= 0 {
			merged[i] = a
			return
		}
		merged = append(merged, a)
	}
	p.injected(args, set)
	if err := p.documents(set); err != nil {
		return nil, err
	}
	for _, pairs := range []struct {
		flag string
		of   []string
		make func(name, value string) notebook.Argument
	}{
		{"-p", p.params, func(n, v string) notebook.Argument { return notebook.Argument{Name: n, Value: Typed(v)} }},
		{"-r", p.raw, func(n, v string) notebook.Argument { return notebook.Argument{Name: n, Value: v} }},
		{"--secret", p.secrets, func(n, v string) notebook.Argument { return notebook.Argument{Name: n, Secret: v} }},
	} {
		for _, pair := range pairs.of {
			name, value, ok := strings.Cut(pair, Separator)
			if !ok {
				return nil, fmt.Errorf("%s takes two arguments, a name and a value", pairs.flag)
			}
			set(pairs.make(name, value))
		}
	}
	return merged, nil
}

func (p *Parameters) injected(args []string, set func(notebook.Argument)) {
	if p.injectIn || p.inject {
		set(notebook.Argument{Name: "PAPERMILL_INPUT_PATH", Value: args[0]})
	}
	if (p.injectOut || p.inject) && len(args) > 1 {
		set(notebook.Argument{Name: "PAPERMILL_OUTPUT_PATH", Value: args[1]})
	}
}

// givenTo takes the parameters that a notebook was executed with.
func givenTo(name string, text []byte, set func(notebook.Argument)) error {
	n, err := notebook.Decode(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	args, found := n.Arguments()
	if !found {
		return fmt.Errorf("%s was not executed with parameters", name)
	}
	for _, a := range args {
		set(a)
	}
	return nil
}

// documents reads the YAML forms: base64, files, text.
func (p *Parameters) documents(set func(notebook.Argument)) error {
	type document struct{ name, text string }
	var docs []document
	for _, b := range p.base64 {
		text, err := base64.StdEncoding.DecodeString(b)
		if err != nil {
			return fmt.Errorf("-b: %w", err)
		}
		docs = append(docs, document{"-b", string(text)})
	}
	for _, name := range p.files {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("-f: %w", err)
		}
		if strings.HasSuffix(name, ".ipynb") {
			if err := givenTo(name, text, set); err != nil {
				return fmt.Errorf("-f: %w", err)
			}
			continue
		}
		docs = append(docs, document{name, string(text)})
	}
	for _, text := range p.yaml {
		docs = append(docs, document{"-y", text})
	}
	for _, d := range docs {
		bindings, err := grid.DecodeBindings(d.name, []byte(d.text))
		if err != nil {
			return err
		}
		for _, b := range bindings {
			set(notebook.Argument{Name: b.Name, Value: b.Value.Any()})
		}
	}
	return nil
}

// Secrets are the values of secret parameters, which must not be written.
func Secrets(params []notebook.Argument) []string {
	var out []string
	for _, p := range params {
		if p.Secret != "" {
			out = append(out, os.Getenv(p.Secret))
		}
	}
	return out
}

// Paths fills the fields of the paths, as papermill does.
func Paths(args []string, params []notebook.Argument) (in, out string, err error) {
	id := strings.ToLower(rand.Text())
	now := time.Now()
	if in, err = notebook.FormatPath(args[0], params, id, now); err != nil || len(args) == 1 {
		return in, "", err
	}
	out, err = notebook.FormatPath(args[1], params, id, now)
	return in, out, err
}

// PrintHelp prints what a notebook declares.
func PrintHelp(to unit.Printer, name string, doc *notebook.Notebook) error {
	ps, found, err := doc.Parameters()
	if err != nil {
		return err
	}
	to.Printf("Usage: fanout exec [flags] %s OUT.ipynb\n\nParameters inferred for notebook '%s':\n", name, name)
	if !found {
		to.Println("  No cell tagged 'parameters'")
		return errors.New("the notebook has no cell tagged `parameters`")
	}
	for _, p := range ps {
		kind := p.Type
		if kind == "" {
			kind = "Unknown type"
		}
		def := fmt.Sprintf("  %s: %s (default %s)", p.Name, kind, p.Default)
		switch {
		case len(def) > 30 && p.Help != "":
			to.Printf("%s\n%34s%s\n", def, "", p.Help)
		default:
			to.Printf("%-34s%s\n", def, p.Help)
		}
	}
	return nil
}
