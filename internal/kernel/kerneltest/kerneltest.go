// Package kerneltest is a fake Jupyter kernel that speaks the real wire, so
// that most tests need no Python.
//
// The fake is a process of the test's own binary: Main, called first in
// TestMain, becomes the kernel when the process was started as one.
// InstallSpec writes the specification for JUPYTER_PATH. What a cell does is
// written in its source, a line each; lines not in this list are ignored, but
// NAME = VALUE assigns, and $NAME stands for the value in any argument:
//
//	print TEXT · stderr TEXT      a line of output
//	display MIME DATA             display_data; DATA is JSON or text
//	show ID MIME DATA             display_data with a display_id
//	update ID MIME DATA           update_display_data
//	clear [wait]                  clear_output
//	result TEXT                   execute_result
//	scrap NAME JSON               a scrap in scrapbook's form
//	error NAME MESSAGE            raise: an error output, the cell ends
//	exit-cell                     raise SystemExit: 0
//	fail-silently                 reply with an error, without an error output
//	input PROMPT                  ask, or fail when nobody may be asked
//	send TYPE JSON                any message on iopub
//	spam N [TEXT]                 N lines, a message each
//	big N                         one message with N bytes of text
//	late DURATION TEXT            output after the cell has ended, with its parent
//	orphan TEXT                   output without a parent
//	malformed                     messages that a client must reject
//	sleep DURATION · hang         wait; SIGINT raises KeyboardInterrupt
//	busy DURATION                 use the processor
//	alloc N                       keep N bytes in use
//	ignore-interrupt · ignore-term · ignore-shutdown
//	die SIGNAL · exit CODE        end the process, by number
//	fork-grandchild [setsid]      leave a process behind; prints its number
//	pwd · env NAME · cat FILE · append FILE TEXT · pid
//	close-stdout · log TEXT       the process's own standard output
//	no-reply · no-idle            leave out the reply, or idle, of this cell
//	when VALUE1 VALUE2 LINE       LINE if the values are equal
//
// The environment variable FANOUT_FAKE_START (see InstallSpec) orders a start
// that fails: "fail TEXT", "hang", "sleep DURATION", "tcp-only".
//
// It promises the protocol's order: busy, execute_input, outputs, reply, idle.
// It does not evaluate any language.
package kerneltest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const (
	modeEnv  = "FANOUT_FAKE_KERNEL"
	startEnv = "FANOUT_FAKE_START"
)

// Main becomes a fake kernel, and never returns, if this process was started
// as one. Call it first in TestMain and in programs run by testscript.
func Main() {
	switch os.Getenv(modeEnv) {
	case "kernel":
		if len(os.Args) == 2 {
			os.Exit(Run(os.Args[1]))
		}
	case "grandchild":
		if len(os.Args) == 1 {
			grandchild()
		}
	}
}

// InstallSpec writes kernels named "fake" (interrupted by a signal) and
// "fakemsg" (by a message) under dir, for JUPYTER_PATH=dir. They run this
// process's program. env is added to the kernels' environment.
func InstallSpec(dir string, env map[string]string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	// The race detector would make every exit a second long.
	all := map[string]string{modeEnv: "kernel", "GORACE": "atexit_sleep_ms=0"}
	for k, v := range env {
		all[k] = v
	}
	for name, mode := range map[string]string{"fake": "signal", "fakemsg": "message"} {
		spec, err := json.MarshalIndent(map[string]any{
			"argv": []string{exe, "{connection_file}"}, "display_name": "Fake", "language": "python",
			"interrupt_mode": mode, "env": all,
		}, "", " ")
		if err != nil {
			return err
		}
		d := filepath.Join(dir, "kernels", name)
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(d, "kernel.json"), spec, 0o644); err != nil {
			return err
		}
	}
	return nil
}
