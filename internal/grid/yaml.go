package grid

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
)

// YAML is read by the core schema of YAML 1.2: no, on and 12:30:45 are
// strings, dates are strings, and a number with a leading zero is refused.

const (
	maxDepth    = 100     // of lists in lists
	aliasSlack  = 1 << 20 // characters that aliases may add to a document
	aliasFactor = 4       // times its own size that aliases may add, too
)

// A Source is a sweep file, or values laid over one.
type Source struct {
	File string
	Text []byte
	set  []value.Binding
}

// SetOverlay reads "name=value" into a source that sets a parameter for every
// run, in place of an axis of that name. The value is YAML; what is no YAML
// is a string.
func SetOverlay(pair string) (Source, error) {
	name, text, ok := strings.Cut(pair, "=")
	if !ok || name == "" {
		return Source{}, Errors{{File: "--set " + pair, Msg: "want name=value"}}
	}
	d := &decoder{file: "--set " + pair}
	v := value.Value{}
	n, err := parseYAML([]byte(text))
	if err != nil || n == nil {
		n = &yaml.Node{Kind: yaml.ScalarNode, Value: text, Style: yaml.DoubleQuotedStyle}
	}
	d.measure(n)
	v = d.value(n)
	for _, e := range d.errs {
		e.Line, e.Col = 0, 0
	}
	if len(d.errs) > 0 {
		return Source{}, d.errs
	}
	return Source{File: d.file, set: []value.Binding{{Name: name, Value: v}}}, nil
}

// DecodeBindings reads a YAML map of parameters, in its order.
func DecodeBindings(file string, text []byte) ([]value.Binding, error) {
	d := &decoder{file: file}
	n, err := parseYAML(text)
	if err != nil {
		return nil, Errors{yamlError(file, err)}
	}
	var out []value.Binding
	d.measure(n)
	for _, f := range d.fields(n, "a map of parameters") {
		out = append(out, value.Binding{Name: f.name, Value: d.value(f.node)})
	}
	return out, d.errs.orNil()
}

// parseYAML returns the only document of a text, or nil when it is empty.
func parseYAML(text []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, err
	default:
		return nil, fmt.Errorf("yaml: line %d: a sweep file is one document, and here begins another", second.Line)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Style == 0 && (root.Value == "" || nullRE.MatchString(root.Value)) {
		return nil, nil
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// yamlError gives a syntax error its line.
func yamlError(file string, err error) *Error {
	msg := strings.TrimSpace(err.Error())
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ := strconv.Atoi(m[1])
		return &Error{File: file, Line: line, Col: 1, Msg: m[2]}
	}
	return &Error{File: file, Msg: strings.TrimPrefix(msg, "yaml: ")}
}

// decoder turns nodes into what they mean and gathers every mistake.
type decoder struct {
	file   string
	origin map[*yaml.Node]string // files of nodes that are not from file
	errs   Errors
	room   int // characters that may still be read; aliases read theirs again
	depth  int

	flooded bool // and said so
}

func (d *decoder) errorf(n *yaml.Node, format string, args ...any) {
	d.hintf(n, "", format, args...)
}

func (d *decoder) hintf(n *yaml.Node, hint, format string, args ...any) {
	if d.flooded {
		return // what follows was not read
	}
	e := &Error{File: d.file, Msg: fmt.Sprintf(format, args...), Help: hint}
	if n != nil {
		e.Line, e.Col = n.Line, n.Column
		if file, ok := d.origin[n]; ok {
			e.File = file
		}
	}
	d.errs = append(d.errs, e)
}

// add takes an error that has its place, or has none.
func (d *decoder) add(err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{File: d.file, Msg: err.Error()}
	}
	d.errs = append(d.errs, e)
}

// came records that a tree of nodes comes from another file.
func (d *decoder) came(n *yaml.Node, file string) {
	if d.origin == nil {
		d.origin = map[*yaml.Node]string{}
	}
	d.origin[n] = file
	for _, c := range n.Content {
		d.came(c, file)
	}
}

