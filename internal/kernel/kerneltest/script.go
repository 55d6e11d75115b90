package kerneltest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
)

// An execution is one cell on its way.
type execution struct {
	*fake
	parent          wire.Header
	stdin           bool // somebody may be asked
	noReply, noIdle bool
	after           []func() // once the cell has ended
}

var (
	assignment = regexp.MustCompile(`^([A-Za-z_]\w*)\s*(?::[^=]*)?=\s*([^=].*)$`)
	variable   = regexp.MustCompile(`\$[A-Za-z_]\w*`)
)

// directives by the first word of a line. arg is the rest, variables replaced.
var directives map[string]func(x *execution, arg string) *raised

func init() {
	directives = map[string]func(x *execution, arg string) *raised{
		"print":   func(x *execution, arg string) *raised { x.stream("stdout", arg+"\n"); return nil },
		"stderr":  func(x *execution, arg string) *raised { x.stream("stderr", arg+"\n"); return nil },
		"display": func(x *execution, arg string) *raised { x.display("display_data", "", arg); return nil },
		"show":    func(x *execution, arg string) *raised { x.displayID("display_data", arg); return nil },
		"update":  func(x *execution, arg string) *raised { x.displayID("update_display_data", arg); return nil },
		"clear": func(x *execution, arg string) *raised {
			x.publish(x.parent, "clear_output", map[string]any{"wait": arg == "wait"})
			return nil
		},
		"result": func(x *execution, arg string) *raised {
			x.publish(x.parent, "execute_result", map[string]any{
				"data": map[string]any{"text/plain": arg}, "metadata": map[string]any{}, "execution_count": x.count})
			return nil
		},
		"scrap": (*execution).scrap,
		"error": func(_ *execution, arg string) *raised {
			name, message, _ := strings.Cut(arg, " ")
			return &raised{ename: name, evalue: message}
		},
		"exit-cell": func(*execution, string) *raised { return &raised{ename: "SystemExit", evalue: "0"} },
		"fail-silently": func(*execution, string) *raised {
			return &raised{ename: "UsageError", evalue: "no such magic", silent: true}
		},
		"input": (*execution).input,
		"send": func(x *execution, arg string) *raised {
			kind, content, _ := strings.Cut(arg, " ")
			x.publish(x.parent, kind, json.RawMessage(content))
			return nil
		},
		"spam": (*execution).spam,
		"big": func(x *execution, arg string) *raised {
			x.stream("stdout", strings.Repeat("x", number(arg)))
			return nil
		},
		"late": func(x *execution, arg string) *raised {
			wait, text, _ := strings.Cut(arg, " ")
			d := duration(wait)
			x.after = append(x.after, func() { time.Sleep(d); x.stream("stdout", text+"\n") })
			return nil
		},
		"orphan": func(x *execution, arg string) *raised {
			x.publish(wire.Header{}, "stream", map[string]any{"name": "stdout", "text": arg + "\n"})
			return nil
		},
		"malformed":        (*execution).malformed,
		"sleep":            func(x *execution, arg string) *raised { return x.wait(time.After(duration(arg))) },
		"hang":             func(x *execution, _ string) *raised { return x.wait(nil) },
		"busy":             func(x *execution, arg string) *raised { return x.busy(duration(arg)) },
		"alloc":            (*execution).alloc,
		"ignore-interrupt": func(x *execution, _ string) *raised { x.ignoreInterrupt.Store(true); return nil },
		"ignore-term":      func(*execution, string) *raised { signal.Ignore(syscall.SIGTERM); return nil },
		"ignore-shutdown":  func(x *execution, _ string) *raised { x.ignoreShutdown.Store(true); return nil },
		"die": func(_ *execution, arg string) *raised {
			signal.Reset()
			syscall.Kill(os.Getpid(), syscall.Signal(number(arg)))
			select {}
		},
		"exit":            func(_ *execution, arg string) *raised { os.Exit(number(arg)); return nil },
		"fork-grandchild": (*execution).grandchild,
		"pwd":             func(x *execution, _ string) *raised { d, _ := os.Getwd(); x.stream("stdout", d+"\n"); return nil },
		"env":             func(x *execution, arg string) *raised { x.stream("stdout", os.Getenv(arg)+"\n"); return nil },
		"pid":             func(x *execution, _ string) *raised { x.stream("stdout", fmt.Sprintln(os.Getpid())); return nil },
		"cat":             (*execution).cat,
		"append":          (*execution).appendFile,
		"log":             func(_ *execution, arg string) *raised { fmt.Println(arg); return nil },
		"close-stdout":    func(*execution, string) *raised { os.Stdout.Close(); os.Stderr.Close(); return nil },
		"no-reply":        func(x *execution, _ string) *raised { x.noReply = true; return nil },
		"no-idle":         func(x *execution, _ string) *raised { x.noIdle = true; return nil },
		"when": func(x *execution, arg string) *raised {
			f := strings.SplitN(arg, " ", 3)
			if len(f) == 3 && f[0] == f[1] {
				return x.line(f[2])
			}
			return nil
		},
	}
}

// line executes one line.
func (x *execution) line(line string) *raised {
	word, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	if do := directives[word]; do != nil && !strings.HasPrefix(arg, "= ") {
		return do(x, variable.ReplaceAllStringFunc(arg, x.value))
	}
	if m := assignment.FindStringSubmatch(line); m != nil {
		x.vars[m[1]] = pythonValue(m[2])
	}
	return nil
}

