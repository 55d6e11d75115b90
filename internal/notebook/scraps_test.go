package notebook

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook/internal/scrap"
	"github.com/fanout-dev/fanout/internal/value"
)

func byName(t testing.TB, all []Scrap) map[string]Scrap {
	t.Helper()
	m := map[string]Scrap{}
	for _, s := range all {
		if _, twice := m[s.Name]; twice {
			t.Errorf("%q comes twice", s.Name)
		}
		if s.HasData != (s.Data != nil) || s.HasData && !json.Valid(s.Data) {
			t.Errorf("data of %q: %q", s.Name, s.Data)
		}
		m[s.Name] = s
	}
	return m
}

// TestScrapsAsScrapbook reads what scrapbook glued, and compares it with what
// scrapbook reads where its reader is right.
func TestScrapsAsScrapbook(t *testing.T) {
	var want []struct {
		Name, Encoder string
		Data          json.RawMessage
		Display       bool
	}
	if err := json.Unmarshal(read(t, "scraps/scraps.json"), &want); err != nil {
		t.Fatal(err)
	}
	all, problems := mustDecode(t, read(t, "scraps/glued.ipynb")).Scraps()
	got := byName(t, all)
	if len(all) != len(want) {
		t.Errorf("%d scraps, scrapbook finds %d", len(all), len(want))
	}
	for i, w := range want {
		if i < len(all) && all[i].Name != w.Name {
			t.Errorf("scrap %d is %q, scrapbook's is %q", i, all[i].Name, w.Name)
		}
		g := got[w.Name]
		if wasLost := w.Name == "both" || w.Name == "dfboth"; wasLost {
			if !g.HasData || g.Display == nil || g.Encoder == "display" {
				t.Errorf("data or display of %q is lost: %+v", w.Name, g)
			}
			continue
		}
		if g.Encoder != w.Encoder || (g.Display != nil) != w.Display || g.Legacy != "" {
			t.Errorf("%+v, scrapbook's %+v", g, w)
		}
		switch {
		case w.Encoder == "display":
			if g.HasData {
				t.Errorf("%+v", g)
			}
		case w.Encoder == "pandas":
			if !strings.HasPrefix(string(g.Data), `"UEFSM`) { // PAR1
				t.Errorf("%.60s", g.Data)
			}
		default:
			compareData(t, w.Name, g, w.Data)
		}
	}
	if len(problems) != 1 || problems[0].Name != "twice" || problems[0].Kind != "duplicate_scrap" || problems[0].Cell != 10 {
		t.Errorf("%+v", problems)
	}
	if string(got["both"].Data) != "3" || string(got["twice"].Data) != "2" || string(got["beyond"].Data) != "9007199254740993" {
		t.Errorf("%s %s %s", got["both"].Data, got["twice"].Data, got["beyond"].Data)
	}
	for name, want := range map[string]float64{"nan": math.NaN(), "np": math.NaN(), "inf": math.Inf(1), "ninf": math.Inf(-1), "int": 7, "whole": 2, "huge": 1e30} {
		if f, ok := number(got[name]); !ok || f != want && !math.IsNaN(want) || math.IsNaN(want) != math.IsNaN(f) {
			t.Errorf("%s is the number %v, %v", name, f, ok)
		}
	}
	for _, name := range []string{"nantext", "digits", "list", "jsontext", "yes", "html"} {
		if f, ok := number(got[name]); ok {
			t.Errorf("%s is the number %v", name, f)
		}
	}
}

// number is the value of a scrap that is a number; also of NaN and the infinities.
func number(s Scrap) (float64, bool) {
	if !s.HasData || s.Encoder != "json" {
		return 0, false
	}
	v, err := value.Decode(s.Data)
	if err != nil {
		return 0, false
	}
	switch v := v.(type) {
	case string:
		return value.NonFinite(v)
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil || math.IsInf(f, 0)
	}
	return 0, false
}

