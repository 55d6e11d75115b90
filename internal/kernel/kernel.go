// Package kernel starts, talks to and reaps Jupyter kernels. Package kernelspec
// finds them.
//
// In go a kernelspec.Spec, a working directory, an environment and source code; out
// come the messages of the Jupyter protocol, in order, and how the
// process ended. Launch starts a kernel cold; Serve keeps a process from which
// Python kernels are forked warm. Both give the same Kernel.
//
// It promises that a cell has ended only at reply and idle; that no output is
// lost however slow its reader; that a message without a valid signature is
// dropped; and that Close leaves no process, socket, goroutine or file behind,
// whatever the kernel or its children do. Should this process die, by SIGKILL
// too, its kernels die with it.
//
// It does not interpret outputs, decide about timeouts or retry. It supports
// Linux and, without warm starts and memory limits, other Unix systems.
package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

// Message is one Jupyter message; Header names its type, sender and time.
// Content and Buffers belong to the receiver.
type (
	Message = wire.Message
	Header  = wire.Header
)

// Options are where and how a kernel runs.
type Options struct {
	Dir          string        // working directory; "" is this process's
	Env          []string      // complete environment; nil is this process's
	Log          *os.File      // what the process writes outside the protocol; nil discards it. The caller closes it
	StartTimeout time.Duration // until the kernel answers; 0 is a minute
	MemoryLimit  int64         // bytes of private memory of the kernel and its children; 0 is no limit
}

const (
	defaultStartTimeout = time.Minute
	// termGrace is how long a kernel may take to die of SIGTERM.
	termGrace = 500 * time.Millisecond
	// drainGrace bounds reading what a dead kernel left in its sockets, which a
	// grandchild may hold open.
	drainGrace = 250 * time.Millisecond
	// silence after a reply means that its idle message was lost.
	silence = 30 * time.Second
)

// ErrDead is what Execute returns when the kernel's process has ended. The
// error is a *DeadError.
var ErrDead = errors.New("kernel died")

// DeadError is the error of a kernel that has ended.
type DeadError struct{ Exit Exit }

func (e *DeadError) Error() string        { return "kernel died: " + e.Exit.String() }
func (e *DeadError) Is(target error) bool { return target == ErrDead }

// StartError is why a kernel did not start. Starting again may help.
type StartError struct {
	Spec    string // name of the kernel
	Reason  string // one line
	LogTail string // the last lines the process wrote
	Err     error  // the cause: a context's error, or nil
}

func (e *StartError) Error() string {
	s := fmt.Sprintf("start kernel %q: %s", e.Spec, e.Reason)
	if line := proc.LastLine(e.LogTail); line != "" {
		s += ": " + line
	}
	return s
}

func (e *StartError) Unwrap() error { return e.Err }

// Hint is what to do about the commonest reasons.
func (e *StartError) Hint() string {
	switch {
	case strings.Contains(e.LogTail, "No module named"):
		return "install the missing module into the kernel's environment, or choose another with --python"
	case errors.Is(e.Err, context.DeadlineExceeded):
		return "give it more time with a longer start timeout"
	}
	return ""
}

// Exit is how a kernel's process ended and what it used.
type Exit struct {
	Code    int           // exit status; -1 when a signal ended it
	Signal  string        // name of the signal that ended it, as in "killed"; "" when it exited
	Asked   bool          // Close, Terminate or Kill asked for it
	OOM     bool          // memory ran out: the limit of Options, the cgroup's or the machine's
	Reason  string        // a sentence about OOM, or about how it broke the protocol and was killed for it; else ""
	CPU     time.Duration // user and system time, waited-for children included
	PeakRSS int64         // bytes: the largest size seen; of a warm kernel only its own share; 0 when unknown
	LogTail string        // the last lines the process wrote outside the protocol
}

// String is "exit status 3", "signal: killed", "signal: killed (out of memory: …)"
// or "signal: killed, because …".
func (e Exit) String() string {
	s := fmt.Sprintf("exit status %d", e.Code)
	if e.Signal != "" {
		s = "signal: " + e.Signal
	}
	switch {
	case e.OOM:
		s += " (out of memory: " + e.Reason + ")"
	case e.Reason != "":
		s += ", because " + e.Reason
	}
	return s
}

