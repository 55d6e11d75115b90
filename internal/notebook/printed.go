package notebook

import "strings"

// A Print is text that a cell printed.
type Print struct {
	Cell   int    // among code cells, from 1
	Stream string // stdout, stderr, traceback, or result
	Text   string
}

// Prints returns what the cells printed and the tracebacks they left, in
// order; with results also the text form of results and displays.
func (n *Notebook) Prints(results bool) []Print {
	var all []Print
	numbers := n.CodeNumbers()
	for i, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		for _, o := range c.Outputs {
			if stream, text := o.printed(results); text != "" {
				all = append(all, Print{numbers[i], stream, text})
			}
		}
	}
	return all
}

// printed is the text of an output and where it went.
func (o *Output) printed(results bool) (stream, text string) {
	switch {
	case o.Type == "stream":
		return o.Name, o.Text
	case o.Type == "error" && len(o.Traceback) > 0:
		return "traceback", strings.Join(o.Traceback, "\n") + "\n"
	case o.Type == "error":
		return "traceback", o.Ename + ": " + o.Evalue + "\n"
	case results:
		if text, _ = o.DataText("text/plain"); text != "" {
			return "result", text + "\n"
		}
	}
	return "", ""
}
