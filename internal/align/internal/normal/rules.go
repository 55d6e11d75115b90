package normal

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// A rule replaces what differs between two executions without meaning.
type rule struct {
	when    []string // a text with none of these has nothing to replace
	pattern func() *regexp.Regexp
	with    string
}

// apply replaces line by line: most lines have nothing to replace.
func (r rule) apply(s string) string {
	if !r.concerns(s) {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		if r.concerns(line) {
			line = r.pattern().ReplaceAllString(line, r.with)
		}
		b.WriteString(line)
	}
	return b.String()
}

func (r rule) concerns(s string) bool {
	return slices.ContainsFunc(r.when, func(w string) bool { return strings.Contains(s, w) })
}

const (
	number = `\d+(?:[.,]\d+)?`
	units  = `(?:ns|µs|μs|us|ms|s|secs?|seconds?|mins?|minutes?|h|hours?)\b`
)

// rules are applied to all texts, in this order.
var rules = []rule{
	// Objects.
	{[]string{"at 0x"}, pattern.Of(`\bat 0x[0-9a-fA-F]+`), "at 0x…"},
	{[]string{"0x"}, pattern.Of(`\b0x[0-9a-fA-F]{9,16}\b`), "0x…"},

	// Where the notebook was executed.
	{[]string{"<ipython-input-"}, pattern.Of(`<ipython-input-\d+-[0-9a-f]+>`), "<ipython-input>"},
	{[]string{"In [", "In["}, pattern.Of(`\bIn ?\[(?:\d+|\*)\]`), "In[…]"},
	{[]string{"Out[", "Out ["}, pattern.Of(`\bOut ?\[\d+\]`), "Out[…]"},
	{[]string{"pid", "PID"}, pattern.Of(`\b((?:pid|PID)[ =:]{1,3})\d+`), "${1}…"},
	{[]string{"localhost:", "127.0.0.1:", "0.0.0.0:"}, pattern.Of(`\b(localhost|127\.0\.0\.1|0\.0\.0\.0):\d{4,5}\b`), "${1}:…"},

	// How long it took.
	{[]string{"<", "it/s", "s/it"}, pattern.Of(`\[\d+:\d\d(?::\d\d)?(?:<[^\]\n]*)?(?:, [^\]\n]*)?\]`), "[…]"},
	{[]string{"█", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}, pattern.Of(`\d+%\|[^|\n]*\|`), "|…|"},
	{[]string{"CPU times:"}, pattern.Of(`CPU times:[^\n]*`), "CPU times: …"},
	{[]string{"per loop", "each)"}, pattern.Of(number + ` ` + units + ` ± ` + number + ` ` + units + ` per loop \([^)\n]*\)`), "… per loop"},
	{[]string{"ms/", "s/", "it/"}, pattern.Of(`(?:` + number + ` ?s )?\b` + number + ` ?(?:ns|µs|μs|us|ms|s)/(step|epoch|it|iter|loop|row|sample|batch)\b`), "…/${1}"},
	{[]string{"/s"}, pattern.Of(number + ` ?([kMG]?B|its?|iter(?:ation)?s?|steps?|rows?|batch(?:es)?|files?|samples?|examples?)/s\b`), "… ${1}/s"},
	{[]string{"took", "Took", "lapsed", "all time", "untime", "uration", "inished in", "ompleted in", "one in", "ime:", "ime spent", "ETA"},
		pattern.Of(`(?i)\b((?:took|elapsed(?: time)?|wall time|runtime|run time|duration|(?:finished|completed|done) in|time spent|execution time|total time|training time|eta)\b[ :=~]{1,3})(?:\d+:\d\d(?::\d\d)?(?:\.\d+)?|` + number + ` ?` + units + `(?: ?` + number + ` ?` + units + `)*)`), "${1}…"},
	{[]string{"min ", "h "}, pattern.Of(`\b\d+(?:h|min) \d+(?:min)? ?\d*s?\b(?:, \d+ (?:m|µ|n)s)?`), "…"},
}

// normalised is a text without what differs between two executions.
func normalised(s string) string {
	if s == "" {
		return ""
	}
	s = withoutEscapes(overwritten(s))
	for _, r := range rules {
		s = r.apply(s)
	}
	return sortedSets(numberedIDs(temporary(s)))
}

var (
	escapes = pattern.Of("\x1b(?:\\[[0-9;?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?)")
)

func withoutEscapes(s string) string {
	if !strings.Contains(s, "\x1b") {
		return s
	}
	return escapes().ReplaceAllString(s, "")
}