// A Kernel is a running kernel. Execute and Drain are for one goroutine at a
// time; all other methods may be called by any, at any time.
type Kernel struct {
	spec  kernelspec.Spec
	id    string
	proc  proc.Process
	end   *endpoint  // of ZeroMQ's sockets
	pipe  *wire.Pipe // all channels, instead
	log   *proc.Log
	box   *mailbox
	codec *wire.Codec
	info  Info
	took  time.Duration
	meter *proc.Meter

	identity     string
	shell, iopub sender
	stdin        sender // nil for an ipykernel, which respects allow_stdin
	controlMu    sync.Mutex
	control      sender // connected when first needed
	readers      sync.WaitGroup
	dropped      atomic.Int64
	fault        atomic.Pointer[string] // how the process broke the protocol
	prefix       []PrefixCell
	cold         string // why a Server did not fork it
	zmq          string // why it was forked with ZeroMQ's sockets
	asked        atomic.Bool
	busy         atomic.Bool // a cell may be running

	own       sync.Map // ids of our own requests, whose messages are not output
	done      chan struct{}
	exit      Exit
	closeOnce sync.Once
	closeDone chan struct{}
}

// A sender is where requests of one channel go.
type sender interface {
	Header(msgType string) Header
	Send(m Message) error
	Close() error
}

// Info is the kernel's answer to kernel_info_request.
type Info struct {
	Implementation        string          `json:"implementation"`
	ImplementationVersion string          `json:"implementation_version"`
	ProtocolVersion       string          `json:"protocol_version"`
	Banner                string          `json:"banner"`
	LanguageInfo          json.RawMessage `json:"language_info"`
}

// Info returns the kernel's description of itself.
func (k *Kernel) Info() Info { return k.info }

// ID is the value of FANOUT_KERNEL_ID in the environment of the kernel and of
// all processes it starts. See KillMarked.
func (k *Kernel) ID() string { return k.id }

// Pid is the process id of the kernel, which leads its own session and group.
func (k *Kernel) Pid() int { return k.proc.Pid() }

// StartTook is the time from the request to the first answer.
func (k *Kernel) StartTook() time.Duration { return k.took }

// Transport is what carries the messages: "pipe", one socket that only this
// process has the other end of, for the kernels of a Server; or ZeroMQ over "ipc"
// or "tcp". why is the reason why it is not the one before, if one is known.
func (k *Kernel) Transport() (name, why string) {
	if k.end == nil {
		return "pipe", ""
	}
	if k.end.why == "" {
		return k.end.transport, k.zmq
	}
	return k.end.transport, k.end.why
}

// Warm reports whether the kernel was forked from a Server.
func (k *Kernel) Warm() bool { _, cold := k.proc.(*proc.Child); return !cold }

// ColdReason is why a Server started this kernel cold; else it is empty.
func (k *Kernel) ColdReason() string { return k.cold }

// Prefix returns the cells that were executed before this kernel was forked:
// they are done, and their messages belong in its document as well. It is empty
// for a cold kernel, even one that a Server with a prefix has started.
func (k *Kernel) Prefix() []PrefixCell { return k.prefix }

// Dropped is the number of messages refused so far because they were
// malformed or not signed.
func (k *Kernel) Dropped() int64 { return k.dropped.Load() }

// Done is closed when the process has ended and Exit is known.
func (k *Kernel) Done() <-chan struct{} { return k.done }

// Exit waits for the process to end and returns how it did.
func (k *Kernel) Exit() Exit {
	<-k.done
	return k.exit
}

// ExecuteOptions of one cell.
type ExecuteOptions struct {
	StopOnError bool // let the kernel abort requests queued behind a failing one
}

// Reply is the kernel's answer to one cell.
type Reply struct {
	MsgID          string // of the request
	Status         string // ok, error or aborted
	ExecutionCount int
	Ename, Evalue  string
	Traceback      []string
	Content        json.RawMessage // the whole reply, payloads included
	Sent           time.Time
	Replied, Idle  time.Time // when reply and idle arrived
	NoIdle         bool      // the kernel sent no idle status after its reply
}

