package runner

import (
	"encoding/json"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// What bash_kernel writes when its shell ends is no text of the cell, and says how
// the shell ended.
func TestLastWordsOfAShell(t *testing.T) {
	for text, want := range map[string]struct {
		shell
		left string
	}{
		"\x1b]fanout:exit:3\aRestarting Bash\n":          {shell{true, "3"}, ""},
		"a\x1b]fanout:exit:0\aRestarting Bash\n":         {shell{true, "0"}, "a"},
		"Restarting Bash\n":                              {shell{true, unknownShell}, ""},
		"Restarting Bash and more\n":                     {shell{}, "Restarting Bash and more\n"},
		"\x1b]fanout:exit:3\a, and no other shell began": {shell{}, "\x1b]fanout:exit:3\a, and no other shell began"},
	} {
		var s shell
		content, err := json.Marshal(map[string]string{"name": "stdout", "text": text})
		if err != nil {
			t.Fatal(err)
		}
		m := s.read(kernel.Message{Header: kernel.Header{MsgType: "stream"}, Content: content})
		var left struct{ Text string }
		if len(m.Content) > 0 {
			if err := json.Unmarshal(m.Content, &left); err != nil {
				t.Fatal(err)
			}
		}
		if s != want.shell || left.Text != want.left {
			t.Errorf("%q: %+v, %q is left; want %+v, %q", text, s, left.Text, want.shell, want.left)
		}
	}
}
