package runner

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// harmless reports whether the argument of a SystemExit means success.
func harmless(evalue string) bool { return evalue == "" || evalue == "0" || evalue == "None" }

// exitOutput is the error output of a cell that told the kernel to quit with an
// exit status other than 0: what sys.exit would have left.
func exitOutput(status string) notebook.Output {
	return notebook.Output{Type: "error", Ename: "SystemExit", Evalue: status, Traceback: []string{"SystemExit: " + status}}
}

// quits reports whether a cell's reply asks to quit the kernel, and with which
// exit status; "" is none.
//
// IPython takes the argument of quit and exit for a wish to keep the kernel, so
// that quit(3) ends nothing; whoever writes it means an exit status. Only True
// asks for what IPython does. R's kernel tells nobody the status that quit was
// given: it is read in the cell.
func (w *walk) quits(reply json.RawMessage, source string) (status string, quits bool) {
	var r struct {
		Payload []struct {
			Source string          `json:"source"`
			Keep   json.RawMessage `json:"keepkernel"`
		} `json:"payload"`
	}
	if json.Unmarshal(reply, &r) != nil {
		return "", false
	}
	for _, p := range r.Payload {
		if p.Source != "ask_exit" {
			continue
		}
		switch keep := string(p.Keep); keep {
		case "true":
		case "", "null", "false":
			if _, language := w.Doc.Kernel(); strings.EqualFold(language, "R") {
				return quitStatusR(source), true
			}
			return "", true
		default:
			if text, isText := plain(p.Keep); isText {
				keep = text
			}
			return keep, true
		}
	}
	return "", false
}

var (
	commentR = regexp.MustCompile(`#[^\n]*`)
	quitR    = regexp.MustCompile(`\bq(?:uit)?\s*\(([^()]*)\)`)
	statusR  = regexp.MustCompile(`^\s*status\s*=`)
)

// quitStatusR is the first exit status that is not 0 in calls of R's
// quit(save, status, runLast), or "".
func quitStatusR(source string) string {
	for _, call := range quitR.FindAllStringSubmatch(commentR.ReplaceAllString(source, ""), -1) {
		for i, arg := range strings.Split(call[1], ",") {
			named := statusR.MatchString(arg)
			if !named && (i != 1 || strings.Contains(arg, "=")) {
				continue
			}
			status := strings.TrimSpace(statusR.ReplaceAllString(arg, ""))
			if strings.TrimSuffix(status, "L") != "0" && status != "" {
				return status
			}
		}
	}
	return ""
}