// Execute runs code and returns when the kernel has replied and is idle again.
//
// on receives, in order and on the calling goroutine, every message that
// arrives meanwhile, the reply and those of other parents (late output,
// threads) included. The error is a *DeadError when the process ended, after
// all it had sent was passed on, or the context's: then the cell may still be
// running.
func (k *Kernel) Execute(ctx context.Context, code string, o ExecuteOptions, on func(Message)) (Reply, error) {
	content, err := json.Marshal(map[string]any{
		"code": code, "silent": false, "store_history": true,
		"user_expressions": map[string]any{}, "allow_stdin": false, "stop_on_error": o.StopOnError,
	})
	if err != nil {
		return Reply{}, fmt.Errorf("encode cell: %w", err)
	}
	k.busy.Store(true)
	header := k.shell.Header("execute_request")
	r := Reply{MsgID: header.MsgID, Sent: time.Now()}
	if err := k.shell.Send(Message{Header: header, Content: content}); err != nil {
		return r, k.lost(on)
	}
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		m, ok := k.box.take()
		if ok {
			r.note(m)
			on(m)
			if r.over() {
				k.busy.Store(false)
				k.meter.Sample(false)
				return r, nil
			}
			quiet.Reset(silence)
			continue
		}
		select {
		case <-k.box.more:
		case <-k.box.ended:
			return r, k.lost(on)
		case <-k.done:
			return r, k.lost(on)
		case <-ctx.Done():
			return r, ctx.Err()
		case <-quiet.C:
			if !r.Replied.IsZero() {
				r.NoIdle = true
				return r, nil
			}
			quiet.Reset(silence)
		}
	}
}

// note folds one message into the reply if it concerns the request.
func (r *Reply) note(m Message) {
	if m.Parent.MsgID != r.MsgID {
		return
	}
	switch m.Header.MsgType {
	case "execute_reply":
		var c struct {
			Status         string   `json:"status"`
			ExecutionCount int      `json:"execution_count"`
			Ename          string   `json:"ename"`
			Evalue         string   `json:"evalue"`
			Traceback      []string `json:"traceback"`
		}
		// A field of a foreign type leaves the others.
		_ = json.Unmarshal(m.Content, &c)
		r.Status, r.ExecutionCount = c.Status, c.ExecutionCount
		r.Ename, r.Evalue, r.Traceback = c.Ename, c.Evalue, c.Traceback
		if r.Status == "abort" { // the word of protocol versions before 5.1
			r.Status = "aborted"
		}
		r.Content, r.Replied = m.Content, m.Received
	case "status":
		if m.Channel == wire.IOPub && stateOf(m) == "idle" {
			r.Idle = m.Received
		}
	}
}

func (r *Reply) over() bool { return !r.Replied.IsZero() && !r.Idle.IsZero() }

func stateOf(m Message) string {
	var c struct {
		State string `json:"execution_state"`
	}
	_ = json.Unmarshal(m.Content, &c)
	return c.State
}

// lost passes on what a dying kernel has sent and waits for its end.
func (k *Kernel) lost(on func(Message)) error {
	// Sockets may close some time before the process has left.
	t := time.NewTimer(5 * time.Second)
	defer t.Stop()
	select {
	case <-k.done:
	case <-t.C:
		k.broke("it closed its channels and went on")
		<-k.done
	}
	d := time.NewTimer(drainGrace)
	defer d.Stop()
	for {
		if m, ok := k.box.take(); ok {
			on(m)
			continue
		}
		select {
		case <-k.box.more:
			continue
		case <-k.box.ended:
		case <-d.C:
		}
		break
	}
	for m, ok := k.box.take(); ok; m, ok = k.box.take() {
		on(m)
	}
	return &DeadError{Exit: k.exit}
}

// UpdateComm sends the kernel's side of a comm new state, a JSON object, as the
// widgets of a front end do. The kernel takes it before the next cell. What it
// says about it comes with the next cell's messages, with the id returned as the
// parent.
func (k *Kernel) UpdateComm(comm string, state json.RawMessage) (id string, err error) {
	content, err := json.Marshal(map[string]any{
		"comm_id": comm, "data": map[string]any{"method": "update", "state": state, "buffer_paths": []any{}},
	})
	if err != nil {
		return "", fmt.Errorf("encode the state of comm %s: %w", comm, err)
	}
	h := k.shell.Header("comm_msg")
	if err := k.shell.Send(Message{Header: h, Content: content}); err != nil {
		return "", fmt.Errorf("update comm %s: %w", comm, err)
	}
	return h.MsgID, nil
}

// Drain passes to on the messages that arrive within d, as output of threads
// does between cells.
func (k *Kernel) Drain(d time.Duration, on func(Message)) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		for m, ok := k.box.take(); ok; m, ok = k.box.take() {
			on(m)
		}
		select {
		case <-k.box.more:
		case <-k.box.ended:
			for m, ok := k.box.take(); ok; m, ok = k.box.take() {
				on(m)
			}
			return
		case <-t.C:
			return
		}
	}
}

// Interrupt stops the running cell in the way the specification names: SIGINT
// to the group, or a message.
func (k *Kernel) Interrupt() error {
	if k.spec.InterruptMode == "message" {
		return k.command("interrupt_request", nil)
	}
	k.proc.Signal(syscall.SIGINT)
	return nil
}

