package publish

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/page"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/render"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// keyWritten is which attempt each page is of.
const keyWritten = page.Prefix + "pages.json"

// Pages writes a page for each run of a sweep whose sweep file asks for it. A nil Pages
// writes nothing.
type Pages struct {
	sweep  *sweep.Sweep
	noCode bool
	ended  chan string
	done   sync.WaitGroup

	mu      sync.Mutex
	written map[string]string // attempt, by the name of its page
}

// PagesOf are the pages of a sweep; nil where none are asked for.
func PagesOf(ctx context.Context, s *sweep.Sweep) *Pages {
	h := s.Spec().HTML
	if h == nil {
		return nil
	}
	p := &Pages{sweep: s, noCode: h.NoCode, written: map[string]string{}}
	if text, err := store.GetSmall(ctx, s.Store(), keyWritten); err == nil {
		json.Unmarshal(text, &p.written) // what cannot be read is written again
	}
	return p
}

// waiting is how many runs may have ended before their pages are written; those
// of others are written by All.
const waiting = 1000

// Watch writes the page of each run when a note says that it has ended, beside what
// executes the runs, until stop is called.
func (p *Pages) Watch(ctx context.Context, note func(sweep.Note)) (also func(sweep.Note), stop func()) {
	if p == nil {
		return note, func() {}
	}
	p.ended = make(chan string, waiting)
	p.done.Go(func() {
		names := map[string]string{}
		for id := range p.ended {
			if names[id] == "" { // the runs of a sweep that grows are planned meanwhile
				names, _ = p.names()
			}
			if ctx.Err() == nil {
				p.write(ctx, id, names[id]) // what fails is tried again by All
			}
		}
	})
	var once sync.Once
	return func(n sweep.Note) {
			if n.Kind == sweep.NoteEnded {
				select {
				case p.ended <- n.Run:
				default:
				}
			}
			note(n)
		}, func() {
			once.Do(func() { close(p.ended) })
			p.done.Wait()
		}
}

func (p *Pages) names() (map[string]string, error) {
	var runs []sweep.Run
	for st := range p.sweep.All() {
		runs = append(runs, st.Run)
	}
	return page.Names(p.sweep.Spec().HTML.Page(), runs)
}

// write writes the page of a run, if it has a notebook that no page shows.
func (p *Pages) write(ctx context.Context, id, name string) error {
	st, known := p.sweep.Run(id)
	if !known || st.Best == 0 || name == "" {
		return nil
	}
	attempt := fmt.Sprintf("%s.%d", id, st.Best)
	if p.noCode {
		attempt += " without code"
	}
	p.mu.Lock()
	current := p.written[name] == attempt
	p.mu.Unlock()
	if current {
		return nil
	}
	n, err := read(ctx, p.sweep.Store(), sweep.RunKey(id))
	if err != nil {
		return fmt.Errorf("read run %s: %w", id, err)
	}
	var b bytes.Buffer
	if err = Page(&b, []Book{{p.sweep.RunName(id), n}}, render.Options{NoCode: p.noCode}); err == nil {
		err = p.sweep.Store().Put(ctx, page.Prefix+name, b.Bytes(), store.Cached)
	}
	if err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	p.mu.Lock()
	p.written[name] = attempt
	p.mu.Unlock()
	return nil
}

// All writes the pages that are missing or of earlier attempts, and the page that leads
// to them. It removes those that no run has any more, and returns the names of pages by
// the keys of the notebooks that they show.
func (p *Pages) All(ctx context.Context) (map[string]string, error) {
	if p == nil {
		return nil, nil
	}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	of, wanted := map[string]string{}, map[string]bool{}
	var failed []error
	for _, st := range p.sweep.Runs() {
		id := st.Run.ID
		if err := p.write(ctx, id, names[id]); err != nil {
			failed = append(failed, err)
			continue
		}
		if st.Best > 0 && names[id] != "" {
			of[sweep.RunKey(id)], wanted[names[id]] = page.Prefix+names[id], true
		}
	}
	for name := range p.written {
		if !wanted[name] {
			if err := p.sweep.Store().Delete(ctx, page.Prefix+name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = append(failed, err)
				continue
			}
			delete(p.written, name)
		}
	}
	text, err := json.MarshalIndent(p.written, "", " ")
	if err == nil {
		err = p.sweep.Store().Put(ctx, keyWritten, append(text, '\n'), store.Cached)
	}
	if err == nil {
		err = p.index(ctx, names)
	}
	return of, errors.Join(append(failed[:min(len(failed), 5)], err)...)
}

