// Package threshold reads the change that a gate does not let pass.
//
// In goes a text such as "revenue < -2% (p<0.01, missing<=3)", out comes what it
// says. Package threshold compares nothing.
package threshold

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Threshold is a change of a metric from the baseline.
type Threshold struct {
	Text     string
	Metric   string
	Below    bool // passed by a change below Limit, else by one above
	Limit    float64
	Relative bool    // Limit is a fraction of the baseline
	P        float64 // and only when p is smaller than this; 0 asks for nothing
	Missing  int     // how many runs of a group may lack the value
}

var form = regexp.MustCompile(`^\s*(\S+)\s*(<|>)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(%?)\s*(?:\(\s*(?:p\s*<\s*([0-9.eE-]+))?\s*,?\s*(?:missing\s*<=\s*([0-9]{1,9}))?\s*\))?\s*$`)

// Parse reads a threshold. The error says how one is written.
func Parse(text string) (Threshold, error) {
	m := form.FindStringSubmatch(text)
	if m == nil {
		return Threshold{}, fmt.Errorf("%q: want METRIC < CHANGE or METRIC > CHANGE, as in 'revenue < -2%% (p<0.01)'", text)
	}
	g := Threshold{Text: strings.TrimSpace(text), Metric: m[1], Below: m[2] == "<", Relative: m[4] == "%"}
	var err error
	if g.Limit, err = strconv.ParseFloat(m[3], 64); err != nil {
		return g, fmt.Errorf("%q: %s is not a number", text, m[3])
	}
	if g.Relative {
		g.Limit /= 100
	}
	if m[5] != "" {
		if g.P, err = strconv.ParseFloat(m[5], 64); err != nil || g.P <= 0 || g.P > 1 {
			return g, fmt.Errorf("%q: p<%s: want a number between 0 and 1", text, m[5])
		}
	}
	if m[6] != "" {
		if g.Missing, err = strconv.Atoi(m[6]); err != nil {
			return g, fmt.Errorf("%q: missing<=%s: want a number of runs", text, m[6])
		}
	}
	return g, nil
}
