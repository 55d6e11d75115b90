package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/forkserver"
	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
)

// forkPiped forks a kernel whose channels are one socket. Whoever has a message of
// it has all that came before, so that nothing need be asked for twice.
func (s *Server) forkPiped(ctx context.Context, o Options, dir string, began time.Time) (*Kernel, error) {
	conn, theirs, err := forkserver.SocketPair()
	if err != nil {
		return nil, fmt.Errorf("create a socket for the kernel: %w", err)
	}
	defer theirs.Close()
	log, err := proc.NewLog(o.Log)
	if err != nil {
		conn.Close()
		return nil, err
	}
	id := proc.NewID()
	p, err := s.proc.Fork(ctx, log, theirs, id, "", dir, s.spec.Environ(o.Env))
	if err != nil {
		conn.Close()
		return nil, s.notForked(err)
	}
	k := newKernel(s.spec, id, p, log, o.MemoryLimit, 1)
	k.pipe = wire.NewPipe(conn)
	k.shell, k.control = k.pipe.On(wire.Shell), k.pipe.On(wire.Control)
	k.prefix, k.info = s.Prefix, s.info
	k.readers.Add(1)
	go k.read(k.pipe)
	if err := k.greet(ctx); err != nil {
		return nil, k.notStarted(ctx, err)
	}
	k.took = time.Since(began)
	return k, nil
}

// greet waits until the kernel says that it starts, and asks it for its
// description if no other has given it.
func (k *Kernel) greet(ctx context.Context) error {
	if k.info.Implementation == "" {
		return k.handshake(ctx)
	}
	select {
	case <-k.box.output:
		return nil
	case <-k.done:
		return ErrDead
	case <-k.box.ended:
		return errors.New("it closed its channels")
	case <-ctx.Done():
		return ctx.Err()
	}
}
