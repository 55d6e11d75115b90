// Package describe prints all that is known of one run.
//
// In go a sweep and what package app says of a run; out come lines for people.
// Text out of a notebook is printed without control characters.
package describe

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/listing"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Run prints what is known of a run.
func Run(to unit.Printer, s *sweep.Sweep, v app.Description) {
	st, id := v.Run.RunState, v.Run.Run.ID
	p := func(format string, args ...any) { to.Printf(format+"\n", args...) }
	p("%s  %s", id, s.RunName(id))
	p("  %s%s", listing.Status(v.Run), listing.Usage(v.Run))
	if v.Run.Waits != "" {
		p("  waits: %s", v.Run.Waits)
	}
	for _, part := range v.Run.Stale {
		p("  stale: %s", listing.StaleWhy(part))
	}
	if a := st.Accepted; a != nil && a.Attempt == st.Best {
		p("  accepted with other %s by %s, %s", strings.Join(a.Parts, ", "), a.By, a.At.Local().Format("2006-01-02 15:04:05"))
	}
	given(to, slices.Concat(st.Run.Labels, st.Run.Params))
	links(to, "fed by", lineage.FedBy(s, id))
	for _, f := range v.Fed {
		p("  %s = %s ← %s", f.Param, shown(f.Value), unit.Cut(unit.Line(f.Expr), maxShown))
	}
	links(to, "feeds", lineage.Feeds(s, id))
	p("attempts")
	for _, a := range v.Attempts {
		if a.Unread != "" {
			p("  %d  %s", a.Number, a.Unread)
			continue
		}
		p("  %d  %s  %s, %s  %s", a.Number, a.Outcome.Start.Local().Format("2006-01-02 15:04:05"), a.Outcome.Status.Words(),
			unit.Duration(a.Outcome.Duration()), unit.Line(a.Outcome.Reason))
		p("     %s", app.PlaceOf(s, a.Notebook))
		if a.Log != "" {
			p("     %s", app.PlaceOf(s, a.Log))
		}
	}
	if len(v.Attempts) == 0 {
		p("  none")
	}
	scraps(to, query.Scraps(st), st.More)
	Failure(to, v.Failure)
	if len(v.Artifacts) > 0 {
		p("artifacts")
		for _, a := range v.Artifacts {
			p("  %s", app.PlaceOf(s, a))
		}
	}
	p("reproduce")
	p("  %s", v.Reproduce)
}

func given(to unit.Printer, pairs []value.Binding) {
	if len(pairs) == 0 {
		return
	}
	to.Println("given")
	for _, b := range pairs {
		to.Printf("  %s = %s\n", b.Name, unit.Cut(unit.Line(b.Value.String()), maxShown))
	}
}

// maxShown is how many characters of one value are worth a line.
const maxShown = 200

func scraps(to unit.Printer, all map[string]any, more bool) {
	if len(all) == 0 && !more {
		return
	}
	to.Println("scraps")
	for _, n := range slices.Sorted(maps.Keys(all)) {
		to.Printf("  %s = %s\n", n, shown(all[n]))
	}
	if more {
		to.Println("  larger values are in results/")
	}
}

// shown is a value as one line of JSON, whatever it was read from: 2.0 is 2.
func shown(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(v) // it was JSON before
	return unit.Cut(unit.Line(strings.TrimSuffix(b.String(), "\n")), maxShown)
}

// recorded is a scrap as the log has it.
func recorded(data json.RawMessage) string {
	v, err := value.Parse(data)
	if err != nil {
		return unit.Cut(unit.Line(string(data)), maxShown)
	}
	return shown(v.Any())
}

// Failure prints the cell that failed; nothing where none did.
func Failure(w unit.Printer, f *app.FailedCell) {
	if f == nil {
		return
	}
	w.Printf("failed in cell %d of %d\n", f.Cell, f.Cells)
	for line := range strings.Lines(f.Source) {
		w.Printf("  | %s\n", Line(line))
	}
	for _, part := range f.Traceback {
		for line := range strings.Lines(part) {
			w.Printf("  %s\n", Line(line))
		}
	}
}

// Line is a line of a notebook that keeps its indent and nothing a
// terminal would obey.
func Line(line string) string {
	line = strings.TrimRight(line, "\r\n")
	return unit.Line(strings.ReplaceAll(line, "\t", "    "))
}

// maxRelatives is how many runs of one step are worth a line each.
const maxRelatives = 8

// links prints the runs of other steps.
func links(to unit.Printer, title string, all []lineage.Link) {
	if len(all) == 0 {
		return
	}
	to.Println(title)
	for _, l := range all {
		few, rest := l.Few(maxRelatives)
		for _, r := range few {
			to.Printf("  %s  %s: %s\n", r.ID, r.Name, r.Words())
		}
		if rest != "" {
			to.Printf("  %s\n", rest)
		}
	}
}
