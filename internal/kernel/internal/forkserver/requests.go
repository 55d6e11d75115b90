package forkserver

import (
	"context"

	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
)

// Ready is what Prepare has found.
type Ready struct {
	IPykernel string // its version
	Threads   int    // left running: none may be
	Refused   string // why the mode is not to be used, or nothing
}

// Prepare prepares as much of a kernel as mode requires, with the arguments of its
// application.
func (s *Server) Prepare(ctx context.Context, mode string, args []string) (Ready, error) {
	n, err := s.ask(ctx, request{"op": "start", "mode": mode, "argv": args}, "ready")
	return Ready{n.IPykernel, n.Threads, n.Why}, err
}

// Imports is the result of importing modules.
type Imports struct {
	Failed   map[string]string // by module, why
	Noisy    []string          // that write when they are imported
	Suspects []string          // that start threads when they are imported
	Threads  int               // left running
}

// Import imports modules, except those in dir, which belong to the kernels.
// quiet are modules that a kernel imports by itself.
func (s *Server) Import(ctx context.Context, modules []string, dir string, quiet bool) (Imports, error) {
	n, err := s.ask(ctx, request{"op": "import", "modules": modules, "directory": dir, "quiet": quiet}, "imported")
	return Imports{n.Failed, n.Noisy, n.Suspects, n.Threads}, err
}

// TryBLAS multiplies a small matrix, which hangs with some builds of numpy.
func (s *Server) TryBLAS(ctx context.Context) error {
	_, err := s.ask(ctx, request{"op": "blas"}, "blas")
	return err
}

// RunCell executes a cell whose request has the id msgID and returns the
// messages that a kernel would have sent, or why the cell cannot be shared.
func (s *Server) RunCell(ctx context.Context, code, msgID string) (messages []wire.Message, why string, err error) {
	s.takeOutput()
	n, err := s.ask(ctx, request{"op": "cell", "code": code, "msg_id": msgID}, "cell")
	if err != nil || n.Why != "" {
		return nil, n.Why, err
	}
	return s.takeOutput(), "", nil
}

// Seal ends imports and cells: from now on the process must not change. why says, if
// it is so, that its children would share random numbers, and module whose they are.
func (s *Server) Seal(ctx context.Context) (module, why string, err error) {
	n, err := s.ask(ctx, request{"op": "seal"}, "sealed")
	return n.Module, n.Why, err
}

// Session is the session that the messages of cells belong to.
func (s *Server) Session() string { return unsigned.Session() }

// LogText returns the last lines that the server wrote outside the protocol.
func (s *Server) LogText() string { return s.log.Text() }

// Pid is the number of the server's process.
func (s *Server) Pid() int { return s.proc.Pid() }

// takeOutput returns the messages of the cell that ran, and forgets them.
func (s *Server) takeOutput() []wire.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	output := s.output
	s.output = nil
	return output
}
