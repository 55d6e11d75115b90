// Package yaml reads YAML that people wrote, with the place of everything.
//
// In goes the text of a file, out come nodes, and from nodes their keys, items,
// words, numbers and values. Whatever is not as wanted becomes a diagnostic with
// its place, and reading continues, so that all mistakes are known at once. YAML
// is read by the core schema of version 1.2: no, on and 12:30:45 are strings,
// dates are strings, and a number with a leading zero is refused. Work and
// memory are bounded, also where aliases expand.
//
// Package yaml knows no key of the sweep file.
package yaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/value"
)

const (
	maxDepth    = 100     // of lists in lists
	aliasSlack  = 1 << 20 // characters that aliases may add to a document
	aliasFactor = 4       // times its own size that aliases may add, too
)

// A Node is a part of a document, with its place.
type Node = yaml.Node

// Parse reads the only document of a text; the node is nil when it is empty.
// Nodes of another file than the reader's own remember it. The error is a
// syntax error, as diagnostic.Errors.
func (r *Reader) Parse(file string, text []byte) (*Node, error) {
	n, err := document(text)
	if err != nil {
		return nil, diagnostic.Errors{syntaxError(file, err)}
	}
	if n != nil {
		r.Adopt(n, file)
		r.room += aliasSlack + (1+aliasFactor)*size(n)
	}
	return n, nil
}

// document parses a text. JSON may write one character as two escapes, which
// YAML does not know.
func document(text []byte) (*Node, error) {
	n, err := parse(text)
	if err != nil && json.Valid(text) {
		return parse(surrogates.ReplaceAllFunc(text, joined))
	}
	return n, err
}

// surrogates is an escape, or a pair of escapes for one character.
var surrogates = regexp.MustCompile(`\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)`)

// joined makes a pair of escapes the character that they stand for.
func joined(escape []byte) []byte {
	var text string
	if len(escape) < len(`\ud83d\ude00`) || json.Unmarshal(fmt.Appendf(nil, `"%s"`, escape), &text) != nil {
		return escape
	}
	return []byte(text)
}

// IsNull reports whether a plain scalar of this text is null.
func IsNull(text string) bool { return nullRE.MatchString(strings.TrimSpace(text)) }

func parse(text []byte) (*Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second Node
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
		return nil, fmt.Errorf("yaml: line %d: a sweep file is one document, and another begins here", second.Line)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Style == 0 && (root.Value == "" || nullRE.MatchString(root.Value)) {
		return nil, nil
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// syntaxError gives an error of the library its line.
func syntaxError(file string, err error) *diagnostic.Error {
	msg := strings.TrimSpace(err.Error())
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ := strconv.Atoi(m[1])
		return &diagnostic.Error{File: file, Line: line, Col: 1, Msg: m[2]}
	}
	return &diagnostic.Error{File: file, Msg: strings.TrimPrefix(msg, "yaml: ")}
}

// A Reader turns nodes into what they mean and gathers every mistake.
type Reader struct {
	file   string
	origin map[*Node]string // files of nodes that are not from file
	errs   diagnostic.Errors
	room   int // characters that may still be read; aliases read theirs again
	depth  int

	flooded bool // and reported it
}

// NewReader reads the nodes of a file.
func NewReader(file string) *Reader { return &Reader{file: file} }

// Continue returns a reader that knows the same places and mistakes, and adds
// new ones to a separate list.
func (r *Reader) Continue() *Reader {
	return &Reader{file: r.file, origin: r.origin, errs: slices.Clone(r.errs)}
}

// Mistakes is how many were found so far.
func (r *Reader) Mistakes() int { return len(r.errs) }

// Err is all mistakes so far in the order of the file, as diagnostic.Errors, or
// nil.
func (r *Reader) Err() error { return r.errs.Err() }

// Errorf reports a mistake at a node; nil means no place.
func (r *Reader) Errorf(n *Node, format string, args ...any) { r.Hintf(n, "", format, args...) }

// Hintf reports a mistake and what to type instead.
func (r *Reader) Hintf(n *Node, hint, format string, args ...any) {
	if r.flooded {
		return // what follows was not read
	}
	e := r.At(n)
	if r.flooded = len(r.errs) >= maxMistakes; r.flooded {
		format, args, hint = "there are more than %d mistakes; the others are not listed", []any{maxMistakes}, ""
	}
	e.Msg, e.Help = fmt.Sprintf(format, args...)+r.laidOver(n, e.File), hint
	r.errs = append(r.errs, &e)
}

// laidOver is the end of a message about a map that another file has added keys to:
// the mistake may be theirs.
func (r *Reader) laidOver(n *Node, file string) string {
	if n == nil || n.Kind != yaml.MappingNode {
		return ""
	}
	var first diagnostic.Error
	var names []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := r.At(n.Content[i])
		if e.File == file {
			continue
		}
		if names == nil {
			first = e
		}
		names = append(names, "`"+n.Content[i].Value+"`")
	}
	if names == nil {
		return ""
	}
	first.Msg = "laid over it: " + strings.Join(names, ", ")
	return "; " + first.Error()
}

