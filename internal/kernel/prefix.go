package kernel

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
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

// unsigned decodes what the server hands over on its own socket.
var unsigned = wire.NewCodec(nil)

// runPrefix executes cells and keeps those that can be shared in s.Prefix. It
// returns why sharing ended, if it did: the process is then of no more use.
func (s *Server) runPrefix(ctx context.Context, cells []string, limit time.Duration) (why string) {
	s.Prefix = nil
	if len(cells) == 0 {
		return ""
	}
	blas, cancel := context.WithTimeout(ctx, blasTimeout)
	defer cancel()
	if _, err := s.proc.ask(blas, request{"op": "blas"}, "blas"); err != nil {
		return "this build of numpy cannot compute in a process that forks: " + err.Error()
	}
	for i, code := range cells {
		c, why := s.runPrefixCell(ctx, i, code, limit)
		if why != "" {
			return fmt.Sprintf("cell %d of the prefix is not shared: %s", i+1, why)
		}
		s.Prefix = append(s.Prefix, c)
	}
	if _, err := s.proc.ask(ctx, request{"op": "seal"}, "sealed"); err != nil {
		return err.Error()
	}
	return ""
}

func (s *Server) runPrefixCell(ctx context.Context, i int, code string, limit time.Duration) (PrefixCell, string) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	c := PrefixCell{Reply: Reply{MsgID: fmt.Sprintf("%s_prefix_%d", unsigned.Session(), i), Sent: time.Now()}}
	s.proc.hear()
	n, err := s.proc.ask(ctx, request{"op": "cell", "code": code, "msg_id": c.Reply.MsgID}, "cell")
	if err != nil {
		return c, strings.Join(strings.Fields(err.Error()), " ")
	}
	if n.Why != "" {
		return c, n.Why
	}
	c.Messages = s.proc.hear()
	for _, m := range c.Messages {
		c.Reply.note(m)
	}
	if !c.Reply.over() {
		return c, "its end was not seen"
	}
	return c, ""
}

// hear returns the messages of the cell that ran, and forgets them.
func (f *forker) hear() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.heard
	f.heard = nil
	return h
}
