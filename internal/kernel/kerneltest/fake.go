package kerneltest

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
)

// A fake is one running fake kernel.
type fake struct {
	codec *wire.Codec
	count int
	vars  map[string]string
	held  [][]byte // memory of alloc

	mu    sync.Mutex
	subs  []*wire.Conn // iopub connections
	stdin *wire.Conn

	cells           chan cell
	interrupt       chan struct{}
	ignoreInterrupt atomic.Bool
	ignoreShutdown  atomic.Bool
	asking          chan string // answers to input requests
}

// A cell is an execute_request and where its reply goes.
type cell struct {
	m    wire.Message
	from *wire.Conn
}

// Run is the kernel of a connection file; it returns the exit status.
func Run(connectionFile string) int {
	if err := prelude(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	b, err := os.ReadFile(connectionFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var cf struct {
		Transport string `json:"transport"`
		IP        string `json:"ip"`
		Key       string `json:"key"`
		Shell     int    `json:"shell_port"`
		IOPub     int    `json:"iopub_port"`
		Stdin     int    `json:"stdin_port"`
		Control   int    `json:"control_port"`
	}
	if err := json.Unmarshal(b, &cf); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if cf.Transport == "ipc" && os.Getenv(startEnv) == "tcp-only" {
		fmt.Fprintln(os.Stderr, "unknown transport ipc")
		return 1
	}
	f := &fake{
		codec: wire.NewCodec([]byte(cf.Key)), vars: map[string]string{}, cells: make(chan cell, 100),
		interrupt: make(chan struct{}, 1), asking: make(chan string, 1),
	}
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGINT)
	go func() {
		for range sig {
			f.wake()
		}
	}()
	go f.run()
	for name, port := range map[string]int{wire.Control: cf.Control, wire.Stdin: cf.Stdin, wire.Shell: cf.Shell, wire.IOPub: cf.IOPub} {
		network, addr := "unix", cf.IP+"-"+strconv.Itoa(port)
		if cf.Transport == "tcp" {
			network, addr = "tcp", net.JoinHostPort(cf.IP, strconv.Itoa(port))
		}
		l, err := net.Listen(network, addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go f.accept(l, name)
	}
	select {}
}

// prelude does what FANOUT_FAKE_START orders.
func prelude() error {
	order, arg, _ := strings.Cut(os.Getenv(startEnv), " ")
	switch order {
	case "fail":
		return fmt.Errorf("%s", arg)
	case "hang":
		select {}
	case "sleep":
		d, err := time.ParseDuration(arg)
		time.Sleep(d)
		return err
	}
	return nil
}

// wake delivers an interrupt to whatever waits, or to nobody.
func (f *fake) wake() {
	if f.ignoreInterrupt.Load() {
		return
	}
	select {
	case f.interrupt <- struct{}{}:
	default:
	}
}

func (f *fake) accept(l net.Listener, channel string) {
	for {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			c, err := wire.Accept(raw, channel, f.codec)
			if err != nil {
				return
			}
			f.serve(c, channel)
		}()
	}
}

// serve handles one connection.
func (f *fake) serve(c *wire.Conn, channel string) {
	if channel == wire.IOPub {
		if _, err := c.ReceiveFrames(); err == nil { // the subscription
			f.mu.Lock()
			f.subs = append(f.subs, c)
			f.mu.Unlock()
		}
		return
	}
	if channel == wire.Stdin {
		f.mu.Lock()
		f.stdin = c
		f.mu.Unlock()
	}
	for {
		m, err := c.Receive()
		if wire.Dropped(err) {
			continue
		}
		if err != nil {
			return
		}
		f.handle(c, m)
	}
}

func (f *fake) handle(c *wire.Conn, m wire.Message) {
	switch m.Header.MsgType {
	case "execute_request":
		f.cells <- cell{m, c}
	case "kernel_info_request":
		f.publish(m.Header, "status", map[string]any{"execution_state": "busy"})
		f.reply(c, m, map[string]any{
			"status": "ok", "protocol_version": "5.3", "implementation": "fake", "implementation_version": "1",
			"banner": "", "language_info": map[string]any{"name": "python", "version": "3.11.7", "mimetype": "text/x-python", "file_extension": ".py"},
		})
		f.publish(m.Header, "status", map[string]any{"execution_state": "idle"})
	case "interrupt_request":
		f.reply(c, m, map[string]any{"status": "ok"})
		f.wake()
	case "shutdown_request":
		f.reply(c, m, map[string]any{"status": "ok", "restart": false})
		if !f.ignoreShutdown.Load() {
			os.Exit(0)
		}
	case "input_reply":
		var v struct {
			Value string `json:"value"`
		}
		_ = json.Unmarshal(m.Content, &v)
		f.asking <- v.Value
	}
}

func (f *fake) reply(c *wire.Conn, to wire.Message, content map[string]any) {
	h := f.codec.Header(strings.TrimSuffix(to.Header.MsgType, "_request") + "_reply")
	c.Send(wire.Message{Header: h, Parent: to.Header, Content: encode(content)})
}

// publish sends a message to every subscriber.
func (f *fake) publish(parent wire.Header, msgType string, content any) {
	f.publishMessage(wire.Message{Header: f.codec.Header(msgType), Parent: parent, Content: encode(content)})
}

func (f *fake) publishMessage(m wire.Message) {
	m.Identity = [][]byte{[]byte(m.Header.MsgType)}
	f.each(func(c *wire.Conn) { c.Send(m) })
}

func (f *fake) each(do func(*wire.Conn)) {
	f.mu.Lock()
	subs := f.subs
	f.mu.Unlock()
	for _, c := range subs {
		do(c)
	}
}

func encode(v any) json.RawMessage {
	if raw, ok := v.(json.RawMessage); ok {
		return raw
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// raised is what ends a cell early.
type raised struct {
	ename, evalue string
	silent        bool // no error output
}

// run executes cells, one after the other, for ever.
func (f *fake) run() {
	for c := range f.cells {
		f.cell(c)
	}
}

func (f *fake) cell(c cell) {
	var req struct {
		Code        string `json:"code"`
		AllowStdin  bool   `json:"allow_stdin"`
		StopOnError bool   `json:"stop_on_error"`
	}
	_ = json.Unmarshal(c.m.Content, &req)
	select { // an interrupt of the past
	case <-f.interrupt:
	default:
	}
	f.count++
	x := &execution{fake: f, parent: c.m.Header, stdin: req.AllowStdin}
	f.publish(x.parent, "status", map[string]any{"execution_state": "busy"})
	f.publish(x.parent, "execute_input", map[string]any{"code": req.Code, "execution_count": f.count})
	var r *raised
	for line := range strings.Lines(req.Code) {
		if r = x.line(strings.TrimRight(line, "\r\n")); r != nil {
			break
		}
	}
	content := map[string]any{"status": "ok", "execution_count": f.count, "payload": []any{}, "user_expressions": map[string]any{}}
	if r != nil {
		content["status"], content["ename"], content["evalue"] = "error", r.ename, r.evalue
		content["traceback"] = []string{r.ename + ": " + r.evalue}
		if !r.silent {
			f.publish(x.parent, "error", map[string]any{"ename": r.ename, "evalue": r.evalue, "traceback": content["traceback"]})
		}
	}
	if !x.noReply {
		f.reply(c.from, c.m, content)
	}
	if !x.noIdle {
		f.publish(x.parent, "status", map[string]any{"execution_state": "idle"})
	}
	for _, late := range x.after {
		go late()
	}
}
