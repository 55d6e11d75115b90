package kernel_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
)

// own is a module with what a configuration can put in place of ipykernel's.
const own = `
import json
from ipykernel.displayhook import ZMQDisplayHook
from ipykernel.iostream import OutStream
class Out(OutStream): pass
class Hook(ZMQDisplayHook): pass
def pack(o): return json.dumps(o, default=str).encode()
def unpack(b): return json.loads(b)
`

// Whatever is not known to work without ZeroMQ starts with it, says why, and works.
func TestWithoutZeroMQOnlyWhereThatIsKnownToWork(t *testing.T) {
	spec := pythonSpec(t)
	for name, c := range map[string]struct{ config, startup, why string }{
		"plain":            {"", "x = 1", ""},
		"listener":         {"", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()", "an extension or start-up file opens a socket"},
		"extension":        {"c.InteractiveShellApp.extensions = ['listening']", "", "an extension or start-up file opens a socket"},
		"untested release": {"", "import ipykernel; ipykernel.__version__ = '8.0.0'", "ipykernel 8.0.0 is not known to work without it"},
		"known to fail":    {"", "import ipykernel; ipykernel.__version__ = '7.0.1'", "ipykernel 7.0.1 is not known to work without it"},
		"unreadable":       {"", "import ipykernel; ipykernel.__version__ = 'dev'", "ipykernel dev is not known to work without it"},
		"streams":          {"c.IPKernelApp.outstream_class = 'own.Out'", "", "the configuration sets outstream_class"},
		"display hook":     {"c.IPKernelApp.displayhook_class = 'own.Hook'", "", "the configuration sets displayhook_class"},
		"packer":           {"c.Session.packer = 'own.pack'; c.Session.unpacker = 'own.unpack'", "", "the configuration changes how messages are written"},
		"method": {"", `
import ipykernel.kernelbase
plain = ipykernel.kernelbase.Kernel.finish_metadata
def finish_metadata(self, *args): return plain(self, *args)
ipykernel.kernelbase.Kernel.finish_metadata = finish_metadata`, "__main__ changes Kernel.finish_metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, lib := t.TempDir(), t.TempDir()
			profile := filepath.Join(home, "profile_default")
			if err := os.MkdirAll(filepath.Join(profile, "startup"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(lib, "own.py"), own)
			write(t, filepath.Join(lib, "listening.py"), "import socket\ndef load_ipython_extension(shell): shell.listener = socket.create_server(('127.0.0.1', 0))\n")
			write(t, filepath.Join(profile, "ipython_kernel_config.py"), "c = get_config()\n"+c.config+"\n")
			write(t, filepath.Join(profile, "startup", "first.py"), c.startup)
			env := append(os.Environ(), "IPYTHONDIR="+home, "PYTHONPATH="+lib)
			srv := serve(t, spec, kernel.ServerOptions{Env: env})
			k := launchWarm(t, srv, kernel.Options{Env: env})
			carrier, why := k.Transport()
			want := "ipc"
			if c.why == "" {
				want = "pipe"
			}
			if carrier != want || why != c.why || srv.ZMQ != c.why {
				t.Errorf("over %s because %q, the server says %q; want %s because %q", carrier, why, srv.ZMQ, want, c.why)
			}
			if got := run(t, k, "print(6 * 7)"); got.output() != "42" || got.reply.Status != "ok" {
				t.Errorf("it printed %q:\n%s", got.output(), got.text())
			}
			if x := k.Close(5 * time.Second); x.Code != 0 || x.Signal != "" {
				t.Errorf("it ended with %s", x)
			}
		})
	}
}

// What asks for the connection file or a socket gets an error that says what to do,
// and the kernel goes on.
func TestNoConnectionFile(t *testing.T) {
	spec := pythonSpec(t)
	k := launchWarm(t, serve(t, spec, kernel.ServerOptions{}), kernel.Options{})
	for _, code := range []string{
		"%connect_info", "%qtconsole", "from ipykernel.connect import get_connection_file; open(get_connection_file())",
		"from ipykernel import get_connection_info; get_connection_info()",
		"get_ipython().kernel.shell_stream.getsockopt(1)", "get_ipython().kernel.shell_stream.socket.send(b'x')",
	} {
		got := run(t, k, code)
		said := got.text() + got.reply.Evalue + strings.Join(got.reply.Traceback, "\n")
		if got.reply.Status != "error" || !strings.Contains(said, "kernel: {warm: zmq}") {
			t.Errorf("%s: %s %s %s\n%s", code, got.reply.Status, got.reply.Ename, got.reply.Evalue, got.text())
		}
	}
	if got := run(t, k, "print('alive')"); got.output() != "alive" {
		t.Errorf("afterwards:\n%s", got.text())
	}
	zmq := launchWarm(t, serve(t, spec, kernel.ServerOptions{ZMQ: true}), kernel.Options{})
	if got := run(t, zmq, "%connect_info"); got.reply.Status != "ok" || !strings.Contains(got.output(), "shell_port") {
		t.Errorf("over ZeroMQ: %s\n%s", got.reply.Status, got.text())
	}
}