// maxMistakes is how many mistakes of a file are listed.
const maxMistakes = 100

// At is the place of a node, as an error without a message.
func (r *Reader) At(n *Node) diagnostic.Error {
	e := diagnostic.Error{File: r.file}
	if n != nil {
		e.Line, e.Col = n.Line, n.Column
		if file, ok := r.origin[n]; ok {
			e.File = file
		}
	}
	return e
}

// Add takes an error that has its place, or has none.
func (r *Reader) Add(err error) {
	var e *diagnostic.Error
	if !errors.As(err, &e) {
		e = &diagnostic.Error{File: r.file, Msg: err.Error()}
	}
	r.errs = append(r.errs, e)
}

// Adopt records that a tree of nodes comes from a file.
func (r *Reader) Adopt(n *Node, file string) {
	if file == r.file {
		return
	}
	if r.origin == nil {
		r.origin = map[*Node]string{}
	}
	r.origin[n] = file
	for _, c := range n.Content {
		r.Adopt(c, file)
	}
}

func size(n *Node) int {
	total := 1 + len(n.Value)
	for _, c := range n.Content {
		total += size(c)
	}
	return total
}

// Resolve follows an alias, counts what is read and refuses tags: their meaning
// is not the file's to define.
func (r *Reader) Resolve(n *Node) *Node {
	n = Target(n)
	if r.exhausted() {
		return n
	}
	if r.room -= 1 + len(n.Value); r.exhausted() && !r.flooded {
		r.Errorf(n, "the file is too large to read: its aliases multiply")
		r.flooded = true
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		r.Hintf(n, "quote it if a string is meant", "the tag %s is not supported", n.Tag)
		n.Style &^= yaml.TaggedStyle // once is enough
	}
	return n
}

func (r *Reader) exhausted() bool { return r.room < 0 }

// A Field is one key of a map: its name, the place of the name, and its value.
type Field struct {
	Name string
	Key  *Node
	Node *Node
}

// Fields lists a map's keys in order; what names what was expected.
func (r *Reader) Fields(n *Node, what string) []Field {
	if n == nil {
		return nil
	}
	n = r.Resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "want %s, not %s", what, Describe(n))
		return nil
	}
	var out []Field
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content) && !r.exhausted(); i += 2 {
		key, node := r.Resolve(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.Errorf(key, "a key must be a word")
			continue
		}
		if key.Value == "" || strings.ContainsAny(key.Value, "\x00\n\r") || len(key.Value) > maxKey {
			r.Errorf(key, "a key must be a word, not %s", Describe(key))
			continue
		}
		if key.Value == "<<" && key.Tag == "!!merge" {
			r.Hintf(key, "write the keys out, or give the whole map an anchor", "merge keys (<<) are not supported")
			continue
		}
		if line, dup := seen[key.Value]; dup {
			r.Errorf(key, "key `%s` is here twice; the first is on line %d", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		out = append(out, Field{key.Value, key, node})
	}
	return out
}

// Unknown reports a key that a map does not have, and those it has.
func (r *Reader) Unknown(f Field, words ...string) {
	r.Errorf(f.Key, "unknown key `%s`%s; want %s", f.Name, diagnostic.DidYouMean(f.Name, words), strings.Join(words, ", "))
}

// maxKey bounds a key, in bytes.
const maxKey = 1000

// Items lists a list; what names what was expected.
func (r *Reader) Items(n *Node, what string) []*Node {
	n = r.Resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.Errorf(n, "want %s, not %s", what, Describe(n))
		return nil
	}
	return n.Content
}

