package settings

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
)

// ParseDuration reads a Go duration, also in days: "90s", "1h30m", "2d".
func ParseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err == nil && n >= 0 && n < 36500 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	dur, err := time.ParseDuration(text)
	if err == nil && dur < 0 {
		err = fmt.Errorf("a duration cannot be negative")
	}
	return dur, err
}

// ParseLimit reads a duration, or a percentage of the median: "30m", "300%".
func ParseLimit(text string) (Limit, error) {
	if p, ok := percent(text); ok {
		return Limit{Percent: p}, nil
	}
	d, err := ParseDuration(text)
	return Limit{D: d}, err
}

func percent(s string) (float64, bool) {
	body, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	if !ok {
		return 0, false
	}
	p, err := strconv.ParseFloat(strings.TrimSpace(body), 64)
	return p, err == nil && p >= 0 && !math.IsInf(p, 0)
}

const durationPattern = `^([0-9.]+(ns|us|µs|ms|s|m|h|d))+$|^0$`

// duration is a duration with its unit.
func duration() form.Form[time.Duration] {
	return form.Form[time.Duration]{Read: func(r *yaml.Reader, n *yaml.Node, into *time.Duration) {
		*into = readDuration(r, n)
	}, Schema: scalar(durationPattern)}
}

func readDuration(r *yaml.Reader, n *yaml.Node) time.Duration {
	d, err := ParseDuration(r.Resolve(n).Value)
	if err != nil {
		r.Hintf(n, "write a number with its unit: 30s, 10m, 2h, 1d", "want a duration, not %s", yaml.Describe(n))
	}
	return d
}

// scalar is the schema of a text with a pattern, or of 0.
func scalar(pattern string) form.Schema {
	return form.Schema{"type": []string{"string", "integer"}, "pattern": pattern, "minimum": 0, "maximum": 0}
}

// limit is a duration or a percentage of the median.
func limit() form.Form[Limit] {
	return form.Form[Limit]{What: "a duration", Read: func(r *yaml.Reader, n *yaml.Node, into *Limit) {
		if p, ok := percent(r.Resolve(n).Value); ok {
			*into = Limit{Percent: p}
			return
		}
		*into = Limit{D: readDuration(r, n)}
	}, Schema: scalar(durationPattern + `|^\s*[0-9.eE+]+\s*%\s*$`)}
}

var haltRE = regexp.MustCompile(`^(now|soon),(fail|success|done)=(\d+)(%?)$`)

// halt is GNU parallel's --halt: "soon,fail=10%".
func halt() form.Form[Halt] {
	return form.Form[Halt]{Read: func(r *yaml.Reader, n *yaml.Node, into *Halt) { *into = readHalt(r, n) },
		Schema: form.Schema{"type": "string", "pattern": `^(never|(now|soon),(fail|success|done)=[0-9]+%?)$`}}
}

func readHalt(r *yaml.Reader, n *yaml.Node) Halt {
	text := r.Text(n, "halt")
	if text == "never" {
		return Halt{When: "never"}
	}
	m := haltRE.FindStringSubmatch(text)
	k := 0
	if m != nil {
		k, _ = strconv.Atoi(m[3])
	}
	if k == 0 || m[4] == "%" && k > 100 {
		r.Hintf(n, "for example soon,fail=10% or now,fail=1", "want never, or now or soon, then fail, success or done = a number or a percentage; not %q", text)
		return Halt{}
	}
	h := Halt{When: m[1], What: m[2]}
	if m[4] == "%" {
		h.Percent = float64(k)
	} else {
		h.N = k
	}
	return h
}

var sizeRE = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([kKMGT]?)(i?)B?$`)

// size is 512MB, 2GiB or a number of bytes.
func size() form.Form[int64] {
	return form.Form[int64]{Read: func(r *yaml.Reader, n *yaml.Node, into *int64) { *into = readSize(r, n) },
		Schema: form.Schema{"type": []string{"string", "integer"}, "pattern": sizeRE.String()}}
}

func readSize(r *yaml.Reader, n *yaml.Node) int64 {
	m := sizeRE.FindStringSubmatch(strings.TrimSpace(r.Resolve(n).Value))
	if m == nil {
		r.Errorf(n, "want a size such as 512MB or 2GiB, not %s", yaml.Describe(n))
		return 0
	}
	base := 1000.0
	if m[3] == "i" {
		base = 1024
	}
	x, _ := strconv.ParseFloat(m[1], 64)
	bytes := x * math.Pow(base, float64(strings.Index("_KMGT", strings.ToUpper(m[2] + "_")[:1])))
	if bytes > 1<<60 {
		r.Errorf(n, "a size of %s is too large", yaml.Describe(n))
		return 0
	}
	return int64(bytes)
}
