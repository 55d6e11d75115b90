package kernel_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// likeCold are notebooks whose messages must not depend on how the kernel was
// started, nor on what carries them. Text that ends in "# interrupt" is interrupted.
var likeCold = map[string][]string{
	"streams": {
		"print('a'); import sys; print('b', file=sys.stderr); print('c')",
		"for i in range(1000): print(i, end=' ')",
		"print('x' * 3_000_000)",
		"print('a', flush=True); print('b', end='', flush=True); print('\\r50%\\r100%')",
		"print('é\\u2028\\U0001f600'); sys.stdout.write(''); sys.stdout.writelines(['1', '2'])",
		"sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.name, sys.stdout.writable(), type(sys.stdout).__name__, sys.stdout.closed",
		"try: sys.stdout.write(1)\nexcept TypeError as e: print(e)",
		"print('\\udcff')",
	},
	"errors": {
		"1/0", "def f(): raise ValueError('bad')\nf()", "x = (", "raise SystemExit(3)", "import nowhere", "%nomagic", "raise KeyboardInterrupt()",
		"class E(Exception):\n    def __str__(self): raise RuntimeError('no text')\nraise E()", "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])",
		"class R:\n    def __repr__(self): raise ValueError('no repr')\nR()", "assert False, 'why'",
	},
	"rich": {
		"from IPython.display import *\nh = display(HTML('<b>1</b>'), display_id='d'); print('between'); display(Markdown('*m*'))",
		"h.update(HTML('<b>2</b>')); clear_output(wait=True)",
		"display(JSON({'a': [1]}), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'), Latex('$x$'), Javascript('1'))",
		"display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + bytes(100), format='png'))",
		"publish_display_data({'application/x-own+json': {'a': 1}, 'text/plain': 't'}, metadata={'m': {'n': 1}})",
		"1+1", "_ + 1", "x = 5; x;", "{'a': list(range(100))}", "display({'text/plain': 'raw'}, raw=True)", "None",
		"%%capture cap\nprint('hidden'); display(HTML('h'))", "print(cap.stdout, len(cap.outputs))",
	},
	"figures": {
		"%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])", "plt.hist([1, 1, 2]); plt.show(); print('after')",
		"fig, ax = plt.subplots(); plt.close(fig); fig", "%config InlineBackend.figure_format = 'svg'",
	},
	"async": {
		"import asyncio\nawait asyncio.sleep(0.01); print('awaited')",
		"async def later():\n    await asyncio.sleep(0.05)\nt = asyncio.get_running_loop().create_task(later())",
		"await t", "async with asyncio.timeout(5): print(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2)))",
		"async for i in (j async for j in (k async for k in _g())): pass",
		"asyncio.run(asyncio.sleep(0))", "proc = await asyncio.create_subprocess_exec('echo', 'from a child'); await proc.wait()",
		"loop = asyncio.get_running_loop(); loop.call_soon(print, 'soon'); loop.call_later(0.02, print, 'later'); await asyncio.sleep(0.1)",
		"await asyncio.to_thread(print, 'in a thread')", "await asyncio.sleep(0); 1/0",
		"import contextvars; v = contextvars.ContextVar('v', default=0); v.set(1); v.get()", "v.get()",
	},
	"late": { // what is written between cells belongs to the cell before
		"import asyncio, threading, time",
		"async def tick():\n    await asyncio.sleep(0.1)\n    print('tick')\nt = asyncio.ensure_future(tick())",
		"# wait",
		"x = threading.Timer(0.1, lambda: print('from a timer')); x.start()",
		"# wait",
	},
	"threads": {
		"import threading\ndef f():\n    print('in a thread'); import sys; print('err', file=sys.stderr)\nt = threading.Thread(target=f); t.start(); t.join()",
		"from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as e: print(sum(e.map(abs, range(100))))",
		"from IPython.display import display, HTML\nt = threading.Thread(target=lambda: display(HTML('from a thread')), name='own'); t.start(); t.join()",
		"def many(n):\n    for i in range(200): print('x' * 50 + '\\n', end='')\nts = [threading.Thread(target=many, args=(0,)) for i in range(4)]\n[t.start() for t in ts]; [t.join() for t in ts];",
		"def fail(): raise ValueError('in a thread')\nt = threading.Thread(target=fail, name='own'); t.start(); t.join()",
		"import time\nt = threading.Thread(target=lambda: (time.sleep(0.1), print('slow'))); t.start(); t.join()",
	},
	"descriptors": {
		"import os, sys, subprocess, ctypes, time\nget_ipython().events.register('post_execute', lambda: time.sleep(0.3)) # what threads read from a descriptor, they may read late", "n = os.write(1, b'by number\\n')", "os.write(2, b'to 2\\n');",
		"print('before'); sys.stdout.flush(); os.system('echo from a shell; echo err >&2');",
		"subprocess.run(['echo', 'inherits']);", "subprocess.run('echo $((1+1)); exit 3', shell=True).returncode",
		"libc = ctypes.CDLL(None); libc.puts(b'from C'); libc.fflush(None);", "p = subprocess.Popen(['echo', 'piped'], stdout=subprocess.PIPE, text=True); p.communicate()[0]",
		"os.system('head -c 300000 /dev/zero | tr \"\\\\0\" y');", "fd = os.dup(1); os.close(fd); print('still')",
	},
	"magics": {
		"!echo a shell; exit 3", "_exit_code", "files = !echo one two\nfiles", "%%bash\necho out\necho err >&2", "%%bash\nexit 2", "%%sh\necho $0", "%%script python3\nprint('script')",
		"%who", "%precision 3\n3.14159", "?print", "%timeit -n1 -r1 pass", "%%writefile t.py\nx = 1", "%run t.py", "x", "%env FANOUT_X=1", "%%html\n<b>1</b>", "%history -n 1-2",
		"%xmode plain\n1/0", "%reset -f", "x", "%lsmagic -q",
	},
	"logging": {
		"import logging; logging.getLogger().error('logged')", "logging.basicConfig(level=logging.INFO, force=True); logging.info('info')", "import warnings; warnings.warn('careful')",
		"import sys; logging.getLogger('own').addHandler(logging.StreamHandler(sys.stdout)); logging.getLogger('own').warning('to stdout')",
	},
	"progress": {
		"from tqdm import tqdm\nfor i in tqdm(range(3), bar_format='{n}'): pass", "for i in range(3): print('\\r%d' % i, end='')", "from tqdm.auto import trange\nfor i in trange(2, mininterval=100, bar_format='{n}', disable=False, file=__import__('sys').stdout): pass",
	},
	"input": {
		"input('name?')", "import getpass; getpass.getpass()", "print('alive')", "import sys; sys.stdin.readline()", "breakpoint()",
	},
	"payload": {"%load_ext autoreload", "%set_next_input x", "get_ipython().set_next_input('next')", "%page print", "import os; help(os.getcwd)"},
	"comms": {
		"from comm import create_comm\nc = create_comm(target_name='t', data={'a': 1}, metadata={'m': 1}, buffers=[b'one', memoryview(b'two')])",
		"c.send({'b': 2}, buffers=[bytes(100000)]); c.close({'c': 3})", "get_ipython().kernel.comm_manager.comms",
		"print('text'); c = create_comm(target_name='u'); print('more')",
		"k = get_ipython().kernel; _ = k.send_response(k.iopub_socket, 'display_data', {'data': {'text/plain': 'own'}, 'metadata': {}})",
		"_ = k.session.send(k.iopub_socket, 'display_data', {'data': {'text/plain': 'own too'}, 'metadata': {}}, parent=k.get_parent())",
		"type(k.iopub_socket).__name__, type(k.iopub_thread).__mro__[-2].__name__, k.shell_stream is not None, type(k.session).__name__, k.io_loop is not None, type(k.comm_manager).__name__",
		"sorted(k.get_parent()['header'])", "import zmq; k.iopub_thread.socket.getsockopt(zmq.SNDHWM)",
	},
	"forks": {
		"import os, sys, multiprocessing as mp, warnings; time, warnings; warnings.simplefilter('ignore')\nget_ipython().events.register('post_execute', lambda: time.sleep(0.3)) # a fork may copy text that was not sent yet\nfork = mp.get_context('fork')",
		"p = fork.Process(target=print, args=('from a fork',)); p.start(); p.join(); p.exitcode",
		"with fork.Pool(2) as pool: print(pool.map(abs, range(-3, 0)))",
		"pid = os.fork()\nif pid == 0:\n    print('child'); sys.stdout.flush(); os._exit(3)\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])",
		"def work(i): print('worker', 'y' * 100000); return i\nwith fork.Pool(1) as pool: print(pool.map(work, range(3)))",
		"pid = os.fork()\nif pid == 0:\n    os.system('echo of the child'); os._exit(0)\nos.waitpid(pid, 0)[1]",
		"pid = os.fork()\nif pid == 0:\n    if os.fork() == 0:\n        print('grandchild'); sys.stdout.flush(); os._exit(0)\n    os.wait(); os._exit(0)\nos.waitpid(pid, 0)[1]",
		"from subprocess import run\nrun(['echo', 'after'], preexec_fn=lambda: None).returncode",
	},
	"interrupts": {
		"import time\nprint('begins'); time.sleep(60) # interrupt", "print('alive')",
		"import asyncio; await asyncio.sleep(2) # interrupt", "print('alive')",
		"while True: pass # interrupt", "print('alive')",
		"try: time.sleep(60)\nexcept KeyboardInterrupt: print('caught') # interrupt",
		"import subprocess; subprocess.run(['sleep', '60']) # interrupt", "import threading; threading.Event().wait() # interrupt", "print('alive')",
	},
	"signals": {
		"import signal, time\ndef f(n, s): raise TimeoutError('alarm')\nsignal.signal(signal.SIGALRM, f); signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(10)",
		"signal.setitimer(signal.ITIMER_REAL, 0.05)\ntry:\n    while True: pass\nexcept TimeoutError: print('timed out')",
		"signal.getsignal(signal.SIGINT) is signal.default_int_handler",
	},
	"hooks": {
		"ip = get_ipython()\ndef after(r): print('after', r.success)\nip.events.register('post_run_cell', after)", "1", "ip.events.unregister('post_run_cell', after)",
		"import sys; sys.displayhook, type(sys.displayhook).__name__", "import atexit; atexit.register(print, 'late') is print", "import builtins; builtins.input is not None",
	},
}

