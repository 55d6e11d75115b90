package report

import (
	"fmt"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/report/internal/picture"
)

// calendarView is an axis of dates.
type calendarView struct {
	Axis, First, Last string
	All               int
	Missing           []string
}

// calendarSection says which dates lack runs, and draws them unless none does.
func calendarSection(in Input) (section, error) {
	var views []calendarView
	var figures []figure
	for _, v := range in.Compare.Coverage {
		if len(v.Places) < minLinePoints {
			continue
		}
		view := calendarView{v.Axis, v.Places[0].Name, v.Places[len(v.Places)-1].Name, len(v.Places), missingOf(v)}
		views = append(views, view)
		if len(view.Missing) == 0 {
			continue
		}
		p, err := drawCalendar(v, fmt.Sprintf("calendar-%d.png", len(figures)+1))
		if err != nil {
			return section{}, fmt.Errorf("draw the calendar of %s: %w", v.Axis, err)
		}
		figures = append(figures, p)
	}
	if len(views) == 0 {
		return section{}, nil
	}
	s := written("calendar", views)
	s.figures = figures
	return s, nil
}

func missingOf(v compare.Coverage) []string {
	var missing []string
	for _, p := range v.Places {
		if p.Used < p.Planned {
			missing = append(missing, fmt.Sprintf("%s (%d of %d)", safe(p.Name), p.Used, p.Planned))
		}
	}
	return missing
}

// listed joins the first of many texts, and counts the rest.
func listed(texts []string, limit int) string {
	if more := len(texts) - limit; more > 0 {
		texts = append(texts[:limit:limit], fmt.Sprintf("%d more", more))
	}
	return joined(texts)
}

func drawCalendar(v compare.Coverage, file string) (figure, error) {
	p, years, err := picture.Calendar(v)
	return figure{file, p, words("days", struct {
		Axis       string
		Shown, All int
	}{v.Axis, min(years, picture.MaxYears), years}) + "."}, err
}
