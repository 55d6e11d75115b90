package normal

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
)

func printed(text string) []notebook.Output {
	return []notebook.Output{{Type: "stream", Name: "stdout", Text: text}}
}

func html(text string) []notebook.Output {
	return []notebook.Output{{Type: "display_data", Data: map[string]json.RawMessage{"text/html": notebook.TextJSON(text)}}}
}

func equal(a, b []notebook.Output) bool { return Digest(Parts(a, nil)) == Digest(Parts(b, nil)) }

// What two executions print of themselves is equal.
func TestNoise(t *testing.T) {
	for _, c := range [][2]string{
		{"<object object at 0x7f12ab34cd50>", "<object object at 0x55d0aa34cd90>"},
		{"<matplotlib.lines.Line2D at 0x7f12ab>", "<matplotlib.lines.Line2D at 0x7f12ac>"},
		{"id 1b4e28ba-2fa1-41d2-883f-0016d3cca427", "id 6fa459ea-ee8a-4ca4-894e-db77e160355e"},
		{"var map_1f0e3dad99908345f7439f8ffabdffc4 = 1", "var map_98f13708210194c475687be6106a3b84 = 1"},
		{"hex 3f2504e04f8941d39a0c0305e82c3301", "hex 7d4448409dc04c1fb2455ffdce74fad2"},
		{"/tmp/ipykernel_123/456.py:3: UserWarning: odd", "/tmp/ipykernel_9/77.py:3: UserWarning: odd"},
		{"saved /tmp/tmpab12cd34/plot.png", "saved /tmp/tmpzz99_x34/plot.png"},
		{"saved to /tmp/tmprh0r1vhn now", "saved to /tmp/tmpbhqsvq_4 now"},
		{"Cell In[3], line 2", "Cell In[5], line 2"},
		{"Input In [3], in <cell line: 1>()", "Input In [8], in <cell line: 1>()"},
		{"\r  0%|          | 0/5\r100%|██████████| 5/5 [00:00<00:00, 32.1it/s]\n", "\r  0%|          | 0/5\r 60%|██████    | 3/5\r100%|██████████| 5/5 [00:01<00:00, 3.8it/s]\n"},
		{"CPU times: user 2 ms, sys: 1 ms\nWall time: 3.1 ms", "CPU times: user 4 ms, sys: 0 ns\nWall time: 12 µs"},
		{"1.2 µs ± 30 ns per loop (mean ± std. dev. of 7 runs, 100 loops each)", "1.5 µs ± 2 ns per loop (mean ± std. dev. of 7 runs, 1,000 loops each)"},
		{"fit took 1.23 s", "fit took 980 ms"},
		{"Elapsed: 0:00:01.25", "Elapsed: 0:00:12.3"},
		{"10/10 - 0s 12ms/step - loss: 0.5", "10/10 - 1s 9ms/step - loss: 0.5"},
		{"serving at http://localhost:43215/", "serving at http://localhost:51234/"},
		{"{'b', 'a', 'c'}", "{'c', 'b', 'a'}"},
		{"\x1b[31mred\x1b[0m", "red"},
		{"abc\b\b\bxyz", "xyz"},
	} {
		if !equal(printed(c[0]), printed(c[1])) {
			t.Errorf("%q and %q differ: %q, %q", c[0], c[1], normalised(c[0]), normalised(c[1]))
		}
	}
}

// What somebody computed is not noise.
func TestNotNoise(t *testing.T) {
	for _, c := range [][2]string{
		{"0.5", "0.6"},
		{"2026-11-30", "2026-11-29"},
		{"2026-11-30 10:00:00", "2026-11-30 11:00:00"},
		{"md5 d41d8cd98f00b204e9800998ecf8427e", "md5 0cc175b9c0f1b6a831c399e269772661"},
		{"flags 0x1f", "flags 0x2f"},
		{"error 0x80004005", "error 0x80004006"},
		{"latency 12 ms", "latency 13 ms"},
		{"took 12 rows", "took 13 rows"},
		{"5/5 done", "5/6 done"},
		{"100%|██████████| 5/5 [00:00<00:00, 32.1it/s]", "100%|██████████| 6/6 [00:00<00:00, 32.1it/s]"},
		{"/tmp/a/plot.png", "/tmp/a/chart.png"},
		{"{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"},
		{"['a', 'b']", "['b', 'a']"},
		{"A", "a"},
	} {
		if equal(printed(c[0]), printed(c[1])) {
			t.Errorf("%q and %q are equal: %q", c[0], c[1], normalised(c[0]))
		}
	}
}

