package runner

import (
	"encoding/json"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// harmless reports whether the argument of a SystemExit means success.
func harmless(evalue string) bool { return evalue == "" || evalue == "0" || evalue == "None" }

// exitOutput is the error output of a cell that told the kernel to quit with an
// exit status other than 0: what sys.exit would have left.
func exitOutput(status string) notebook.Output {
	return notebook.Output{Type: "error", Ename: "SystemExit", Evalue: status, Traceback: []string{"SystemExit: " + status}}
}

const unknownStatus = "its status is not known: quit(runLast = FALSE) keeps it from everybody"

// quits reports whether a cell's reply asks to quit the kernel, and with which
// exit status; "" is none.
//
// IPython takes the argument of quit and exit for a wish to keep the kernel, so
// that quit(3) ends nothing; whoever writes it means an exit status. Only True
// asks for what IPython does. R's kernel reports the status in the same place, see
// package kernel, except where quit is told not to run what runs last.
func quits(reply json.RawMessage, implementation string) (status string, quits bool) {
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
			if implementation == "IRkernel" {
				return unknownStatus, true
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
