package shelf

import (
	"testing"
	"time"
)

// Whatever is typed is a question that every sweep can be asked, or a mistake.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"churn", `owner:ana failed:>0 "two words"`, "runs:<=x", "a:b:c", `"`, "runs:", ":x", "month:2026-03 tag:é", "runs:nan", "failed:>1e999"} {
		f.Add(text)
	}
	r := Record{Title: "Churn of É", Owner: "ana", Tags: []string{"tag"}, Axes: []Axis{{Name: "rate", Values: []string{"0.1"}, N: 1}}, Metrics: []Metric{{}}, Schedule: &Schedule{}}
	k := known{Record: r, words: wordsOf(r)}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err != nil {
			return
		}
		if score, fits := k.fits(q, time.Unix(1_790_000_000, 0)); score < 0 || fits && score != score {
			t.Errorf("%q: %v", text, score)
		}
	})
}