func TestMarkup(t *testing.T) {
	styled := func(id string) []notebook.Output {
		return html(`<style>#T_` + id + `_row0_col0 {color: red}</style><table id="T_` + id + `"><tr><td id="T_` + id + `_row0_col0">1</td></tr></table>`)
	}
	if !equal(styled("1a2b3"), styled("9f8e7")) {
		t.Error("styled tables differ by their ids")
	}
	if equal(html(`<b id="hxkzpwlfau">1</b>`), html(`<b id="qpwoeirutz">2</b>`)) {
		t.Error("what elements hold does not count")
	}
	if !equal(html(`<b id="hxkzpwlfau">1</b><style>#hxkzpwlfau {}</style>`), html(`<b id="qpwoeirutz">1</b><style>#qpwoeirutz {}</style>`)) {
		t.Error("ids count")
	}
}

// Streams are equal in whichever pieces they were sent.
func TestStreams(t *testing.T) {
	out := func(name, text string) notebook.Output {
		return notebook.Output{Type: "stream", Name: name, Text: text}
	}
	if !equal([]notebook.Output{out("stdout", "a\n"), out("stderr", "x\n"), out("stdout", "b\n")}, []notebook.Output{out("stdout", "a\nb\n"), out("stderr", "x\n")}) {
		t.Error("the order of streams counts")
	}
}

// A printed time is the clock's if the notebook was being executed then.
func TestClock(t *testing.T) {
	start := time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC)
	clock := Clock{start, start.Add(10 * time.Second)}
	for text, now := range map[string]bool{
		"2026-11-30 05:00:03.123456": true, "2026-11-30T06:00:03+01:00": true, "2026-11-30 10:30:05,250 INFO": true, "Mon Nov 30 05:00:04 2026": true,
		"05:00:07 INFO": true, "1796014805.25": true, "1796014805": true,
		"2026-11-30 05:07:03": false, "2026-11-29 05:00:03": false, "2026-11-29 19:00:03": true, "2026-11-28 05:00:03": false, "2026-11-30": false, "05:07:00": false, "1796010000": false, "2026": false,
	} {
		got := clock.During(Parts(printed(text), nil))[0].Text != text
		if got != now {
			t.Errorf("%s is taken for the clock: %v, want %v", text, got, now)
		}
	}
}

// Widgets are compared by what they show.
func TestWidgets(t *testing.T) {
	view := func(id string) []notebook.Output {
		return []notebook.Output{{Type: "display_data", Data: map[string]json.RawMessage{widgetView: json.RawMessage(`{"model_id":"` + id + `","version_major":2}`)}}}
	}
	widgets := func(box, slider string, n int) Widgets {
		return Widgets{
			box:    map[string]any{"model_name": "BoxModel", "state": map[string]any{"children": []any{"IPY_MODEL_" + slider}}},
			slider: map[string]any{"model_name": "IntSliderModel", "state": map[string]any{"value": n}},
		}
	}
	of := func(box, slider string, n int) [16]byte { return Digest(Parts(view(box), widgets(box, slider, n))) }
	if of("a1", "b1", 3) != of("a2", "b2", 3) {
		t.Error("the ids of widgets count")
	}
	if of("a1", "b1", 3) == of("a1", "b1", 4) {
		t.Error("the state of a widget in a widget does not count")
	}
}