// overwritten is what a terminal shows in the end of lines that were written
// over: progress bars.
func overwritten(s string) string {
	if !strings.ContainsAny(s, "\r\b") {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if !strings.ContainsAny(s, "\r\b") {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		for strings.HasSuffix(line, "\r") {
			line = strings.TrimSuffix(line, "\r")
		}
		line = line[strings.LastIndexByte(line, '\r')+1:]
		if strings.Contains(line, "\b") {
			line = erased(line)
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

func erased(line string) string {
	var kept []rune
	for _, r := range line {
		switch {
		case r != '\b':
			kept = append(kept, r)
		case len(kept) > 0:
			kept = kept[:len(kept)-1]
		}
	}
	return string(kept)
}

var (
	temporaryPath = pattern.Of(`(?:/private)?(?:/var)?/(?:tmp|folders|dev/shm)/[^\s"'<>:,;()\[\]{}|&]+`)
	randomName    = pattern.Of(`\d{3}|^tmp[a-z0-9_]{8}|^\d`)
)

// temporary masks what is random in paths of temporary files: all but a name
// that somebody chose.
func temporary(s string) string {
	if !strings.Contains(s, "/tmp/") && !strings.Contains(s, "/folders/") && !strings.Contains(s, "/shm/") {
		return s
	}
	return temporaryPath().ReplaceAllStringFunc(s, func(path string) string {
		name := path[strings.LastIndexByte(path, '/')+1:]
		if randomName().MatchString(name) {
			name = "…" + filepath.Ext(name)
		}
		return "/tmp/…/" + name
	})
}

var randomIDs = pattern.Of(`\b[0-9a-f]{8}[-_][0-9a-f]{4}[-_][1-8][0-9a-f]{3}[-_][89ab][0-9a-f]{3}[-_][0-9a-f]{12}` + // UUIDs
	`|[0-9a-f]{8}_[0-9a-f]{4}_[1-8][0-9a-f]{3}_[89ab][0-9a-f]{3}_[0-9a-f]{12}` +
	`|[a-z][-_][0-9a-f]{32}\b` + // a word and a random number, as altair and folium name what they draw
	`|\b[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\b` + // UUIDs without hyphens
	`|\bT_[0-9a-f]{5}(?:_|\b)`) // of pandas' styled tables

// numberedIDs gives random ids numbers, in the order in which they appear.
func numberedIDs(s string) string {
	if !mayHoldIDs(s) {
		return s
	}
	seen := map[string]string{}
	return betweenLongNumbers(s, func(s string) string { return numbered(s, seen) })
}

// longNumber is how many digits are in no id: what looks for ids reads a megabyte of
// them a second.
const longNumber = 1 << 10

// betweenLongNumbers applies do to a text without the digits within long numbers. What
// it is given has enough of them at each end that they are seen to be long.
func betweenLongNumbers(s string, do func(string) string) string {
	const kept = 64
	var out strings.Builder
	begin, run := 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f') {
			run++
			continue
		}
		if run >= longNumber {
			out.WriteString(do(s[begin : i-run+kept]))
			out.WriteString(s[i-run+kept : i-kept])
			begin = i - kept
		}
		run = 0
	}
	if begin == 0 {
		return do(s)
	}
	out.WriteString(do(s[begin:]))
	return out.String()
}

// numbered replaces the ids in a text by the numbers that they have, or get.
func numbered(s string, seen map[string]string) string {
	return randomIDs().ReplaceAllStringFunc(s, func(id string) string {
		before, after := "", ""
		switch {
		case strings.HasPrefix(id, "T_"):
			before, id, after = "T_", id[2:7], id[7:]
		case len(id) == 34:
			before, id = id[:2], id[2:]
		}
		if seen[id] == "" {
			seen[id] = "#" + strconv.Itoa(len(seen)+1)
		}
		return before + seen[id] + after
	})
}

// mayHoldIDs reports whether a text has what every id has: styled tables' own
// prefix, or many digits and letters in a row.
func mayHoldIDs(s string) bool {
	if strings.Contains(s, "T_") {
		return true
	}
	run := 0
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || (c == '-' || c == '_') && run > 0 {
			if run++; run >= 32 {
				return true
			}
			continue
		}
		run = 0
	}
	return false
}

var pythonSet = pattern.Of(`\{'[^{}\n:]*'\}`)

// sortedSets sorts the members of sets of texts, which Python prints in an
// order that differs between processes.
func sortedSets(s string) string {
	if !strings.Contains(s, "{'") {
		return s
	}
	return pythonSet().ReplaceAllStringFunc(s, func(set string) string {
		members := strings.Split(set[1:len(set)-1], ", ")
		slices.Sort(members)
		return "{" + strings.Join(members, ", ") + "}"
	})
}