// measure allows for reading a tree, and some of it again by aliases.
func (d *decoder) measure(n *yaml.Node) {
	if n != nil {
		d.room += aliasSlack + (1+aliasFactor)*size(n)
	}
}

func size(n *yaml.Node) int {
	total := 1 + len(n.Value)
	for _, c := range n.Content {
		total += size(c)
	}
	return total
}

// resolve follows an alias, counts what is read and refuses tags: what they
// would mean is not for a file to say.
func (d *decoder) resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if d.exhausted() {
		return n
	}
	if d.room -= 1 + len(n.Value); d.exhausted() && !d.flooded {
		d.errorf(n, "the file is too large to read: its aliases multiply")
		d.flooded = true
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		d.hintf(n, "quote it if a string is meant", "the tag %s is not supported", n.Tag)
		n.Style &^= yaml.TaggedStyle // once is enough
	}
	return n
}

func (d *decoder) exhausted() bool { return d.room < 0 }

// field is one key of a map.
type field struct {
	name string
	key  *yaml.Node
	node *yaml.Node
}

// fields lists a map's keys in order; what says what was expected.
func (d *decoder) fields(n *yaml.Node, what string) []field {
	if n == nil {
		return nil
	}
	n = d.resolve(n)
	if n.Kind != yaml.MappingNode {
		d.errorf(n, "want %s, not %s", what, describe(n))
		return nil
	}
	var out []field
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content) && !d.exhausted(); i += 2 {
		key, node := d.resolve(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.errorf(key, "a key must be a word")
			continue
		}
		if key.Value == "" || strings.ContainsAny(key.Value, "\x00\n\r") || len(key.Value) > maxKey {
			d.errorf(key, "a key must be a word, not %s", describe(key))
			continue
		}
		if key.Value == "<<" && key.Tag == "!!merge" {
			d.hintf(key, "write the keys out, or give the whole map an anchor", "merge keys (<<) are not supported")
			continue
		}
		if line, dup := seen[key.Value]; dup {
			d.errorf(key, "key `%s` is here twice; the first is on line %d", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		out = append(out, field{key.Value, key, node})
	}
	return out
}

// maxKey bounds a key, in bytes.
const maxKey = 1000

// items lists a sequence.
func (d *decoder) items(n *yaml.Node, what string) []*yaml.Node {
	n = d.resolve(n)
	if n.Kind != yaml.SequenceNode {
		d.errorf(n, "want %s, not %s", what, describe(n))
		return nil
	}
	return n.Content
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Value == "" {
		return "nothing"
	}
	if r := []rune(n.Value); len(r) > 60 {
		return fmt.Sprintf("%q…", string(r[:60]))
	}
	return fmt.Sprintf("%q", n.Value)
}

// value reads any JSON value.
func (d *decoder) value(n *yaml.Node) value.Value {
	if _, ok := d.secret(n); ok {
		d.hintf(n, "it is one value, the same for every run", "a secret belongs under `parameters`")
	}
	v, err := value.Of(d.plain(n))
	if err != nil {
		d.errorf(n, "%v", err)
	}
	return v
}

// plain is a node as Go values that ValueOf takes.
func (d *decoder) plain(n *yaml.Node) any {
	if d.exhausted() {
		return nil
	}
	n = d.resolve(n)
	if d.depth++; d.depth > maxDepth {
		if d.depth == maxDepth+1 {
			d.errorf(n, "values nest deeper than %d", maxDepth)
		}
		d.depth--
		return nil
	}
	defer func() { d.depth-- }()
	switch n.Kind {
	case yaml.SequenceNode:
		list := []any{}
		for _, e := range n.Content {
			list = append(list, d.plain(e))
		}
		return list
	case yaml.MappingNode:
		m := map[string]any{}
		for _, f := range d.fields(n, "a map") {
			m[f.name] = d.plain(f.node)
		}
		return m
	}
	return d.scalar(n)
}

var (
	intRE    = regexp.MustCompile(`^[-+]?[0-9]+$`)
	floatRE  = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	zeroRE   = regexp.MustCompile(`^[-+]?0[0-9]`)
	prefixRE = regexp.MustCompile(`^0(o[0-7]+|x[0-9a-fA-F]+)$`)
	nullRE   = regexp.MustCompile(`^(~|null|Null|NULL)$`)
	nanRE    = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

func (d *decoder) scalar(n *yaml.Node) any {
	s := n.Value
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Tag == "!!str" && n.Style&yaml.TaggedStyle != 0 {
		return s
	}
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	}
	switch {
	case len(s) > value.MaxDigits && floatRE.MatchString(s):
		d.errorf(n, "a number of %d digits is too long", len(s))
	case nanRE.MatchString(s):
		d.hintf(n, "use null for what is not there", "%s is not a value a run can have", s)
	case zeroRE.MatchString(s) && (intRE.MatchString(s) || floatRE.MatchString(s)):
		d.hintf(n, fmt.Sprintf("write %q for a string, or the number without the zero", s), "%s could be a string, a decimal or an octal number", s)
	case intRE.MatchString(s):
		i, _ := new(big.Int).SetString(strings.TrimPrefix(s, "+"), 10)
		return i
	case prefixRE.MatchString(s):
		i, _ := new(big.Int).SetString(s, 0)
		return i
	case floatRE.MatchString(s):
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			d.errorf(n, "%s is too large for a float", s)
			return nil
		}
		return x
	default:
		return s
	}
	return nil
}

