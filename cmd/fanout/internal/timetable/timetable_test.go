package timetable

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/unit"
)

func at(minute int) time.Time { return time.Date(2026, 5, 1, 2, minute, 0, 0, time.UTC) }

func record(minute int, end *firing.End) firing.Firing {
	return firing.Firing{Due: at(minute), Try: 1, By: "Nomad", Began: at(minute).Add(time.Second), End: end}
}

// What the cluster still knows and what the sweep recorded become one account.
func TestLast(t *testing.T) {
	one, zero := 1, 0
	failed := &firing.End{At: at(9), Code: 1, Reason: "open s3://b: no credentials"}
	for name, c := range map[string]struct {
		cluster  *Firing
		recorded []firing.Firing
		want     string
	}{
		"nothing is known":                  {nil, nil, ""},
		"the cluster has forgotten":         {nil, []firing.Firing{record(5, failed), record(4, nil)}, "02:05 exit code 1: it could not finish: open s3://b: no credentials"},
		"only the cluster knows":            {&Firing{Due: at(5), State: "ended", Code: &one}, nil, "02:05 exit code 1: it could not finish"},
		"both know":                         {&Firing{Due: at(5), State: "ended", Code: &one}, []firing.Firing{record(5, failed)}, "02:05 exit code 1: it could not finish: open s3://b: no credentials"},
		"it was killed":                     {&Firing{Due: at(5), State: "ended", Reason: "killed for its memory"}, []firing.Firing{record(5, nil)}, "02:05 killed for its memory"},
		"it was killed and forgotten":       {nil, []firing.Firing{record(5, nil)}, "02:05 nobody recorded how it ended"},
		"an earlier one runs":               {&Firing{Due: at(5), State: "running"}, []firing.Firing{record(7, failed), record(5, nil)}, "02:05 running"},
		"a later one than the cluster says": {&Firing{Due: at(5), State: "ended", Code: &zero}, []firing.Firing{record(7, failed), record(5, nil)}, "02:07 exit code 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if f := Last(c.cluster, c.recorded, "UTC"); f != nil {
				got = f.Due.Format("15:04 ") + f.went()
			}
			if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Times are of the schedule's zone, and foreign words cannot leave their line.
func TestHistoryTable(t *testing.T) {
	var b strings.Builder
	bad := &firing.End{At: at(6), Code: 1, Reason: "a\nb\x1b[31mc"}
	if err := History(unit.NewPrinter(&b), []Firing{Of(record(5, bad), "Europe/Berlin")}, false); err != nil {
		t.Fatal(err)
	}
	want := "due                       began                     took  by     went\n2026-05-01 04:05:00 CEST  2026-05-01 04:05:01 CEST  59 s  Nomad  exit code 1: it could not finish: a bc\n"
	if b.String() != want {
		t.Errorf("%q, want\n%q", b.String(), want)
	}
}

// A schedule with a problem is a line, as are the others.
func TestListWithAProblem(t *testing.T) {
	var out bytes.Buffer
	all := []Schedule{{ID: "a", Problem: "bad\ncron"}, {ID: "b", Crons: []string{"0 2 * * *"}}}
	if err := List(unit.NewPrinter(&out), all, false); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 3 || !strings.Contains(lines[1], "problem: bad") || strings.Contains(lines[2], "problem") {
		t.Errorf("%q", lines)
	}
}
