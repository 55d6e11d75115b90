package kernel_test

import (
	"encoding/json"
	"regexp"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// messages are what a cell put out, in a form that can be compared: adjacent
// text of one stream is one text, and numbers of processes are masked.
// What has another parent belongs to no cell: ipykernel's own warnings.
type messages struct {
	parent string
	list   []map[string]any
}

var volatile = regexp.MustCompile(`ipykernel_\d+|0x[0-9a-f]+|"\d{4}-\d\d-\d\dT[^"]*"`)

func (ms *messages) add(m kernel.Message) {
	if m.Header.MsgType == "execute_input" {
		ms.parent = m.Parent.MsgID
	}
	if m.Parent.MsgID != ms.parent {
		return
	}
	switch m.Header.MsgType {
	case "status", "execute_reply", "execute_input":
		return
	}
	var content map[string]any
	if err := json.Unmarshal(volatile.ReplaceAll(m.Content, []byte("…")), &content); err != nil {
		panic(err)
	}
	if n := len(ms.list); m.Header.MsgType == "stream" && n > 0 {
		if last := ms.list[n-1]; last["type"] == "stream" && last["name"] == content["name"] {
			last["text"] = last["text"].(string) + content["text"].(string)
			return
		}
	}
	content["type"] = m.Header.MsgType
	ms.list = append(ms.list, content)
}
