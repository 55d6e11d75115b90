package axes

import (
	"time"

	"github.com/fanout-dev/fanout/internal/grid/internal/dates"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// A dateAxis is the rule of an axis of dates, with its places.
type dateAxis struct {
	*dates.Rule
	at, fromAt, toAt, alignAt *yaml.Node
	from, to                  string
}

var dateForm = datesForm()

func datesForm() form.Form[dateAxis] {
	f := form.Map(
		dateKey("from", "2026-01-31, 2026-01-31T06:00, 2026-01, today, yesterday, -7d, month_start, …", form.Text("").Schema,
			func(r *yaml.Reader, n *yaml.Node, x *dateAxis) { x.from, x.fromAt = readDate(r, n), n }),
		dateKey("to", "As from; included.", form.Text("").Schema,
			func(r *yaml.Reader, n *yaml.Node, x *dateAxis) { x.to, x.toAt = readDate(r, n), n }),
		dateKey("step", "1h, 1d, 1bd, 1w, 1mo, 1q, 1y or a number of them.", form.Schema{"type": "string", "pattern": `^([1-9][0-9]{0,5})?(min|h|d|bd|w|mo|q|y)$`},
			func(r *yaml.Reader, n *yaml.Node, x *dateAxis) {
				if text := r.Text(n, "a step such as 1h, 1d, 1bd, 1w, 1mo, 1q or 1y"); text != "" {
					report(r, n, x.SetStep(text))
				}
			}),
		dateKey("tz", "A time zone, such as Europe/Berlin; UTC by default.", form.Text("").Schema,
			func(r *yaml.Reader, n *yaml.Node, x *dateAxis) { x.Zone = readZone(r, n) }),
		dateKey("align", "Only the first or last days of weeks, months, quarters or years.", form.Word("start", "end").Schema,
			func(r *yaml.Reader, n *yaml.Node, x *dateAxis) { x.Align, x.alignAt = r.OneOf(n, "start", "end"), n }),
		dateKey("format", "As strftime has it, such as %Y-%m-%d.", form.Text("").Schema, readFormat),
	)
	f.Schema["required"] = []string{"from", "to"}
	return f
}

func dateKey(name, doc string, s form.Schema, read func(*yaml.Reader, *yaml.Node, *dateAxis)) form.Key[dateAxis] {
	return form.Key[dateAxis]{Name: name, Doc: doc, Form: form.Form[dateAxis]{Read: read, Schema: s}}
}

func report(r *yaml.Reader, n *yaml.Node, err error) {
	if err != nil {
		r.Errorf(n, "%v", err)
	}
}

func readFormat(r *yaml.Reader, n *yaml.Node, x *dateAxis) {
	x.Format = r.Text(n, "a date format such as %Y-%m-%d")
	report(r, n, dates.CheckFormat(x.Format))
}

// readDates reads a date axis; its values wait for the logical date.
func readDates(r *yaml.Reader, k yaml.Field, a *Axis) {
	n := k.Node
	x := &dateAxis{Rule: dates.Daily(), at: r.Resolve(n)}
	bad := r.Mistakes()
	dateForm.Read(r, n, x)
	if r.Mistakes() == bad && (x.from == "" || x.to == "") {
		r.Errorf(n, "dates need `from` and `to`")
	}
	if x.Align != "" && !x.HasPeriods() {
		r.Errorf(x.alignAt, "`align` needs a step of weeks, months, quarters or years")
	}
	a.Ordered, a.fill = true, x.fill
}

// readDate reads a date and checks the form of it.
func readDate(r *yaml.Reader, n *yaml.Node) string {
	s := r.Text(n, "a date")
	if s == "" {
		return ""
	}
	if err := dates.Check(s); err != nil {
		r.Hintf(n, dateHint, "%v", err)
		return ""
	}
	return s
}

const dateHint = "write 2026-03-31, 2026-03-31T06:00, 2026-03, today, yesterday, -7d, month_start, month_end-1mo, …"

func readZone(r *yaml.Reader, n *yaml.Node) *time.Location {
	name := r.Text(n, "a time zone")
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		r.Hintf(n, "for example Europe/Berlin or UTC", "unknown time zone %q", name)
		return time.UTC
	}
	return zone
}

func (x *dateAxis) fill(p *Preparer, a *Axis) {
	if x.from == "" || x.to == "" {
		return
	}
	asOf := p.AsOf.In(x.Zone)
	from, err := dates.Parse(x.from, asOf)
	if err != nil {
		p.Errorf(x.fromAt, "%v", err)
		return
	}
	to, err := dates.Parse(x.to, asOf)
	if err != nil {
		p.Errorf(x.toAt, "%v", err)
		return
	}
	if to.Before(from) {
		p.Errorf(x.fromAt, "`from` (%s) is after `to` (%s)", from, to)
		return
	}
	all, err := x.Between(from, to, maxValues)
	if err != nil {
		p.Errorf(x.at, "%v", err)
	}
	for _, day := range all {
		v, _ := value.Of(day)
		a.Cols[0].Values = append(a.Cols[0].Values, v)
	}
}
