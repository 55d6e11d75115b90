package settings

import (
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/pattern"
)

// HTML is a page for each run, which is written when the run ends.
type HTML struct {
	NoCode bool
	Name   string // {name} stands for a parameter
}

// Publish is where the pages of a sweep go when it has ended.
type Publish struct {
	To     string // a folder, beside the sweep
	When   string // Always, NoGuardrail or Nothing
	NoCode bool
}

// When pages are published.
const (
	Always      = "always"
	NoGuardrail = "no guardrail unusual"
	Nothing     = "nothing unusual"
)

// Holds reports whether an unusual value of a metric keeps pages from being published.
func (p *Publish) Holds(guardrail bool) bool {
	return p != nil && (p.When == Nothing || p.When == NoGuardrail && guardrail)
}

// Page is the name of pages; empty where there are none.
func (h *HTML) Page() string {
	if h == nil {
		return ""
	}
	return h.Name
}

var pageName = pattern.Of(`^([^{}/\\\x00]|\{[A-Za-z_][A-Za-z0-9_]*\})*\.html$`)

func html() form.Form[*HTML] {
	f := optional(form.Map(
		form.Field("code", "With the code of the cells; true by default.", without(), func(h *HTML) *bool { return &h.NoCode }),
		form.Field("name", "The name of the file; {name} stands for a parameter, {run_id} for the run.", form.Text("a name such as {region}-{day}.html").Checked(func(r *yaml.Reader, n *yaml.Node, name *string) {
			if !pageName().MatchString(*name) {
				r.Hintf(n, `such as "{region}-{day}.html"; {run_id} is the id of the run`, "the name of a page ends with .html, and has names in braces and no slash")
			}
		}), func(h *HTML) *string { return &h.Name }),
	))
	read := f.Read
	f.Read = func(r *yaml.Reader, n *yaml.Node, into **HTML) {
		if read(r, n, into); *into != nil && (*into).Name == "" {
			(*into).Name = "{run_id}.html"
		}
	}
	return f
}

func publish() form.Form[*Publish] {
	return optional(form.Map(
		form.Field("to", "The folder; beside the sweep, if it is relative.", form.Text("a folder"), func(p *Publish) *string { return &p.To }),
		form.Field("when", "If it is not so, the earlier pages stay.", form.Word(Always, NoGuardrail, Nothing), func(p *Publish) *string { return &p.When }),
		form.Field("code", "With the code of the cells, and the notebooks; true by default.", without(), func(p *Publish) *bool { return &p.NoCode }),
	).Checked(func(r *yaml.Reader, n *yaml.Node, p *Publish) {
		switch {
		case p.To == "":
			r.Errorf(n, "publish: where? Add `to`, a folder")
		case strings.Contains(p.To, "://"):
			r.Errorf(n, "publish: pages are written to a folder; copy it to the bucket afterwards")
		}
		if p.When == "" {
			p.When = Always
		}
	}))
}

// without is a flag that says what is not left out.
func without() form.Form[bool] {
	f := form.Flag()
	read := f.Read
	f.Read = func(r *yaml.Reader, n *yaml.Node, into *bool) {
		with := true
		read(r, n, &with)
		*into = !with
	}
	return f
}
