package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
)

// glueMsg is a message by which a cell records a number.
func glueMsg(parent, kind, name string, v any, displayID string) kernel.Message {
	return msg(parent, kind, map[string]any{
		"data":      map[string]any{"application/scrapbook.scrap.json+json": map[string]any{"name": name, "data": v, "encoder": "json", "version": 1}},
		"metadata":  map[string]any{"scrapbook": map[string]any{"name": name, "data": true, "display": false}},
		"transient": map[string]string{"display_id": displayID},
	})
}

func clearMsg(wait bool) kernel.Message {
	return msg("m", "clear_output", map[string]bool{"wait": wait})
}

func widgetMsgs(open bool) []kernel.Message {
	state := map[string]any{"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel", "msg_id": "", "outputs": []any{}}
	if !open {
		return []kernel.Message{commMsg("w", "")}
	}
	return []kernel.Message{
		msg("m", "comm_open", map[string]any{"comm_id": "w", "target_name": "jupyter.widget", "data": map[string]any{"state": state}}), commMsg("w", "m"),
	}
}

func commMsg(id, takes string) kernel.Message {
	return msg("m", "comm_msg", map[string]any{"comm_id": id, "data": map[string]any{"method": "update", "state": map[string]any{"msg_id": takes}}})
}

// TestScrapsAreKept: a value that came by is found, whatever became of its
// display, in the document as it is saved and read again.
func TestScrapsAreKept(t *testing.T) {
	glue := func(name string, v any) kernel.Message { return glueMsg("m", "display_data", name, v, "") }
	big := strings.Repeat("x", 3000)
	for _, tc := range []struct {
		name     string
		msgs     []kernel.Message
		want     string
		problems string
	}{
		{"in a widget", append(widgetMsgs(true), glue("v", 1)), "v=1", ""},
		{"in a widget that is cleared", append(widgetMsgs(true), glue("v", 1), clearMsg(false)), "v=1", ""},
		{"after a widget", append(append(widgetMsgs(true), glue("v", 1)), append(widgetMsgs(false), glue("v", 2))...), "v=2", "duplicate_scrap v"},
		{"before a widget", append([]kernel.Message{glue("v", 2)}, append(widgetMsgs(true), glue("v", 1))...), "v=1", "duplicate_scrap v"},
		{"in a widget, after text", append(append([]kernel.Message{sayMsg("m", "stdout", "x"), sayMsg("m", "stderr", "y")}, append(widgetMsgs(true), glue("v", 1))...),
			append(widgetMsgs(false), sayMsg("m", "stdout", "z"), glue("v", 2))...), "v=2", "duplicate_scrap v"},
		{"cleared", []kernel.Message{glue("v", 1), clearMsg(false), sayMsg("m", "stdout", "x")}, "v=1", ""},
		{"cleared with the next output", []kernel.Message{glue("v", 1), clearMsg(true), glue("w", 2), clearMsg(true), sayMsg("m", "stdout", "x")}, "v=1 w=2", ""},
		{"cleared again and again", []kernel.Message{glue("v", 1), clearMsg(false), glue("w", 5), glue("v", 2), clearMsg(false), glue("v", 3), clearMsg(false)}, "w=5 v=3", "duplicate_scrap v"},
		{"replaced by an update", []kernel.Message{glueMsg("m", "display_data", "v", 1, "d"), msg("m", "update_display_data",
			map[string]any{"data": map[string]any{"text/plain": "gone"}, "transient": map[string]string{"display_id": "d"}})}, "v=1", ""},
		{"in updates", []kernel.Message{glueMsg("m", "display_data", "v", 1, "d"), glueMsg("m", "update_display_data", "v", 2, "d")}, "v=2", ""},
		{"in an update of nothing", []kernel.Message{glueMsg("m", "update_display_data", "v", 2, "unknown")}, "v=2", ""},
		{"before an error", []kernel.Message{glue("v", 1), clearMsg(true), msg("m", "error", map[string]any{"ename": "E"})}, "v=1", ""},
		{"after too much output", []kernel.Message{sayMsg("m", "stdout", big), glue("v", 1), glue("v", 2)}, "v=2", "duplicate_scrap v"},
		{"too large", []kernel.Message{glue("v", big), glue("w", 1)}, "w=1", "lost_scrap v"},
		{"too large, then not", []kernel.Message{glue("v", big), glue("v", 1)}, "v=1", "duplicate_scrap v"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := doc("cell", "next")
			f := newFold(d, nil, caps{1000, 5000})
			begin(d)
			f.begin(0)
			for _, m := range tc.msgs {
				f.message(m)
				f.settle() // as a save on the way does
			}
			f.begin(1)
			f.message(sayMsg("m2", "stdout", "end"))
			f.finish()
			saved, err := notebook.Decode(d.Encode())
			if err != nil {
				t.Fatal(err)
			}
			for what, doc := range map[string]*notebook.Notebook{"folded": d, "saved": saved} {
				got, problems := scrapsIn(doc)
				if diff := cmp.Diff([]string{tc.want, tc.problems}, []string{got, problems}); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

func scrapsIn(d *notebook.Notebook) (values, problems string) {
	scraps, ps := d.Scraps()
	var all, wrong []string
	for _, s := range scraps {
		all = append(all, fmt.Sprintf("%s=%s", s.Name, s.Data))
		if s.Cell != 1 {
			wrong = append(wrong, fmt.Sprintf("%s is of cell %d", s.Name, s.Cell))
		}
	}
	for _, p := range ps {
		wrong = append(wrong, p.Kind+" "+p.Name)
	}
	return strings.Join(all, " "), strings.Join(wrong, ", ")
}

// TestKeptScrapsAreBounded: a loop that clears its output keeps the last value.
func TestKeptScrapsAreBounded(t *testing.T) {
	d := doc("cell")
	f := newFold(d, nil, caps{1 << 20, 1 << 20})
	begin(d)
	f.begin(0)
	for i := range 2000 {
		f.message(glueMsg("m", "display_data", "v", i, ""))
		f.message(clearMsg(false))
	}
	f.finish()
	if got, problems := scrapsIn(d); got != "v=1999" || problems != "duplicate_scrap v" {
		t.Errorf("%s, %s", got, problems)
	}
	if n := len(d.Encode()); n > 4000 {
		t.Errorf("the document has %d bytes", n)
	}
	_, problems := d.Scraps()
	if want := "it was recorded 2000 times; the last value counts"; problems[0].Detail != want {
		t.Errorf("%q, want %q", problems[0].Detail, want)
	}
}

// TestCapturedGlueIsAProblem: what scrapbook's glue shows under %%capture never
// leaves the kernel.
func TestCapturedGlueIsAProblem(t *testing.T) {
	for source, want := range map[string]string{
		"%%capture cap\nsb.glue('v', 1)\nsb.glue(\"w\", 2)":          "lost_scrap v, lost_scrap w",
		"with capture_output() as c:\n    sb.glue(name='v', data=1)": "lost_scrap v",
		"%%capture\nsb.glue(name, 1)":                                "lost_scrap ",
		"sb.glue('v', 1)":                                            "",
		"%%capture\nprint(1)":                                        "",
	} {
		d := doc(source)
		f := newFold(d, nil, caps{1 << 20, 1 << 20})
		begin(d)
		f.begin(0)
		f.message(sayMsg("m", "stdout", "x"))
		f.finish()
		if _, problems := scrapsIn(d); problems != want {
			t.Errorf("%q: problems %q, want %q", source, problems, want)
		}
	}
	d := doc("%%capture\nglue('v', 1)") // fanout's own passes a capture
	f := newFold(d, nil, caps{1 << 20, 1 << 20})
	begin(d)
	f.begin(0)
	f.message(glueMsg("m", "display_data", "v", 1, ""))
	f.finish()
	if got, problems := scrapsIn(d); got != "v=1" || problems != "" {
		t.Errorf("%s, %s", got, problems)
	}
}

// TestOutputWidgetsAreTold: before the next cell the kernel is told, once, what
// its Output widgets took; what it says about that changes no cell's times.
func TestOutputWidgetsAreTold(t *testing.T) {
	d := doc("one", "two")
	f := newFold(d, nil, caps{1 << 20, 1 << 20})
	begin(d)
	f.begin(0)
	for _, m := range append(widgetMsgs(true), sayMsg("m", "stdout", "a"), sayMsg("m", "stdout", "b")) {
		f.message(m)
	}
	want := []update{{"w", []byte(`{"outputs":[{"name":"stdout","output_type":"stream","text":"ab"}]}`)}}
	if diff := cmp.Diff(want, f.widgets.updates(), cmp.AllowUnexported(update{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := f.widgets.updates(); again != nil {
		t.Errorf("told twice: %s", again)
	}
	f.told("t1")
	f.begin(1)
	f.message(msg("t1", "status", map[string]string{"execution_state": "busy"}))
	f.message(msg("t1", "comm_msg", map[string]any{"comm_id": "w", "data": map[string]any{"method": "echo_update", "state": map[string]any{"outputs": []any{}}}}))
	f.message(sayMsg("t1", "stdout", "observed"))
	f.message(glueMsg("t1", "display_data", "v", 1, ""))
	f.message(msg("t1", "status", map[string]string{"execution_state": "idle"}))
	f.message(msg("m2", "status", map[string]string{"execution_state": "busy"}))
	f.message(sayMsg("m2", "stdout", "own"))
	f.finish()
	if got := textOf(d.Cells[0]) + "|" + textOf(d.Cells[1]); got != "observed|own" {
		t.Error(got)
	}
	if times := d.Cells[0].Metadata["execution"].(map[string]any); len(times) != 0 {
		t.Errorf("times of a message that is no cell: %v", times)
	}
	if got, problems := scrapsIn(d); got != "v=1" || problems != "" {
		t.Errorf("%s %s", got, problems)
	}
	if b := string(d.Encode()); !strings.Contains(b, `"text": "ab"`) {
		t.Errorf("an echo changed what the widget shows:\n%s", b)
	}
	// What the kernel appends itself it need not be told, and later text follows it.
	f.message(msg("m2", "comm_msg", map[string]any{"comm_id": "w", "data": map[string]any{"state": map[string]any{
		"outputs": []any{map[string]string{"output_type": "stream", "name": "stdout", "text": "c"}}}}}))
	if u := f.widgets.updates(); u != nil {
		t.Errorf("the kernel is told what it said: %s", u)
	}
	f.message(sayMsg("m", "stdout", "d"))
	if u := f.widgets.updates(); len(u) != 1 || !strings.Contains(string(u[0].state), `"text":"cd"`) {
		t.Errorf("%s", u)
	}
}

var fixedTime = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// begin records the start of a run and of its cells.
func begin(d *notebook.Notebook) {
	d.BeginRun(fixedTime)
	for i := range d.Cells {
		d.BeginCell(i, fixedTime)
	}
}