// index writes the page that leads to all.
func (p *Pages) index(ctx context.Context, names map[string]string) error {
	head, _ := p.sweep.Head()
	runs := slices.Clone(p.sweep.Runs())
	var b strings.Builder
	cell := func(tag, text string) {
		fmt.Fprintf(&b, "<%s>%s</%s>", tag, html.EscapeString(unit.Cut(unit.Line(text), 200)), tag)
	}
	fmt.Fprintf(&b, "<h1>%s</h1>\n<p><a href=\"../%s\">The summary</a></p>\n<table><thead><tr>", html.EscapeString(unit.Line(p.sweep.Name())), sweep.SummaryHTML)
	cell("th", "page")
	for _, a := range head.Axes {
		cell("th", a.Name)
	}
	cell("th", "status")
	cell("th", "ended, UTC")
	b.WriteString("</tr></thead><tbody>\n")
	slices.SortStableFunc(runs, func(a, b sweep.RunState) int { return cmp.Compare(names[a.Run.ID], names[b.Run.ID]) })
	for _, st := range runs {
		name := names[st.Run.ID]
		if name == "" || st.Best == 0 && st.Run.Unplanned {
			continue
		}
		b.WriteString("<tr>")
		if st.Best > 0 {
			fmt.Fprintf(&b, `<td><a href="%s">%s</a></td>`, (&url.URL{Path: "./" + name}).EscapedPath(), html.EscapeString(name))
		} else {
			cell("td", "none yet")
		}
		for _, a := range head.Axes {
			cell("td", textOf(st.Run, a.Name))
		}
		ended := ""
		if st.BestOut != nil {
			ended = st.BestOut.End.UTC().Format("2006-01-02 15:04")
		}
		cell("td", st.Status.Words())
		cell("td", ended)
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table>")
	var out bytes.Buffer
	whole := template.Must(template.New("index").Parse(templates.SummaryPage))
	if err := whole.Execute(&out, struct {
		Title string
		Body  template.HTML
	}{"Pages of " + unit.Line(p.sweep.Name()), template.HTML(b.String())}); err != nil {
		return err
	}
	return p.sweep.Store().Put(ctx, page.Prefix+page.Index, out.Bytes(), store.Cached)
}

func textOf(r sweep.Run, axis string) string {
	for _, b := range slices.Concat(r.Params, r.Labels) {
		if b.Name == axis {
			return b.Value.Text()
		}
	}
	if axis == "replicate" {
		return fmt.Sprint(r.Replicate)
	}
	return ""
}

// Link has a page of the sweep lead to the pages of its runs instead of their notebooks,
// and to the page that leads to all.
func Link(body []byte, pages map[string]string) []byte {
	if len(pages) == 0 {
		return body
	}
	body = notebooks().ReplaceAllFunc(body, func(found []byte) []byte {
		if to, has := pages[string(notebooks().FindSubmatch(found)[1])]; has {
			return []byte(`href="` + (&url.URL{Path: to}).EscapedPath() + `"`)
		}
		return found
	})
	return bytes.Replace(body, []byte("</h1>"), []byte("</h1>\n<p><a href=\""+page.Prefix+page.Index+"\">A page for each run</a></p>"), 1)
}

// notebooks are the addresses of runs' notebooks in a page of ours.
var notebooks = pattern.Of(`href="(runs/[a-z2-7]{16}\.ipynb)"`)
