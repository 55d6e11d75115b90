package runner

import (
	"encoding/json"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/pattern"
)

// harmless reports whether the argument of a SystemExit means success.
func harmless(evalue string) bool { return evalue == "" || evalue == "0" || evalue == "None" }

// exitOutput is the error output of a cell that told the kernel to quit with an
// exit status other than 0: what sys.exit would have left.
func exitOutput(status string) notebook.Output {
	return notebook.Output{Type: "error", Ename: "SystemExit", Evalue: status, Traceback: []string{"SystemExit: " + status}}
}

const (
	unknownStatus = "its status is not known: quit(runLast = FALSE) keeps it from everybody"
	unknownShell  = "its status is not known: it has another trap for EXIT, or has become another program"
)

// lastWords are what the shell of bash_kernel writes when it ends, see package
// kernel, and what the kernel adds to it.
var lastWords = pattern.Of(`(?:\x1b\]fanout:exit:([0-9]+)\x07)?Restarting Bash\n?$`)

// A shell is that of bash_kernel, which is replaced by another one when it ends.
type shell struct {
	ended  bool // in the current cell
	status string
}

// read finds out from the text of a cell that the shell has ended, and returns the
// message without what is not the shell's own text.
func (s *shell) read(m kernel.Message) kernel.Message {
	var content struct {
		Name string `json:"name"`
		Text string `json:"text"`
	}
	if m.Header.MsgType != "stream" || json.Unmarshal(m.Content, &content) != nil {
		return m
	}
	at := lastWords().FindStringSubmatchIndex(content.Text)
	if at == nil {
		return m
	}
	s.ended, s.status = true, unknownShell
	if at[2] >= 0 {
		s.status = content.Text[at[2]:at[3]]
	}
	content.Text = content.Text[:at[0]]
	if content.Text == "" {
		return kernel.Message{}
	}
	if short, err := json.Marshal(content); err == nil {
		m.Content = short
	}
	return m
}

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