func (x *execution) value(name string) string {
	if v, ok := x.vars[name[1:]]; ok {
		return v
	}
	return name
}

// pythonValue turns a Python literal into the JSON of its value, strings into
// their text; anything else stays as it is.
func pythonValue(s string) string {
	s = strings.TrimSpace(s)
	switch s {
	case "True", "False":
		return strings.ToLower(s)
	case "None":
		return "null"
	}
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		if t, err := strconv.Unquote(`"` + s[1:len(s)-1] + `"`); err == nil {
			return t
		}
		return s[1 : len(s)-1]
	}
	return s
}

func number(s string) int {
	n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	if err != nil {
		panic("not a number: " + s)
	}
	return n
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// jsonOr reads s as JSON, else as text.
func jsonOr(s string) any {
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	return s
}

func (x *execution) stream(name, text string) {
	x.publish(x.parent, "stream", map[string]any{"name": name, "text": text})
}

func (x *execution) displayID(kind, arg string) {
	id, rest, _ := strings.Cut(arg, " ")
	x.display(kind, id, rest)
}

func (x *execution) display(kind, id, arg string) {
	mime, data, _ := strings.Cut(arg, " ")
	transient := map[string]any{}
	if id != "" {
		transient["display_id"] = id
	}
	var value any = data
	if strings.HasSuffix(mime, "json") {
		value = jsonOr(data)
	}
	x.publish(x.parent, kind, map[string]any{"data": map[string]any{mime: value}, "metadata": map[string]any{}, "transient": transient})
}

func (x *execution) scrap(arg string) *raised {
	name, value, _ := strings.Cut(arg, " ")
	encoder, data := "json", jsonOr(value)
	switch data {
	case "NaN", "Infinity", "-Infinity": // numbers, which kernels write as texts
	default:
		if _, text := data.(string); text {
			encoder = "text"
		}
	}
	x.publish(x.parent, "display_data", map[string]any{
		"data": map[string]any{"application/scrapbook.scrap." + encoder + "+json": map[string]any{
			"name": name, "data": data, "encoder": encoder, "version": 1}},
		"metadata":  map[string]any{"scrapbook": map[string]any{"name": name, "data": true, "display": false}},
		"transient": map[string]any{},
	})
	return nil
}

func (x *execution) input(prompt string) *raised {
	if !x.stdin {
		return &raised{ename: "StdinNotImplementedError",
			evalue: "raw_input was called, but this frontend does not support input requests."}
	}
	x.mu.Lock()
	c := x.fake.stdin
	x.mu.Unlock()
	c.Send(wire.Message{Header: x.codec.Header("input_request"), Parent: x.parent, Content: encode(map[string]any{"prompt": prompt, "password": false})})
	x.vars["answer"] = <-x.asking
	return nil
}

func (x *execution) spam(arg string) *raised {
	count, text, _ := strings.Cut(arg, " ")
	for i := range number(count) {
		x.stream("stdout", fmt.Sprintf("%d %s\n", i, text))
	}
	return nil
}

// malformed sends what a client must drop: no delimiter, no signature, the
// signature of other bytes, and a signed header that is not JSON.
func (x *execution) malformed(string) *raised {
	m := wire.Message{Header: x.codec.Header("stream"), Parent: x.parent, Content: encode(map[string]any{"name": "stdout", "text": "do not believe me\n"})}
	good, _ := x.codec.Encode(m)
	unsigned := append([][]byte{good[0], {}}, good[2:]...)
	forged := append([][]byte{good[0], []byte(strings.Repeat("0", 64))}, good[2:]...)
	x.each(func(c *wire.Conn) {
		c.SendFrames([][]byte{[]byte("garbage")})
		c.SendFrames(unsigned)
		c.SendFrames(forged)
		c.SendFrames(good[:3])
	})
	return nil
}

// wait blocks until c or an interrupt.
func (x *execution) wait(c <-chan time.Time) *raised {
	select {
	case <-c:
		return nil
	case <-x.interrupt:
		return &raised{ename: "KeyboardInterrupt"}
	}
}

func (x *execution) busy(d time.Duration) *raised {
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-x.interrupt:
			return &raised{ename: "KeyboardInterrupt"}
		default:
			runtime.Gosched()
		}
	}
	return nil
}

// alloc holds memory. The race detector would add as much again for its own
// notes of the writes.
//
//go:norace
func (x *execution) alloc(arg string) *raised {
	b := make([]byte, number(arg))
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	x.held = append(x.held, b)
	return nil
}

// grandchild leaves a process behind that outlives everything that does not
// look for it.
func (x *execution) grandchild(arg string) *raised {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := &exec.Cmd{
		Path: exe, Args: []string{"grandchild"},
		Env:         append(os.Environ(), modeEnv+"=grandchild"),
		SysProcAttr: &syscall.SysProcAttr{Setsid: arg == "setsid"},
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	x.stream("stdout", fmt.Sprintln(cmd.Process.Pid))
	return nil
}

// grandchild ignores all it can and stays.
func grandchild() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	time.Sleep(time.Hour)
	os.Exit(0)
}

func (x *execution) cat(name string) *raised {
	b, err := os.ReadFile(name)
	if err != nil {
		return &raised{ename: "FileNotFoundError", evalue: err.Error()}
	}
	x.stream("stdout", string(b))
	return nil
}

func (x *execution) appendFile(arg string) *raised {
	name, text, _ := strings.Cut(arg, " ")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text + "\n")
		f.Close()
	}
	if err != nil {
		return &raised{ename: "OSError", evalue: err.Error()}
	}
	return nil
}