func compareData(t *testing.T, name string, g Scrap, raw json.RawMessage) {
	t.Helper()
	var odd struct{ Int, Float string }
	if json.Unmarshal(raw, &odd) == nil && odd.Int != "" {
		want, _ := new(big.Int).SetString(odd.Int, 10)
		if got, ok := new(big.Int).SetString(string(g.Data), 10); !ok || got.Cmp(want) != 0 {
			t.Errorf("%s: got %s, want %s", name, g.Data, want)
		}
		return
	}
	want, err1 := value.Decode(raw)
	got, err2 := value.Decode(g.Data)
	if w, isText := want.(string); isText && g.Encoder == "json" && name != "jsontext" { // scrapbook leaves what the kernel made of these
		want = map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "np.float64(nan)": "NaN"}[w]
	}
	if diff := cmp.Diff(want, got); diff != "" || err1 != nil || err2 != nil {
		t.Errorf("%s: -scrapbook +ours\n%s%v%v", name, diff, err1, err2)
	}
}

func TestScrapsOfMystNB(t *testing.T) {
	all, problems := mustDecode(t, read(t, "scraps/mystnb.ipynb")).Scraps()
	got := byName(t, all)
	if len(problems) > 0 {
		t.Error(problems)
	}
	for name, want := range map[string]string{"count": "3", "rate": "0.5", "none": "null", "flag": "true", "name": `"text"`, "nan": `"NaN"`, "html": "", "list": ""} {
		g, ok := got[name]
		if !ok || string(g.Data) != want || g.Legacy != scrap.LegacyMyst || g.Display["text/plain"] == nil {
			t.Errorf("%s: %+v", name, g)
		}
	}
	if got["html"].Display["text/html"] == nil || got["name"].Encoder != "text" || got["nan"].Encoder != "json" {
		t.Errorf("%+v", got)
	}
}