// Readers of single values. Each says what it wanted when it finds something
// else, and returns a zero value then.

func (d *decoder) text(n *yaml.Node, what string) string {
	n = d.resolve(n)
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.Style == 0 && nullRE.MatchString(n.Value) {
		d.errorf(n, "want %s, not %s", what, describe(n))
		return ""
	}
	if strings.ContainsRune(n.Value, 0) {
		d.errorf(n, "want %s, without a zero byte", what)
		return ""
	}
	return n.Value
}

func (d *decoder) flag(n *yaml.Node) bool {
	b, ok := d.plain(n).(bool)
	if !ok {
		d.errorf(n, "want true or false, not %s", describe(d.resolve(n)))
	}
	return b
}

func (d *decoder) whole(n *yaml.Node, low int) int {
	i, ok := d.plain(n).(*big.Int)
	if !ok || !i.IsInt64() || i.Int64() < int64(low) || i.Int64() > 1<<40 {
		d.errorf(n, "want a whole number of at least %d, not %s", low, describe(d.resolve(n)))
		return low
	}
	return int(i.Int64())
}

func (d *decoder) number(n *yaml.Node) float64 {
	switch x := d.plain(n).(type) {
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f
	case float64:
		return x
	}
	d.errorf(n, "want a number, not %s", describe(d.resolve(n)))
	return 0
}

// texts reads a list of words; one word stands for a list of it.
func (d *decoder) texts(n *yaml.Node, what string) []string {
	if r := d.resolve(n); r.Kind == yaml.ScalarNode {
		return []string{d.text(n, what)}
	}
	var out []string
	for _, e := range d.items(n, "a list: "+what) {
		out = append(out, d.text(e, what))
	}
	return out
}

// oneOf reads a word out of a closed list.
func (d *decoder) oneOf(n *yaml.Node, words ...string) string {
	s := d.text(n, "one of "+strings.Join(words, ", "))
	for _, w := range words {
		if s == w {
			return s
		}
	}
	if s != "" {
		d.errorf(n, "%q is not one of %s%s", s, strings.Join(words, ", "), didYouMean(s, words))
	}
	return words[0]
}
