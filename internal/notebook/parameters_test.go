package notebook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParametersErrors(t *testing.T) {
	n := &Notebook{Cells: []*Cell{{Type: "markdown"}, {Type: "code", Source: "a = 1\nb = 'open\nc = 2", Metadata: map[string]any{"tags": []any{"parameters"}}}}}
	ps, found, err := n.Parameters()
	if !found || len(ps) != 1 || err == nil || err.Error() != "read parameters of cell 1: line 2: a text is not closed" {
		t.Error(ps, found, err)
	}
	n.Cells[1].Source = "a = [1,\n2"
	if _, _, err = n.Parameters(); err == nil || !strings.Contains(err.Error(), "line 1: '[' is not closed") {
		t.Error(err)
	}
	n.Cells[1].Metadata = nil
	if ps, found, err = n.Parameters(); ps != nil || found || err != nil {
		t.Error(ps, found, err)
	}
}

func TestImports(t *testing.T) {
	n := &Notebook{Metadata: map[string]any{"kernelspec": map[string]any{"name": "python3"}}, Cells: []*Cell{
		{Type: "markdown", Source: "import no"},
		{Type: "code", Source: "%load_ext x\nimport numpy as np, os.path\nfrom a.b import (c,\n  d)\nfrom . import rel\nfrom .sib import x\nimport numpy"},
		{Type: "code", Source: "try:\n    import maybe\nexcept ImportError: pass\ndef f():\n    import lazy\ns = '''\nimport text\n'''\nimportant = 1; import semi\nfrom __future__ import annotations"},
		{Type: "code", Source: "%%bash\nimport shell"},
		{Type: "code", Source: "%%time\nimport timed"},
		{Type: "code", Source: "import skipped", Metadata: map[string]any{"tags": []any{"skip-execution"}}},
	}}
	want := []string{"numpy", "os.path", "a.b", "semi", "__future__", "timed"}
	if diff := cmp.Diff(want, n.Imports()); diff != "" {
		t.Error(diff)
	}
	n.Metadata = map[string]any{"kernelspec": map[string]any{"name": "ir", "language": "R"}}
	if got := n.Imports(); got != nil {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"x", "y.z"}, ImportsOf("import x\r\nfrom y.z import q\n\tbroken '")); diff != "" {
		t.Error(diff)
	}
}
