package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

// overTCP remembers the kernels that start only over TCP, by their argv.
var overTCP sync.Map

// Launch starts a kernel and returns when it has answered. The error is a
// *StartError when the kernel did not start; starting again may then help.
// Sockets are Unix sockets in a private directory; TCP on the loopback
// interface is used where they cannot be, see Transport.
func Launch(ctx context.Context, spec kernelspec.Spec, o Options) (*Kernel, error) {
	limit := o.StartTimeout
	if limit <= 0 {
		limit = defaultStartTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if why, known := overTCP.Load(spec.Key()); known {
		return launch(ctx, spec, o, true, why.(string))
	}
	if spec.IsIPykernel() { // known to do both
		return launch(ctx, spec, o, false, "")
	}
	// A kernel that cannot do ipc may exit, or hang: leave time for TCP.
	half, stop := context.WithTimeout(ctx, limit/2)
	defer stop()
	k, err := launch(half, spec, o, false, "")
	if err == nil || ctx.Err() != nil || !errors.As(err, new(*StartError)) {
		return k, err
	}
	why := "the kernel did not start on Unix sockets"
	k, tcpErr := launch(ctx, spec, o, true, why)
	if tcpErr != nil {
		return nil, err
	}
	overTCP.Store(spec.Key(), why)
	return k, nil
}

func launch(ctx context.Context, spec kernelspec.Spec, o Options, tcp bool, why string) (*Kernel, error) {
	began := time.Now()
	e, err := newEndpoint(spec.Name, tcp, why)
	if err != nil {
		return nil, err
	}
	log, err := proc.NewLog(o.Log)
	if err != nil {
		e.remove()
		return nil, err
	}
	c, err := proc.Start(e.id, spec.Command(e.file), spec.Environ(o.Env), o.Dir, log)
	if err != nil {
		e.remove()
		return nil, &StartError{Spec: spec.Name, Reason: err.Error()}
	}
	return connect(ctx, spec, e, c, log, o.MemoryLimit, began)
}

// connect turns a started process into a Kernel, or reaps it.
func connect(ctx context.Context, spec kernelspec.Spec, e *endpoint, p proc.Process, log *proc.Log, memory int64, began time.Time) (*Kernel, error) {
	k := newKernel(spec, e.id, p, log, memory, len(outputChannels(spec)))
	k.end, k.codec, k.identity = e, wire.NewCodec([]byte(e.key)), wire.NewID()
	err := k.dial(ctx)
	if err == nil {
		err = k.handshake(ctx)
	}
	if err != nil {
		return nil, k.notStarted(ctx, err)
	}
	k.took = time.Since(began)
	return k, nil
}

// newKernel watches over a started process; so many readers will deliver what it
// sends.
func newKernel(spec kernelspec.Spec, id string, p proc.Process, log *proc.Log, memory int64, readers int) *Kernel {
	k := &Kernel{
		spec: spec, id: id, proc: p, log: log, box: newMailbox(readers),
		done: make(chan struct{}), closeDone: make(chan struct{}), meter: proc.StartMeter(p, memory),
	}
	go k.watch(proc.WatchOOM())
	return k
}

// notStarted reaps a kernel that did not start and returns why.
func (k *Kernel) notStarted(ctx context.Context, cause error) error {
	e := &StartError{Spec: k.spec.Name, Reason: cause.Error()}
	// A process about to die explains more than the connection it drops.
	died := proc.WaitFor(k.done, 100*time.Millisecond)
	exit := k.Close(0)
	e.LogTail = exit.LogTail
	switch {
	case died:
		e.Reason = "it ended before it answered: " + exit.String()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Reason, e.Err = "it did not answer in time", ctx.Err()
	case ctx.Err() != nil:
		e.Reason, e.Err = "canceled", ctx.Err()
	}
	return e
}

// dial connects the channels as the kernel binds them.
func (k *Kernel) dial(ctx context.Context) error {
	to := map[string]*sender{wire.IOPub: &k.iopub, wire.Shell: &k.shell, wire.Stdin: &k.stdin}
	for _, name := range outputChannels(k.spec) {
		conn, err := k.dialOne(ctx, name)
		if err != nil {
			return err
		}
		*to[name] = conn
		k.readers.Add(1)
		go k.read(conn)
	}
	return nil
}

// outputChannels are those whose messages an execution consists of.
func outputChannels(s kernelspec.Spec) []string {
	if s.IsIPykernel() {
		return []string{wire.IOPub, wire.Shell}
	}
	return []string{wire.IOPub, wire.Shell, wire.Stdin}
}

// dialOne tries until the channel is bound.
func (k *Kernel) dialOne(ctx context.Context, channel string) (*wire.Conn, error) {
	network, addrs := k.end.addresses(channel)
	began := time.Now()
	for {
		var err error
		for _, a := range addrs {
			// Much cheaper than a socket, and done many times.
			if network == "unix" && syscall.Access(a, 0) != nil {
				continue
			}
			var c *wire.Conn
			if c, err = wire.Dial(channel, network, a, k.identity, k.codec); err == nil {
				return c, nil
			}
			if !notYet(err) {
				return nil, fmt.Errorf("connect to %s: %w", channel, err)
			}
		}
		// A tenth of the time waited so far: quick for the quick, cheap for the slow.
		t := time.NewTimer(min(max(time.Since(began)/10, 500*time.Microsecond), 20*time.Millisecond))
		select {
		case <-t.C:
		case <-k.done:
			t.Stop()
			return nil, ErrDead
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
	}
}

func notYet(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
}

// read delivers messages until there are no more.
func (k *Kernel) read(from interface{ Receive() (Message, error) }) {
	defer k.readers.Done()
	defer k.box.leave()
	for {
		m, err := from.Receive()
		switch {
		case err == nil:
			k.deliver(m)
		case wire.Dropped(err):
			k.dropped.Add(1)
		case errors.Is(err, wire.ErrPipe) && !proc.WaitFor(k.proc.Reaped(), drainGrace):
			k.broke(err.Error())
			return
		default:
			return
		}
	}
}

// deliver keeps from the mailbox what concerns only this package.
func (k *Kernel) deliver(m Message) {
	if m.Channel == wire.IOPub {
		k.box.live()
		if m.Header.MsgType == "iopub_welcome" || starts(m) {
			return
		}
	}
	if _, ours := k.own.Load(m.Parent.MsgID); ours {
		if m.Channel == wire.Shell {
			k.box.answered(m)
		}
		return
	}
	k.box.put(m)
}

// starts reports whether m is what a kernel sends first, which belongs to no cell.
func starts(m Message) bool {
	return m.Header.MsgType == "status" && stateOf(m) == "starting"
}

// unboundedQueue makes an ipykernel keep output that its client has not read
// yet: it would drop all beyond a thousand messages. The socket belongs to its
// thread, which does it; no name is left behind.
const unboundedQueue = `(lambda k: k.iopub_thread.schedule(lambda: k.iopub_thread.socket.setsockopt(__import__("zmq").SNDHWM, 0)))(get_ipython().kernel)`

// quitStatus makes R's kernel say with which status a cell quits: quit calls this
// function before it asks to end the kernel, and tells nobody its status otherwise.
// The name begins with a dot, so that rm(list = ls()) leaves it there.
const quitStatus = `.Last.sys <- function() eval(quote(
  payload <<- c(payload, list(list(source = "ask_exit", keepkernel = as.integer(status))))), parent.frame())`

// shellStatus makes the shell of bash_kernel write, as its last words, with which
// status it ends: the kernel starts another one and reports success. Terminals take
// no notice of such words.
const shellStatus = `trap 'printf "\033]fanout:exit:%d\007" $?' EXIT`

// setup is what a kernel executes, unseen, before its first cell.
func (k *Kernel) setup() string {
	_, cold := k.proc.(*proc.Child)
	switch {
	case cold && k.spec.IsIPykernel():
		return unboundedQueue
	case k.spec.Language == "R":
		return quitStatus
	case slices.Contains(k.spec.Argv, "bash_kernel"):
		return shellStatus
	}
	return ""
}

// handshake asks for kernel_info until it is answered and output is seen to
// arrive: a subscription takes effect at no known moment, and what a kernel
// sends before that is lost.
func (k *Kernel) handshake(ctx context.Context) error {
	if err := k.request(k.shell, "kernel_info_request", nil); err != nil {
		return err
	}
	answers := 1
	if code := k.setup(); code != "" {
		content, err := json.Marshal(map[string]any{"code": code, "silent": true, "store_history": false, "allow_stdin": false})
		if err != nil {
			return err
		}
		if err := k.request(k.shell, "execute_request", content); err != nil {
			return err
		}
		answers++
	}
	var live bool
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for answers > 0 || !live {
		select {
		case m := <-k.box.answers:
			answers--
			if m.Header.MsgType == "kernel_info_reply" {
				if err := json.Unmarshal(m.Content, &k.info); err != nil {
					return fmt.Errorf("read kernel_info: %w", err)
				}
			}
		case <-k.box.output:
			live = true
		case <-again.C:
			if answers > 0 || live {
				continue
			}
			if err := k.request(k.shell, "kernel_info_request", nil); err != nil {
				return err
			}
		case <-k.done:
			return ErrDead
		case <-k.box.ended:
			return errors.New("it closed its connections")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