// output is an output as a file holds it.
func output(t testing.TB, text string) Output {
	t.Helper()
	s := newScanner([]byte(text))
	o, err := s.output()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestScrapsOfOldForms(t *testing.T) {
	type part struct{ Name, Encoder, Data, Legacy, Display string }
	for name, c := range map[string]struct {
		outputs  []string
		want     []part
		problems []string
	}{
		"papermill record": {[]string{`{"output_type": "display_data", "data": {"application/papermill.record+json": {"b": 1, "a": [2]}}, "metadata": {}}`},
			[]part{{"b", "json", "1", scrap.LegacyRecord, ""}, {"a", "json", "[2]", scrap.LegacyRecord, ""}}, nil},
		"papermill display": {[]string{`{"output_type": "display_data", "data": {"text/plain": ["<", "x>"]}, "metadata": {"papermill": {"name": "fig"}}}`},
			[]part{{"fig", "display", "", scrap.LegacyDisplay, `"<x>"`}}, nil},
		"scrapbook 0.1": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap+json": {"a": 1.50}}, "metadata": {}}`, `{"output_type": "display_data", "data": {"application/scrapbook.scrap+unicode": {"u": "5"}}, "metadata": {}}`, `{"output_type": "display_data", "data": {"text/plain": "p"}, "metadata": {"scrapbook": {"name": "sketch"}}}`},
			[]part{{"a", "json", "1.50", scrap.LegacyScrap01, ""}, {"u", "text", `"5"`, scrap.LegacyScrap01, ""}, {"sketch", "display", "", scrap.LegacyScrap01, `"p"`}}, nil},
		"no version": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": 1, "encoder": "json"}}, "metadata": {"scrapbook": {"name": "x", "data": true, "display": false}}}`},
			[]part{{"x", "json", "1", scrap.LegacyUnversioned, ""}}, nil},
		"newer": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": 1, "encoder": "json", "version": 2, "more": [1]}}, "metadata": {}}`},
			[]part{{"x", "json", "1", "", ""}}, []string{"newer_scrap"}},
		"unknown encoder": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap.arrow+json": {"name": "x", "data": {"b": "QQ=="}, "encoder": "arrow", "version": 1}}, "metadata": {}}`},
			[]part{{"x", "arrow", `{"b": "QQ=="}`, "", ""}}, nil},
		"null": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": null, "encoder": "json", "version": 1}}, "metadata": {}}`},
			[]part{{"x", "json", "null", "", ""}}, nil},
		"written by Python": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": NaN, "encoder": "json", "version": 1}}, "metadata": {}}`,
			`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "y", "data": [1, -Infinity, {"NaN": NaN}], "encoder": "json", "version": 1}}, "metadata": {}}`},
			[]part{{"x", "json", `"NaN"`, "", ""}, {"y", "json", `[1,"-Infinity",{"NaN":"NaN"}]`, "", ""}}, nil},
		"escaped names": {[]string{`{"output_type": "display_data", "data": {"application\/scrapbook.scrap.\u006ason+json": {"\u006eame": "x", "data": 1, "encoder": "json", "version": 1}}, "metadata": {}}`},
			[]part{{"x", "json", "1", "", ""}}, nil},
		"one output": {[]string{`{"output_type": "execute_result", "execution_count": 1, "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": 1, "encoder": "json", "version": 1}, "text/plain": "one"}, "metadata": {"scrapbook": {"name": "x", "display": true}}}`},
			[]part{{"x", "json", "1", "", `"one"`}}, nil},
		"display first": {[]string{`{"output_type": "display_data", "data": {"text/plain": "p"}, "metadata": {"scrapbook": {"name": "x", "data": false, "display": true}}}`, `{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": 1, "encoder": "json", "version": 1}}, "metadata": {}}`},
			[]part{{"x", "json", "1", "", `"p"`}}, nil},
		"replaced": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": 1, "encoder": "json", "version": 1}}, "metadata": {}}`, `{"output_type": "display_data", "data": {"text/plain": "p"}, "metadata": {"scrapbook": {"name": "x", "data": false, "display": true}}}`, `{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": 2, "encoder": "json", "version": 1}}, "metadata": {}}`},
			[]part{{"x", "json", "2", "", ""}}, []string{"duplicate_scrap"}},
		"malformed": {[]string{`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": "text"}, "metadata": {"scrapbook": {"name": "x"}}}`, `{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"data": 1}}, "metadata": {}}`, `{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x"}}, "metadata": {}}`, `{"output_type": "display_data", "data": {"application/papermill.record+json": [1]}, "metadata": {}}`},
			nil, []string{"malformed_scrap", "malformed_scrap", "malformed_scrap", "malformed_scrap"}},
		"not scraps": {[]string{`{"output_type": "stream", "name": "stdout", "text": "application/scrapbook.scrap.json+json"}`, `{"output_type": "display_data", "data": {"text/plain": "application/scrapbook.scrap.json+json"}, "metadata": {}}`, `{"output_type": "display_data", "data": {"text/plain": "x"}, "metadata": {"scrapbook": {"name": "x", "display": false, "data": true}}}`, `{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}`},
			nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Notebook{Cells: []*Cell{{Type: "code"}}}
			for _, o := range c.outputs {
				n.Cells[0].Outputs = append(n.Cells[0].Outputs, output(t, o))
			}
			all, problems := n.Scraps()
			byName(t, all)
			var got []part
			for _, s := range all {
				got = append(got, part{s.Name, s.Encoder, string(s.Data), s.Legacy, string(s.Display["text/plain"])})
			}
			var kinds []string
			for _, p := range problems {
				kinds = append(kinds, p.Kind)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.problems, kinds); diff != "" {
				t.Error(diff, problems)
			}
		})
	}
}

func FuzzScraps(f *testing.F) {
	for _, s := range []string{
		`{"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": "x", "data": [NaN, "nan"], "encoder": "json", "version": 1}, "application/papermill.record/text/plain": ["'a'"]}, "metadata": {"scrapbook": {"name": "x", "mime_prefix": ""}}}`,
		`{"output_type": "display_data", "data": {"application/papermill.record+json": {"b": "inf"}}, "metadata": {"papermill": {"name": "fig"}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newScanner(b)
		o, err := s.output()
		if err != nil {
			return
		}
		all, _ := ScrapsOf(0, o)
		for _, s := range all {
			if s.HasData && !json.Valid(s.Data) {
				t.Fatalf("%q", s.Data)
			}
			number(s)
		}
		merged, _ := scrap.Merge(all)
		byName(t, merged)
	})
}
