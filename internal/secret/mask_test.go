package secret

import (
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"

	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var secrets = []string{
	"hunter2x", `pa"ss\wo'rd/1`, "ünï-çødé-✗", "line one\nline two", "aaaaaaa", "a b+c&d=<e>%f", "0123456789",
	strings.Repeat("key-0123-Ω'", 12), "correct horse battery staple", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----\n",
}

func TestMaskForms(t *testing.T) {
	for _, v := range secrets {
		m, err := New([]string{v})
		if err != nil {
			t.Fatal(err)
		}
		j, _ := json.Marshal(v)
		jj, _ := json.Marshal(string(j))
		for name, text := range map[string]string{
			"itself": v, "json": string(j), "json in json": string(jj), "query": url.QueryEscape(v), "path": url.PathEscape(v),
			"lower case escapes": strings.ToLower(url.QueryEscape(strings.ToLower(v))), "go literal": fmt.Sprintf("%+q", v),
			"html": html.EscapeString(v), "base64": base64.StdEncoding.EncodeToString([]byte(v)),
			"raw url base64": base64.RawURLEncoding.EncodeToString([]byte(v)),
			"basic auth":     base64.StdEncoding.EncodeToString([]byte("user:" + v + "@host")),
			"hex":            fmt.Sprintf("%x", v), "HEX": fmt.Sprintf("%X", v),
		} {
			if name == "lower case escapes" && strings.ToLower(v) != v {
				continue
			}
			if name == "go literal" && v == "-----" {
				continue
			}
			if got := m.Text("before " + text + " after"); !strings.Contains(got, Mark) {
				t.Errorf("%q as %s is not masked: %q", v, name, got)
			}
		}
	}
}

// TestMaskPython asks Python how it writes the values.
func TestMaskPython(t *testing.T) {
	python := kerneltest.Python(t)
	script := `
import base64, html, json, sys, textwrap, urllib.parse
for v in json.load(sys.stdin):
    for f in (repr(v), json.dumps(v), json.dumps(v, ensure_ascii=False), json.dumps(json.dumps(v)), urllib.parse.quote(v), urllib.parse.quote(v, safe=''),
              urllib.parse.quote_plus(v), urllib.parse.urlencode({'k': v}), html.escape(v), base64.b64encode(v.encode()).decode(),
              base64.b64encode(b'x' + v.encode() + b'y').decode(), base64.b64encode(b'xy' + v.encode()).decode(),
              base64.urlsafe_b64encode(v.encode()).decode().rstrip('='), v.encode().hex(), str({'k': v}), str([v]), ascii(v), repr(v.encode()), ascii({'k': [v]}),
              base64.encodebytes(v.encode()).decode(), base64.encodebytes(b'x' * 50 + v.encode()).decode(), repr(base64.encodebytes(b'y' * 55 + v.encode())),
              textwrap.indent(textwrap.fill(v, 5), '    '), textwrap.fill('some words ' + v, 12, subsequent_indent='\t'), base64.encodebytes(b'z' * 56 + v.encode()).decode().replace('\n', '\r\n  ')):
        print(json.dumps([v, f]))
`
	in, _ := json.Marshal(secrets)
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = strings.NewReader(string(in))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 25*len(secrets) {
		t.Fatalf("%d forms", len(lines))
	}
	for _, line := range lines {
		var pair [2]string
		if err := json.Unmarshal([]byte(line), &pair); err != nil {
			t.Fatal(err)
		}
		m, err := New(pair[:1])
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Text("<" + pair[1] + ">"); !strings.Contains(got, Mark) {
			t.Errorf("%q is not masked in %q", pair[0], pair[1])
		}
	}
}

func TestMaskRefusesShortValues(t *testing.T) {
	for _, v := range []string{"", "12345", "a\n\n\n\n\n\n"} {
		if _, err := New([]string{"long enough", v}); err == nil {
			t.Errorf("%q was accepted", v)
		} else if v != "" && strings.Contains(err.Error(), v) {
			t.Errorf("the error tells the value: %v", err)
		}
	}
}

func TestMaskJSON(t *testing.T) {
	m, err := New([]string{`se"cret`, "1234567"})
	if err != nil {
		t.Fatal(err)
	}
	in := `{"data":{"text/plain":"a se\"cret","k\u0073e\"cret":[1234567,12345678901234567890,1.50,null,true,"\u003cb\u003e"]}}`
	want := `{"data":{"k[secret]":["[secret]",12345678901234567890,1.50,null,true,"<b>"],"text/plain":"a [secret]"}}`
	in = strings.ReplaceAll(in, `k\u0073e`, `ks\u0065`)
	if got := string(m.JSON(json.RawMessage(in))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestMaskLeavesOtherText: only line ends may be within a secret, and what is
// masked is the secret alone.
func TestMaskLeavesOtherText(t *testing.T) {
	m, err := New([]string{"123456", "tables"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"12 34 56\n":             "12 34 56\n",
		"to the table sum\nnext": "to the table sum\nnext",
		"x\n 123\n    456\n y":   "x\n [secret]\n y",
		"a 1234\\n56 b":          "a [secret] b",
		"123456\n123\n456":       "[secret]\n[secret]",
		strings.Repeat("x\n", window/2-1) + "123\n456": strings.Repeat("x\n", window/2-1) + "[secret]",
		"12\n3 456":                          "12\n3 456",
		strings.Repeat("table\n", 3) + "end": strings.Repeat("table\n", 3) + "end",
	} {
		if got := m.Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestMaskLaw: however a stream is cut into messages, what comes out never
// holds the secret and, the secrets aside, nothing is lost.
func TestMaskLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[ab]{6,9}`).Draw(t, "secret")
		noise := rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "c", secret, secret[:3], secret[2:]})).Draw(t, "noise")
		text := strings.Join(noise, "")
		m, err := New([]string{secret})
		if err != nil {
			t.Fatal(err)
		}
		var out, held string
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			sure, open := m.Split(held + rest[:n])
			out, held, rest = out+sure, open, rest[n:]
		}
		out += held
		if strings.Contains(out, secret) {
			t.Fatalf("%q in %q", secret, out)
		}
		if !strings.Contains(text, secret) && out != text {
			t.Fatalf("%q became %q", text, out)
		}
	})
}
