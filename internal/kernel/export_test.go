package kernel

import (
	"context"
	"testing"
)

// Token marks everything this process starts.
func Token() string { return token }

// DecodeSpec reads a kernel.json of the directory /k.
func DecodeSpec(b []byte) (Spec, error) {
	return decodeSpec(b, "/k", environment{"/p", "/p/bin/python"})
}

// ServeMode is Serve with one mode alone.
func ServeMode(mode string, spec Spec, o ServerOptions) (*Server, error) {
	all := modes
	defer func() { modes = all }()
	modes = []string{mode}
	worked.Delete(spec.Argv[0])
	defer worked.Delete(spec.Argv[0])
	return Serve(context.Background(), spec, o)
}

// Pid is the process id of the server.
func (s *Server) Pid() int { return s.proc.proc.pid() }

// SocketBases and MakePrivateDir choose the directory of the sockets.
var (
	SocketBases    = socketBases
	MakePrivateDir = makePrivateDir
)

// WithoutSystem hides the kernels that the machine has installed.
func WithoutSystem(t testing.TB) {
	all := systemPrefixes
	systemPrefixes = nil
	t.Cleanup(func() { systemPrefixes = all })
}
