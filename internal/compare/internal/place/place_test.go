package place

import "testing"

func TestApart(t *testing.T) {
	at := []string{"n1", "n2", "n1", "n3", "n4", "", "n2"}
	of := func(row int) string { return at[row] }
	for _, c := range []struct {
		groups []Group
		want   string
	}{
		{[]Group{{"a", []int{0, 1}}, {"b", []int{2}}}, ""},
		{[]Group{{"a", []int{0, 1}}, {"b", []int{3, 4}}}, "b and the baseline were executed on different nodes (n3 and n4; the baseline: n1 and n2): a difference between them may be one between the machines"},
		{[]Group{{"a", []int{0}}, {"b", []int{2}}, {"c", []int{3}}, {"d", []int{6}}}, "c and d and the baseline were executed on different nodes (n2 and n3; the baseline: n1): a difference between them may be one between the machines"},
		{[]Group{{"a", []int{5}}, {"b", []int{3}}}, ""}, // nothing is known of the baseline
		{[]Group{{"a", []int{0}}, {"b", []int{5}}}, ""}, // or of the variant
		{[]Group{{"a", nil}, {"b", nil}}, ""},
	} {
		if got := Apart(c.groups, "node", of); got != c.want {
			t.Errorf("%v: %q, want %q", c.groups, got, c.want)
		}
	}
}

// TestWarning: nodes count where there are some, as workers in containers have a
// host each; else hosts do.
func TestWarning(t *testing.T) {
	type at = map[string]string
	for _, c := range []struct {
		rows []at
		want bool
	}{
		{[]at{{"run_host": "h1"}, {"run_host": "h1"}, {"run_host": "h2"}, {"run_host": "h2"}}, true},
		{[]at{{"run_host": "h1"}, {"run_host": "h2"}, {"run_host": "h2"}, {"run_host": "h1"}}, false},
		{[]at{{"run_host": "h1", "run_node": "n"}, {"run_host": "h2", "run_node": "n"}, {"run_host": "h3", "run_node": "n"}, {"run_host": "h4", "run_node": "n"}}, false},
		{[]at{{"run_node": "n1"}, {"run_node": "n1"}, {"run_node": "n2"}, {"run_node": "n2"}}, true},
		{[]at{{}, {}, {}, {}}, false},
	} {
		groups := []Group{{Name: "a"}, {Name: "b"}}
		got := Warning(groups, []int{0, 1, 2, 3}, []int{0, 0, 1, 1}, func(row int, column string) string { return c.rows[row][column] })
		if (got != "") != c.want {
			t.Errorf("%v: %q, want one: %v", c.rows, got, c.want)
		}
	}
	if got := Warning([]Group{{Name: "a"}}, []int{0}, []int{0}, func(int, string) string { return "h" }); got != "" {
		t.Error(got)
	}
}
