package kernel

import (
	"context"

	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

// Token marks everything this process starts.
func Token() string { return proc.Token }

// ServeMode is Serve with one mode alone.
func ServeMode(mode string, spec kernelspec.Spec, o ServerOptions) (*Server, error) {
	all := modes
	defer func() { modes = all }()
	modes = []string{mode}
	worked.Delete(spec.Argv[0])
	defer worked.Delete(spec.Argv[0])
	return Serve(context.Background(), spec, o)
}

// Pid is the process id of the server.
func (s *Server) Pid() int { return s.proc.Pid() }

// SocketBases and MakePrivateDir choose the directory of the sockets.
var (
	SocketBases    = socketBases
	MakePrivateDir = makePrivateDir
)