// Target is the node that an alias refers to, or the node itself.
func Target(n *Node) *Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Describe names the kind of a node, for messages.
func Describe(n *Node) string {
	n = Target(n)
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Value == "" {
		return "nothing"
	}
	if text := []rune(n.Value); len(text) > 60 {
		return fmt.Sprintf("%q…", string(text[:60]))
	}
	return fmt.Sprintf("%q", n.Value)
}

// Value reads any JSON value.
func (r *Reader) Value(n *Node) value.Value {
	if _, ok := r.Secret(n); ok {
		r.Hintf(n, "it is one value, the same for every run", "a secret belongs under `parameters`")
	}
	v, err := value.Of(r.plain(n))
	if err != nil {
		r.Errorf(n, "%v", err)
	}
	return v
}

// ValueOf reads a value and ignores mistakes.
func ValueOf(n *Node) value.Value {
	r := &Reader{room: aliasSlack + (1+aliasFactor)*size(n)}
	return r.Value(n)
}

// Secret reads {secret: NAME}, which refers to an environment variable.
func (r *Reader) Secret(n *Node) (name string, ok bool) {
	n = r.Resolve(n)
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[0].Value != "secret" {
		return "", false
	}
	name = r.Text(n.Content[1], "the name of an environment variable")
	switch {
	case name != "" && !EnvName.MatchString(name):
		r.Errorf(n.Content[1], "%q is not the name of an environment variable", name)
	case reserved.MatchString(name):
		r.Errorf(n.Content[1], "%s: variables that begin with FANOUT_ or NOMAD_ are for fanout and Nomad, and no notebook gets them; give the secret another name", name)
	}
	return name, true
}

// SecretSchema describes what Secret reads.
func SecretSchema() map[string]any {
	return map[string]any{
		"type": "object", "additionalProperties": false, "description": "Read from the environment where it is used; never written anywhere.",
		"properties": map[string]any{"secret": map[string]any{"type": "string", "pattern": EnvName.String(), "not": map[string]any{"pattern": reserved.String()}}},
	}
}

// reserved matches names of variables that are kept from notebooks.
var reserved = regexp.MustCompile(`^(FANOUT|NOMAD)_`)

// EnvName matches the names of environment variables.
var EnvName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// plain is a node as Go values that value.Of takes.
func (r *Reader) plain(n *Node) any {
	if r.exhausted() {
		return nil
	}
	n = r.Resolve(n)
	if r.depth++; r.depth > maxDepth {
		if r.depth == maxDepth+1 {
			r.Errorf(n, "values nest deeper than %d", maxDepth)
		}
		r.depth--
		return nil
	}
	defer func() { r.depth-- }()
	switch n.Kind {
	case yaml.SequenceNode:
		list := []any{}
		for _, e := range n.Content {
			list = append(list, r.plain(e))
		}
		return list
	case yaml.MappingNode:
		m := map[string]any{}
		for _, f := range r.Fields(n, "a map") {
			m[f.Name] = r.plain(f.Node)
		}
		return m
	}
	return r.scalar(n)
}

