package secret

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/unit"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

// TestMaskLayers has Python escape values twice and thrice, in every order, and
// write them with something between all characters.
func TestMaskLayers(t *testing.T) {
	python := kerneltest.Python(t)
	values := []string{`Zk9pa"ss\wörd'<7>&+/ QqXwVk`, "ghp_Wm4tR8sLq0VnXz7KcP2b", `\x41\\n%41<&amp;"'%25\u0041 tail of it all`, "😀 grin and bear it ✗", "C:\\newer\\table'\"xyzwv"}
	script := `
import html, itertools, json, sys, urllib.parse
layers = [repr, ascii, json.dumps, lambda t: json.dumps(t, ensure_ascii=False), html.escape, lambda t: urllib.parse.quote(t, safe=""), lambda t: repr(t.encode())]
for v in json.load(sys.stdin):
    for three in itertools.product(layers, repeat=3):
        text = v
        for n, layer in enumerate(three):
            text = layer(text)
            if n > 0: print(json.dumps([v, text]))
    for text in (str(list(v)), str(tuple(v)), ",".join(v), " | ".join(v), "-".join(v), repr(v[:10]) + ",\n " + repr(v[10:]), json.dumps([c for c in v]),
                 v.encode().hex(" ", 4), v.encode().hex("_", 2), "".join("\\%03o" % b for b in v.encode()), v[:5] + "\u200b" + v[5:], v[:5] + "\0" + v[5:],
                 repr(v[:5] + "\x1b[2K" + v[5:]), json.dumps(repr(v[:5] + "\x1b]0;t\a" + v[5:]))):
        print(json.dumps([v, text]))
`
	in, _ := json.Marshal(values)
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	masks, n := map[string]*Mask{}, 0
	for line := range strings.Lines(string(out)) {
		var pair [2]string
		if err := json.Unmarshal([]byte(line), &pair); err != nil {
			t.Fatal(err)
		}
		m := masks[pair[0]]
		if m == nil {
			m = mask(t, pair[0])
			masks[pair[0]] = m
		}
		n++
		if got := m.Text("<" + pair[1] + ">"); !strings.Contains(got, Mark) {
			t.Errorf("%q is not masked in %q", pair[0], pair[1])
		}
	}
	if n != len(values)*(7*7*7*2+14) {
		t.Errorf("%d texts", n)
	}
}

// TestTerminalJoinsNothing: what is masked holds no secret either once the
// characters that terminals obey, or nobody sees, are left out.
func TestTerminalJoinsNothing(t *testing.T) {
	const value = "hunter2x-Zq"
	m := mask(t, value)
	rapid.Check(t, func(t *rapid.T) {
		between := rapid.SampledFrom([]string{"", "\x00", "\x1b[31m", "\x1b[2K", "\x1b]0;title\a", "\x1b]8;;http://x\x1b\\", "\x1bP1$q\x1b\\", "\x7f",
			"\u0085", "\u009b1m", "\u202e", "\u200b", "\u2066", "\ufeff", "\u00ad", "\x1b", "\x1bc", "\x9b3m", "\b", "a"})
		var b strings.Builder
		for _, c := range value {
			b.WriteString(between.Draw(t, "between") + string(c))
		}
		masked := m.Text(b.String())
		for _, shown := range []string{unit.Line(masked), unit.Lines(masked), ansi.Strip(masked)} {
			if strings.Contains(shown, value) {
				t.Fatalf("%q shows %q", masked, shown)
			}
		}
	})
}

// TestSplitOneByOne: a stream that prints each character by itself, with whatever
// else, holds no secret in the end.
func TestSplitOneByOne(t *testing.T) {
	const value = `Zk9pa"ss\wö-QqXwVk7`
	m := mask(t, value)
	for _, between := range []string{"", "\n", ", ", "\x00", "\x1b[1m", "\u200b", "-"} {
		for name, escape := range map[string]func(rune) string{
			"itself": func(r rune) string { return string(r) },
			"JSON":   func(r rune) string { b, _ := json.Marshal(string(r)); return string(b[1 : len(b)-1]) },
			"ASCII":  func(r rune) string { return pythonASCII(string(r), '\'') },
		} {
			var out, held string
			for _, c := range value {
				for _, b := range escape(c) + between {
					sure, open := m.Split(held + string(b))
					out, held = out+sure, open
				}
			}
			out += held
			if !strings.Contains(out, Mark) || strings.Contains(out, "XwV") || len(out) > len(Mark)+len(between) {
				t.Errorf("%s with %q between became %q", name, between, out)
			}
		}
	}
	for _, text := range []string{"100%", "C:\\", "a & b", "done\n"} {
		if sure, open := m.Split(text); sure != text {
			t.Errorf("of %q, %q is held back", text, open)
		}
	}
}