// Widgets that hold one another end.
func TestWidgetsInCircles(t *testing.T) {
	children := make([]any, 100)
	for i := range children {
		children[i] = "IPY_MODEL_a"
	}
	all := Widgets{"a": map[string]any{"model_name": "BoxModel", "state": map[string]any{"children": children}}}
	out := []notebook.Output{{Type: "display_data", Data: map[string]json.RawMessage{widgetView: json.RawMessage(`{"model_id":"a"}`)}}}
	if text := Parts(out, all)[0].Text; len(text) > 10<<20 {
		t.Errorf("%d bytes", len(text))
	}
}

func FuzzParts(f *testing.F) {
	f.Add("text/html", `<table id="T_12345"><tr><th>`)
	f.Add("image/png", "iVBORw0KGgo=")
	f.Add("application/vnd.plotly.v1+json", `{"data":[{"y":{"dtype":"f8","bdata":"AAAA"}}]}`)
	f.Add("text/plain", "\r\b\x1b[3 0x")
	f.Fuzz(func(t *testing.T, mime, text string) {
		o := []notebook.Output{{Type: "display_data", Data: map[string]json.RawMessage{mime: notebook.TextJSON(text)}}, {Type: "stream", Name: "stdout", Text: text},
			{Type: "display_data", Data: map[string]json.RawMessage{mime + "+json": json.RawMessage(text)}}}
		now := time.Now()
		once := Clock{now, now}.During(Parts(o, nil))
		if Digest(once) != Digest(Clock{now, now}.During(Parts(o, nil))) {
			t.Error("the same outputs differ")
		}
	})
}

// Ids around numbers of any length get the numbers that they would have alone, and the
// digits stay.
func TestIDsAroundLongNumbers(t *testing.T) {
	const id = "3f2b9c1e-8a4d-4e6f-9b1a-2c3d4e5f6a7b"
	for _, n := range []int{longNumber - 1, longNumber, longNumber + 1, 5 * longNumber} {
		long := strings.Repeat("7", n)
		for text, want := range map[string]string{
			long:                              long,
			id + " " + long + " " + id:        "#1 " + long + " #1",
			"a_" + long + "-" + id:            "a_" + long + "-#1",
			long + "x" + long + " " + id:      long + "x" + long + " #1",
			id + "." + long + "T_12345 " + id: "#1." + long + "T_12345 #1",
			id + long:                         "#1" + long,
		} {
			if got := numberedIDs(text); got != want {
				t.Errorf("%d digits: %.80q became %.80q, want %.80q", n, text, got, want)
			}
		}
	}
}

// What an exception says beyond what is compared is not kept, and texts that begin alike
// stay different.
func TestShorten(t *testing.T) {
	long := strings.Repeat("x", 3*maxRaised)
	of := func(text string, trace ...string) *notebook.Notebook {
		return &notebook.Notebook{Cells: []*notebook.Cell{{Type: "code", Outputs: []notebook.Output{{Type: "stream", Text: long}, {Type: "error", Ename: "E", Evalue: text, Traceback: trace}}}}}
	}
	a, b, c := of(long+"a"), of(long+"b"), of("short", long, long)
	for _, n := range []*notebook.Notebook{a, b, c} {
		if saved := Shorten(n); saved < 2*maxRaised || saved != Shorten(n)+saved {
			t.Errorf("saved %d bytes", saved)
		}
	}
	if a.Cells[0].Outputs[0].Text != long || len(a.Cells[0].Outputs[1].Evalue) > maxRaised || Strict(a.Cells[0].Outputs) == Strict(b.Cells[0].Outputs) {
		t.Errorf("%.100q", a.Cells[0].Outputs[1].Evalue)
	}
	if raised(a.Cells[0].Outputs[1]) == raised(b.Cells[0].Outputs[1]) {
		t.Error("two exceptions became one")
	}
	if c.Cells[0].Outputs[1].Evalue != "short" || len(c.Cells[0].Outputs[1].Traceback) != 1 {
		t.Errorf("%+v", c.Cells[0].Outputs[1].Evalue)
	}
}