var (
	intRE    = regexp.MustCompile(`^[-+]?[0-9]+$`)
	floatRE  = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	zeroRE   = regexp.MustCompile(`^[-+]?0[0-9]`)
	prefixRE = regexp.MustCompile(`^0(o[0-7]+|x[0-9a-fA-F]+)$`)
	nullRE   = regexp.MustCompile(`^(~|null|Null|NULL)$`)
	nanRE    = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// IsInt reports whether a text is a decimal int.
func IsInt(text string) bool { return intRE.MatchString(text) }

// IsFloat reports whether a text is a decimal number.
func IsFloat(text string) bool { return floatRE.MatchString(text) }

func (r *Reader) scalar(n *Node) any {
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
		r.Errorf(n, "a number of %d digits is too long", len(s))
	case nanRE.MatchString(s):
		r.Hintf(n, "use null for what is not there", "%s is not a value a run can have", s)
	case zeroRE.MatchString(s) && (intRE.MatchString(s) || floatRE.MatchString(s)):
		r.Hintf(n, fmt.Sprintf("write %q for a string, or the number without the zero", s), "%s could be a string, a decimal or an octal number", s)
	case intRE.MatchString(s):
		i, _ := new(big.Int).SetString(strings.TrimPrefix(s, "+"), 10)
		return i
	case prefixRE.MatchString(s):
		i, _ := new(big.Int).SetString(s, 0)
		return i
	case floatRE.MatchString(s):
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			r.Errorf(n, "%s is too large for a float", s)
			return nil
		}
		return x
	default:
		return s
	}
	return nil
}

// IsScalar reports whether a node is neither a map nor a list.
func (r *Reader) IsScalar(n *Node) bool { return r.Resolve(n).Kind == yaml.ScalarNode }

// IsMap reports whether a node is a map.
func (r *Reader) IsMap(n *Node) bool { return r.Resolve(n).Kind == yaml.MappingNode }

// IsList reports whether a node is a list.
func (r *Reader) IsList(n *Node) bool { return r.Resolve(n).Kind == yaml.SequenceNode }

// Readers of single values. On anything else, each reports what it expected and
// returns the smallest value.

// Text reads a word.
func (r *Reader) Text(n *Node, what string) string {
	n = r.Resolve(n)
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.Style == 0 && nullRE.MatchString(n.Value) {
		r.Errorf(n, "want %s, not %s", what, Describe(n))
		return ""
	}
	if strings.ContainsRune(n.Value, 0) {
		r.Errorf(n, "want %s, without a zero byte", what)
		return ""
	}
	return n.Value
}

// Flag reads true or false.
func (r *Reader) Flag(n *Node) bool {
	b, ok := r.plain(n).(bool)
	if !ok {
		r.Errorf(n, "want true or false, not %s", Describe(n))
	}
	return b
}

// Whole reads a whole number from low on.
func (r *Reader) Whole(n *Node, low int) int {
	i, ok := r.plain(n).(*big.Int)
	switch {
	case ok && i.Cmp(big.NewInt(1<<40)) > 0:
		r.Errorf(n, "want a whole number of at most %d, not %s", 1<<40, Describe(n))
		return low
	case !ok || i.Cmp(big.NewInt(int64(low))) < 0:
		r.Errorf(n, "want a whole number of at least %d, not %s", low, Describe(n))
		return low
	}
	return int(i.Int64())
}

// Number reads an int or a float.
func (r *Reader) Number(n *Node) float64 {
	switch x := r.plain(n).(type) {
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f
	case float64:
		return x
	}
	r.Errorf(n, "want a number, not %s", Describe(n))
	return 0
}

// Texts reads a list of words; one word is read as a list of it.
func (r *Reader) Texts(n *Node, what string) (out []string) {
	items := []*Node{n}
	if !r.IsScalar(n) {
		items = r.Items(n, "a list: "+what)
	}
	for _, e := range items {
		if text := r.Text(e, what); text != "" { // what is none has been reported
			out = append(out, text)
		}
	}
	return out
}

// OneOf reads a word out of a closed list.
func (r *Reader) OneOf(n *Node, words ...string) string {
	s := r.Text(n, "one of "+strings.Join(words, ", "))
	if slices.Contains(words, s) {
		return s
	}
	if s != "" {
		r.Errorf(n, "%q is not one of %s%s", s, strings.Join(words, ", "), diagnostic.DidYouMean(s, words))
	}
	return words[0]
}