var masks = regexp.MustCompile(`ipykernel_\d+/\d+|0x[0-9a-f]+|"\d{4}-\d\d-\d\dT[^"]*"|[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|\d+(\.\d+)? [mnµμ]?s\b|\(\d+\)`)

// readBook runs cells and returns what belongs to each, by cell and channel: the
// order of two channels is nobody's promise.
func readBook(t *testing.T, k *kernel.Kernel, cells []string) map[string][]string {
	t.Helper()
	var all []kernel.Message
	on := func(m kernel.Message) { all = append(all, m) }
	for _, code := range cells {
		if code == "# wait" {
			k.Drain(700*time.Millisecond, on)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := k.Execute(ctx, code, kernel.ExecuteOptions{}, func(m kernel.Message) {
			on(m)
			if m.Header.MsgType == "execute_input" && strings.HasSuffix(code, "# interrupt") {
				time.AfterFunc(500*time.Millisecond, func() { k.Interrupt() })
			}
		})
		if err != nil {
			t.Fatalf("%v: %s: %v", k.Warm(), code, err)
		}
		cancel()
	}
	k.Drain(300*time.Millisecond, on)
	cell := map[string]string{}
	for _, m := range all {
		if m.Header.MsgType == "execute_input" {
			cell[m.Parent.MsgID] = fmt.Sprintf("cell %02d", len(cell)+1)
		}
	}
	book, texts := map[string][]string{}, map[string]string{}
	for _, m := range all {
		at, known := cell[m.Parent.MsgID]
		if !known || m.Header.MsgType == "status" {
			continue
		}
		var content map[string]any
		if err := json.Unmarshal(m.Content, &content); err != nil {
			t.Fatal(err)
		}
		if m.Header.MsgType == "stream" { // it comes in pieces
			texts[at+" "+content["name"].(string)] += content["text"].(string)
			continue
		}
		delete(content, "engine_info")
		if len(m.Metadata) > 0 && m.Channel != "shell" {
			content["(metadata)"] = m.Metadata
		}
		if len(m.Buffers) > 0 {
			content["(buffers)"] = m.Buffers
		}
		text, _ := json.Marshal(content)
		book[at+" "+m.Channel] = append(book[at+" "+m.Channel], short(m.Header.MsgType+" "+string(text)))
	}
	for at, text := range texts {
		book[at] = []string{short(text)}
	}
	return book
}

// short masks what is different each time, and what is too long to read.
func short(s string) string {
	s = masks.ReplaceAllLiteralString(s, "…")
	if len(s) > 2000 {
		s = fmt.Sprintf("%s… %d bytes %x", s[:200], len(s), sha256.Sum256([]byte(s)))
	}
	return s
}

// TestEveryStartGivesTheSameMessages compares kernels started cold, forked with
// ZeroMQ's sockets, and forked without.
func TestEveryStartGivesTheSameMessages(t *testing.T) {
	spec := pythonSpec(t)
	zmq, pipe := serve(t, spec, kernel.ServerOptions{ZMQ: true}), serve(t, spec, kernel.ServerOptions{})
	if pipe.Mode != "P" || zmq.Mode != "K" {
		t.Fatalf("modes %s, %s because %s", zmq.Mode, pipe.Mode, pipe.ZMQ)
	}
	for name, cells := range likeCold {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := readBook(t, launch(t, spec, kernel.Options{Dir: t.TempDir()}), cells)
			for _, srv := range []*kernel.Server{zmq, pipe} {
				k := launchWarm(t, srv, kernel.Options{Dir: t.TempDir()})
				if d := cmp.Diff(want, readBook(t, k, cells)); d != "" {
					t.Errorf("(-cold +%s):\n%s", srv.Mode, d)
				}
				if x := k.Close(5 * time.Second); x.Code != 0 || x.Signal != "" {
					t.Errorf("%s: %s", srv.Mode, x)
				}
			}
		})
	}
}
