package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A PrefixCell is one cell that was executed once for all kernels of a Server,
// with the messages a kernel would have sent. They are shared: do not change
// them.
type PrefixCell struct {
	Reply    Reply
	Messages []Message
}

// blasTimeout is how long a small matrix may take before this build of numpy
// is known to hang after a fork.
const blasTimeout = 15 * time.Second

// runPrefix executes cells and keeps those that can be shared in s.Prefix. It
// returns why sharing ended, if it did: the process is then of no more use.
func (s *Server) runPrefix(ctx context.Context, cells []string, limit time.Duration) (why string) {
	s.Prefix = nil
	if len(cells) == 0 {
		return ""
	}
	blas, cancel := context.WithTimeout(ctx, blasTimeout)
	defer cancel()
	if err := s.proc.TryBLAS(blas); err != nil {
		return "this build of numpy cannot compute in a process that forks: " + err.Error()
	}
	for i, code := range cells {
		c, why := s.runPrefixCell(ctx, i, code, limit)
		if why != "" {
			return fmt.Sprintf("cell %d of the prefix is not shared: %s", i+1, why)
		}
		s.Prefix = append(s.Prefix, c)
	}
	return ""
}

func (s *Server) runPrefixCell(ctx context.Context, i int, code string, limit time.Duration) (PrefixCell, string) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	c := PrefixCell{Reply: Reply{MsgID: fmt.Sprintf("%s_prefix_%d", s.proc.Session(), i), Sent: time.Now()}}
	messages, why, err := s.proc.RunCell(ctx, code, c.Reply.MsgID)
	if err != nil {
		return c, strings.Join(strings.Fields(err.Error()), " ")
	}
	if why != "" {
		return c, why
	}
	c.Messages = messages
	for _, m := range c.Messages {
		c.Reply.note(m)
		if capturesOutput(m) {
			return c, "an Output widget takes its output, of which a kernel is told before its next cell"
		}
	}
	if !c.Reply.over() {
		return c, "its end was not seen"
	}
	return c, ""
}

// capturesOutput reports whether a message makes a front end put output into a
// widget.
func capturesOutput(m Message) bool {
	var c struct {
		Data struct {
			State struct {
				MsgID string `json:"msg_id"`
			} `json:"state"`
		} `json:"data"`
	}
	return m.Header.MsgType == "comm_msg" && json.Unmarshal(m.Content, &c) == nil && c.Data.State.MsgID != ""
}