// Terminate sends SIGTERM to the kernel's process group.
func (k *Kernel) Terminate() {
	k.asked.Store(true)
	k.proc.Signal(syscall.SIGTERM)
}

// Kill ends the kernel, its group and its strayed children at once.
func (k *Kernel) Kill() {
	k.asked.Store(true)
	k.proc.Signal(syscall.SIGKILL)
	proc.KillMarked(k.id)
}

// request sends a message that is not a cell.
func (k *Kernel) request(c sender, msgType string, content json.RawMessage) error {
	h := c.Header(msgType)
	k.own.Store(h.MsgID, true)
	if err := c.Send(Message{Header: h, Content: content}); err != nil {
		return fmt.Errorf("send %s: %w", msgType, err)
	}
	return nil
}

// command sends a request on the control channel.
func (k *Kernel) command(msgType string, content json.RawMessage) error {
	k.controlMu.Lock()
	defer k.controlMu.Unlock()
	if k.control == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, err := k.dialOne(ctx, wire.Control)
		if err != nil {
			return err
		}
		k.control = c
	}
	return k.request(k.control, msgType, content)
}

// Close ends the kernel: it asks, waits up to grace, sends SIGTERM, waits half
// a second at most, and kills. It always reaps, kills what the kernel left
// behind, and may be called again: later calls wait for the first.
func (k *Kernel) Close(grace time.Duration) Exit {
	k.closeOnce.Do(func() {
		defer close(k.closeDone)
		k.stop(grace)
		k.release()
	})
	<-k.closeDone
	return k.exit
}

func (k *Kernel) stop(grace time.Duration) {
	k.meter.Sample(true)
	select {
	case <-k.done:
		return
	default:
	}
	k.asked.Store(true)
	if grace > 0 && k.requestShutdown() == nil {
		if proc.WaitFor(k.done, grace) {
			return
		}
		k.proc.Signal(syscall.SIGTERM)
		if proc.WaitFor(k.done, min(grace, termGrace)) {
			return
		}
	}
	k.proc.Signal(syscall.SIGKILL)
	<-k.done
}

// requestShutdown sends a shutdown request. An idle ipykernel, and what is built on
// it, gets it on shell: on control its thread may wait for ever for an output
// thread that the main thread has already stopped.
func (k *Kernel) requestShutdown() error {
	content := json.RawMessage(`{"restart":false}`)
	if k.spec.IsPython() && !k.busy.Load() && k.shell != nil {
		return k.request(k.shell, "shutdown_request", content)
	}
	return k.command("shutdown_request", content)
}

// release frees what the kernel held on our side.
func (k *Kernel) release() {
	k.controlMu.Lock()
	conns := []sender{k.shell, k.control, k.stdin, k.iopub}
	k.controlMu.Unlock()
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	if k.pipe != nil {
		k.pipe.Close()
	}
	k.readers.Wait()
	if k.end != nil {
		k.end.remove()
	}
}

// broke kills a process that does not speak the protocol.
func (k *Kernel) broke(why string) {
	k.fault.CompareAndSwap(nil, &why)
	k.proc.Signal(syscall.SIGKILL)
}

// watch turns the end of the process into an Exit.
func (k *Kernel) watch(env proc.OOMWatch) {
	<-k.proc.Reaped()
	k.meter.Stop()
	proc.KillMarked(k.id)
	e := k.proc.Ended()
	x := Exit{Code: e.Code, CPU: e.CPU, Asked: k.asked.Load(), PeakRSS: k.meter.Peak(e.MaxRSS)}
	if e.Signal != 0 {
		x.Code, x.Signal = -1, e.Signal.String()
	}
	if why := k.meter.Exceeded(); why != "" {
		x.OOM, x.Reason, x.Asked = true, why, false
	} else if e.Signal == syscall.SIGKILL && !x.Asked {
		x.Reason = env.Happened(k.proc.Pid())
		x.OOM = x.Reason != ""
	}
	if why := k.fault.Load(); why != nil && !x.OOM && !x.Asked {
		x.Reason = *why
	}
	x.LogTail = k.log.Finish()
	k.exit = x
	close(k.done)
}

// Marker is the environment variable that names the kernel a process belongs
// to. Children inherit it, also those that leave the kernel's session.
const Marker = proc.Marker

// KillMarked kills every process whose environment names the kernel id, and
// returns how many. It finds what a kernel of a process long dead left behind;
// an id is never given twice. Linux only: elsewhere it finds nothing.
func KillMarked(id string) int { return proc.KillMarked(id) }
