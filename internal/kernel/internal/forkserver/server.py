"""Fork server for IPython kernels.

Runs from a file descriptor, as the leader of its own session. Speaks JSON
lines on the socket at descriptor 3: requests {"op": ...} come in, notices
{"op": ...} go out. The descriptor of a child's log is passed beside one byte
ahead of the request that needs it. End of file means that the owner is gone:
every child is killed.

One thread, no event loop, no ZeroMQ context and no signal handler exist here,
so that a fork copies nothing that cannot be copied. How much of a kernel is
made before the fork is the mode:

    P  as K, and the channels of a child are one socket instead of ZeroMQ's
    K  the kernel object, shell, extensions and start-up code
    S  the configuration and the shell
    W  the modules
    A  the modules ipykernel itself imports; the child ends as any program does
"""

import array
import base64
import ctypes
import functools
import gc
import importlib
import importlib.util
import io
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
import traceback
import types
import weakref

CONTROL = 3
MARKER = "FANOUT_KERNEL_ID"
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15

# Modules that must not be there before a fork: they start threads, or hold
# devices, when they are imported or soon after.
NEVER = {"tensorflow", "torch", "jax", "jaxlib", "cupy", "pycuda", "ray", "pyspark", "jpype", "grpc",
         "mpi4py", "dask_cuda", "cudf", "h2o", "py4j", "vaex", "modin", "OpenGL", "tkinter", "PyQt5", "PyQt6", "PySide6"}

# Threads that know how to survive a fork: jemalloc's, by the name they give
# themselves, and the pools of Arrow, which are made anew in a child.
SAFE_THREADS = {"jemalloc_bg_thd"}
SAFE_LIBRARY = "/libarrow.so"

libc = ctypes.CDLL(None, use_errno=True)


class Control:
    """The socket to the owner."""

    def __init__(self):
        self.sock = socket.socket(fileno=CONTROL)
        self.buffer = b""
        self.fds = []

    def send(self, op, **fields):
        fields["op"] = op
        self.sock.sendall(json.dumps(fields).encode() + b"\n")

    def receive(self):
        """Read once; return the requests that are whole, or None at the end."""
        data, ancillary, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_LEN(64))
        for level, kind, body in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(body[: len(body) - len(body) % fds.itemsize])
                self.fds.extend(fds)
        if not data:
            return None
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [json.loads(line.lstrip(b"\0")) for line in lines]

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)


def threads():
    """Threads besides this one, without those that survive a fork."""
    own = str(os.getpid())
    return sum(task != own and not survives(task) for task in os.listdir("/proc/self/task"))


def survives(task):
    try:
        with open("/proc/self/task/%s/comm" % task) as f:
            return f.read().strip() in SAFE_THREADS or waits_in(task, SAFE_LIBRARY)
    except OSError:
        return not os.path.exists("/proc/self/task/" + task)  # it has ended meanwhile


def waits_in(task, library):
    """Is a thread idle, called by a library? Its stack holds the addresses to
    return to."""
    ranges = []
    with open("/proc/self/maps") as f:
        for line in f:
            if library in line and " r-xp " in line:
                ranges.append([int(n, 16) for n in line.split(None, 1)[0].split("-")])
    if not ranges:
        return False
    with open("/proc/self/task/%s/syscall" % task) as f:
        fields = f.read().split()
    if len(fields) < 9:  # it runs
        return False
    words = array.array("Q")
    with open("/proc/self/mem", "rb", 0) as f:
        f.seek(int(fields[7], 16))
        stack = f.read(2048)
    words.frombytes(stack[: len(stack) // 8 * 8])
    return any(low <= word < high for word in words for low, high in ranges)


def has_children():
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def threads_after_fork():
    """Threads that a fork does not stop. OpenBLAS ends its own at a fork and
    makes them anew; those of OpenMP, executors and others stay, and in a child
    they are missing without being known to be."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return threads()


def settle():
    """Keep the collector from ever touching what exists now: each touched page
    would be copied in every child."""
    gc.collect()
    gc.freeze()


def memory(pid):
    """Resident bytes of a process, all and anonymous."""
    total = anonymous = 0
    with open("/proc/%d/status" % pid, "rb") as f:
        for line in f:
            if line.startswith(b"VmRSS:"):
                total = int(line.split()[1]) << 10
            elif line.startswith(b"RssAnon:"):
                anonymous = int(line.split()[1]) << 10
    return total, anonymous


def find_marker():
    """Address of the marker's value in the environment this process was
    started with, which is what others see of it."""
    with open("/proc/self/stat", "rb") as f:
        fields = f.read().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    with open("/proc/self/mem", "rb", 0) as f:
        f.seek(start)
        env = f.read(end - start)
    at = (b"\0" + env).find(b"\0" + MARKER.encode() + b"=")
    return (start + at + len(MARKER) + 1, len(os.environ[MARKER])) if at >= 0 else (0, 0)


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr while cells run in the server, and for whoever
    keeps it: in a child it passes on to the stream of that child."""

    encoding = "UTF-8"
    errors = None

    def __init__(self, name, publish):
        self.name = name
        self.publish = publish
        self.file = os.memfd_create(name)  # what is written past Python
        self.position = 0
        self.parts = []
        self.parent = {}
        self.live = None  # the child's own stream

    def write(self, text):
        if self.live is not None:
            return self.live.write(text)
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text))
        if text:
            self.parts.append(text)
        return len(text)

    def flush(self):
        if self.live is not None:
            return self.live.flush()
        new = os.pread(self.file, os.fstat(self.file).st_size - self.position, self.position)
        if new:
            self.position += len(new)
            self.parts.append(new.decode(errors="replace"))
        if self.parts:
            text, self.parts = "".join(self.parts), []
            self.publish("stream", {"name": self.name, "text": text}, self.parent)

    def rewind(self):
        os.ftruncate(self.file, 0)
        os.lseek(self.file, 0, os.SEEK_SET)
        self.position = 0

    def set_parent(self, parent):
        if self.live is not None:
            return self.live.set_parent(parent)
        self.parent = parent

    def fileno(self):
        if self.live is not None:
            return self.live.fileno()
        return 1 if self.name == "stdout" else 2

    def isatty(self):
        return False

    def writable(self):
        return True


class Wire:
    """A socket that keeps what is sent for the owner."""

    def __init__(self, control, channel):
        self.control, self.channel = control, channel

    def send_multipart(self, frames, *args, **kwargs):
        self.control.send("message", channel=self.channel,
                          frames=[base64.b64encode(bytes(f)).decode() for f in frames])


class Prefix:
    """Cells that are executed once, in the server, for all children.

    The kernel is given wires instead of sockets. After each cell everything a
    fork would share or lose is looked for: what is found there ends sharing."""

    def __init__(self, template, control):
        import asyncio

        from jupyter_client.session import Session

        self.template = template
        self.kernel = kernel = template.app.kernel
        self.session = session = Session(parent=template.app)
        session.key = b""
        self.iopub, self.shell_wire = Wire(control, "iopub"), Wire(control, "shell")
        kernel.session = session
        kernel.iopub_socket = self.iopub
        shell = kernel.shell
        shell.displayhook.session = shell.display_pub.session = session
        shell.displayhook.pub_socket = shell.display_pub.pub_socket = self.iopub
        self.streams = [Stream(name, self.publish) for name in ("stdout", "stderr")]
        self.standard = sys.stdout, sys.stderr
        self.argv, self.cwd = list(sys.argv), os.getcwd()
        self.sources = ""
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.descriptors = {fd: describe(fd) for fd in descriptors()}
        self.maps = shared_maps()
        self.finalizers = set(weakref.finalize._registry)
        self.reopen = []

    def publish(self, kind, content, parent):
        self.session.send(self.iopub, kind, content, parent=parent, ident=b"stream." + content["name"].encode())

    def end(self):
        """No more cells. The loop goes: its descriptors would be shared."""
        import asyncio

        asyncio.set_event_loop(None)
        self.loop.close()
        for stream in self.streams:
            os.close(stream.file)

    def run(self, code, msg_id):
        """Execute a cell; return why its effects cannot be shared, or ''."""
        shell = self.kernel.shell
        self.sources += code
        if shell.should_run_async(code, transformed_cell=transformed(shell, code)):
            return "it awaits at the top level"
        header = self.session.msg_header("execute_request")
        header["msg_id"] = msg_id
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                   "allow_stdin": False, "stop_on_error": False}
        request = {"header": header, "msg_id": msg_id, "msg_type": "execute_request", "parent_header": {},
                   "metadata": {}, "content": content, "buffers": []}
        saved = os.dup(1), os.dup(2)
        flush()
        for fd, stream in enumerate(self.streams, 1):
            stream.rewind()
            os.dup2(stream.file, fd)
        sys.stdout, sys.stderr = self.streams
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.loop.run_until_complete(self.execute(request))
        finally:
            signal.signal(signal.SIGINT, handler)
            sys.stdout, sys.stderr = self.standard
            for fd, old in enumerate(saved, 1):
                os.dup2(old, fd)
                os.close(old)
        self.stop_script_magics()
        return self.spoilt()

    async def execute(self, request):
        kernel = self.kernel
        kernel.set_parent([], request)
        kernel._publish_status("busy", "shell")
        kernel.pre_handler_hook()
        try:
            await kernel.execute_request(Reply(self), [], request)
        finally:
            kernel.post_handler_hook()
        self.flush()
        kernel._publish_status("idle", "shell")

    def flush(self):
        libc.fflush(None)
        for stream in self.streams:
            stream.flush()

    def stop_script_magics(self):
        """%%bash and its like keep a thread, and start it again if need be."""
        magics = self.kernel.shell.magics_manager.registry.get("ScriptMagics")
        loop = getattr(magics, "event_loop", None)
        if loop is None:
            return
        if hasattr(magics, "stop_event_loop"):
            magics.stop_event_loop()
            return
        for thread in threading.enumerate():
            if getattr(getattr(thread, "_target", None), "__self__", None) is loop:
                loop.call_soon_threadsafe(loop.stop)
                thread.join(5)
        loop.close()
        magics.event_loop = None

    def spoilt(self):
        """Say what a fork would lose or share unseen."""
        import asyncio

        if self.status != "ok":
            return "it raised %s" % self.status
        if self.kernel.shell.exit_now:
            return "it ends the kernel"
        if asyncio.all_tasks(self.loop):
            return "it leaves an asyncio task pending"
        if has_children():
            return "it leaves a child process"
        n = threads()
        if n and threads_after_fork():
            return "it leaves a thread that would not survive a fork"
        self.reopen = []
        for fd in descriptors():
            why = self.unsafe(fd)
            if why:
                return why
        for name in shared_maps() - self.maps:
            return "it leaves the file %s mapped for writing" % name
        for finalizer in set(weakref.finalize._registry) - self.finalizers:
            info = weakref.finalize._registry.get(finalizer)
            if info and info.atexit and getattr(info.func, "__module__", "") in ("tempfile", "shutil", "posix", "os"):
                return "the first run to end would delete a temporary directory it made"
        for module in ("tensorflow", "jax", "cupy", "jpype", "pyspark"):
            if module in sys.modules:
                return "%s does not survive a fork" % module
        torch = sys.modules.get("torch")
        if torch and hasattr(torch, "cuda") and torch.cuda.is_initialized():
            return "it uses the GPU, which does not survive a fork"
        return ""

    def unsafe(self, fd):
        """Why a descriptor cannot be shared. One for reading can, if every
        child opens it anew: the position is shared otherwise."""
        what = describe(fd)
        if what is None or self.descriptors.get(fd) == what:
            return ""
        kind, flags, name = what
        if stat.S_ISSOCK(kind):
            return "it leaves a socket open"
        if stat.S_ISREG(kind):
            if flags & os.O_ACCMODE != os.O_RDONLY:
                return "it leaves the file %s open for writing" % name
            self.reopen.append(fd)
            return ""
        if stat.S_ISDIR(kind) or name in ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"):
            return ""
        return "it leaves %s open" % name

    def adopt(self):
        """In a child: files of its own, and not another's directory."""
        for fd in self.reopen:
            position = os.lseek(fd, 0, os.SEEK_CUR)
            own = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(own, position, os.SEEK_SET)
            os.dup2(own, fd, inheritable=False)
            os.close(own)

    def connect(self):
        """In a child: output goes where the kernel's goes."""
        for stream, own in zip(self.streams, (sys.stdout, sys.stderr)):
            stream.live = own


class Reply:
    """The wire of a reply, which notes how the cell ended."""

    def __init__(self, prefix):
        self.prefix = prefix

    def send_multipart(self, frames, *args, **kwargs):
        content = json.loads(bytes(frames[frames.index(b"<IDS|MSG>") + 5]))
        self.prefix.status = content.get("ename") or content["status"]
        self.prefix.flush()
        self.prefix.shell_wire.send_multipart(frames)


def transformed(shell, code):
    try:
        return shell.transform_cell(code)
    except Exception:
        return code


def descriptors():
    return [int(fd) for fd in os.listdir("/proc/self/fd")]


def describe(fd):
    """Kind, flags and name of a descriptor, None if it has gone."""
    try:
        with open("/proc/self/fdinfo/%d" % fd) as f:
            flags = int(f.read().split("flags:")[1].split()[0], 8)
        return stat.S_IFMT(os.fstat(fd).st_mode), flags, os.readlink("/proc/self/fd/%d" % fd)
    except OSError:
        return None


def shared_maps():
    """Files mapped so that writing changes them."""
    found = set()
    with open("/proc/self/maps") as f:
        for line in f:
            fields = line.split(None, 5)
            if fields[1].startswith("rw") and fields[1].endswith("s") and len(fields) == 6:
                found.add(fields[5].strip())
    return found


class Template:
    """What children are forked from."""

    def __init__(self, mode, argv):
        self.mode = "K" if mode == "P" else mode
        self.pipe = None  # what children have instead of ZeroMQ's sockets
        self.argv = argv
        os.environ.pop("JPY_PARENT_PID", None)
        self.first_environ = dict(os.environ)
        # matplotlib reads it when it is imported.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        hidden = mode in "KS" and "debugpy" not in sys.modules
        if hidden:  # the debugger costs 10 ms and 5 MB a kernel
            if importlib.util.find_spec("debugpy"):
                os.environ.setdefault("PYDEVD_USE_FRAME_EVAL", "NO")  # as it would
                sys.breakpointhook = debugpy_breakpointhook
            sys.modules["debugpy"] = None
        try:
            self.prepare()
            self.distrust = self.prepare_pipe() if mode == "P" else ""
        finally:
            if hidden:
                del sys.modules["debugpy"]

    def prepare_pipe(self):
        """Return why a kernel without ZeroMQ cannot be trusted, or ''."""
        self.channels = types.ModuleType("channels")
        exec(compile(PIPE, "<fanout channels>", "exec"), vars(self.channels))
        why = self.channels.distrust(self.app)
        for fd in descriptors():
            known = describe(fd)
            if not why and known and stat.S_ISSOCK(known[0]) and fd != CONTROL:
                why = "an extension or start-up file opens a socket"
        if not why:
            self.pipe = self.channels.prepare(self.app)
        return why

    def prepare(self):
        import ipykernel.ipkernel
        from ipykernel.kernelapp import IPKernelApp

        self.app = app = IPKernelApp.instance()
        app.parent_handle = 1  # no banner, and no watch for a parent
        if self.mode not in "KS":
            return
        from IPython.core.application import BaseIPythonApplication

        BaseIPythonApplication.initialize(app, self.argv)
        # The handler would drop what is below the level; made it is before.
        getattr(app.log, "logger", app.log).setLevel(app.log_level)
        if self.mode == "S":
            self.shell = ipykernel.ipkernel.IPythonKernel.shell_class.default_value.instance(
                parent=app, profile_dir=app.profile_dir, user_ns=app.user_ns,
                compiler_class=ipykernel.ipkernel.XCachingCompiler)
            return

        if app.kernel_class is not ipykernel.ipkernel.IPythonKernel:
            raise TypeError("the configuration asks for another kernel class, %s" % app.kernel_class.__name__)
        template = self

        class IPythonKernel(ipykernel.ipkernel.IPythonKernel):
            """The kernel, made before its sockets were."""

            def start(self):
                if template.pipe is None:
                    return super().start()
                self.shell.exit_now = False  # and no debugger, which needs sockets
                super(ipykernel.ipkernel.IPythonKernel, self).start()

            @property
            def _supports_kernel_subshells(self):
                return template.pipe is None and super()._supports_kernel_subshells

            @classmethod
            def instance(cls, *args, **kwargs):
                made = cls._instance
                if not isinstance(made, cls):
                    return super().instance(*args, **kwargs)
                for name in ("parent", "log", "profile_dir", "user_ns"):
                    kwargs.pop(name, None)
                for name, value in kwargs.items():
                    setattr(made, name, value)
                return made

            @property
            def banner(self):
                # Its tip is drawn by lot, for every client that asks.
                state = random.getstate()
                try:
                    return super().banner
                finally:
                    random.setstate(state)

        app.kernel_class = IPythonKernel
        app.init_pdb()
        app.init_blackhole()
        self.plain_thread = threading.Thread.run, threading.Thread.__init__
        app.kernel = IPythonKernel.instance(
            parent=app, session=app.session, log=app.log, profile_dir=app.profile_dir, user_ns=app.user_ns)
        app.init_shell()
        app.init_gui_pylab()
        app.init_extensions()
        app.init_code()

    def start(self, connection_file, pipe, prefix, randomize):
        """Be a kernel, in a child. Returns when it has been shut down."""
        app = self.app
        if self.pipe is not None:
            self.channels.start(app, self.pipe, pipe, lambda: self.connect_all(prefix, randomize))
            return
        import zmq

        make_iopub = app.init_iopub

        def init_iopub(context):
            # Output that finds the queue full is dropped: let it have no end.
            context.setsockopt(zmq.SNDHWM, 0)
            make_iopub(context)

        app.init_iopub = init_iopub
        if self.mode not in "KS":
            app.initialize(["-f", connection_file, *self.argv])
            randomize()
            app.start()
            return
        app.connection_file = connection_file
        from jupyter_client.session import Session

        # A session remembers its process; one made before the fork sends nothing.
        app.session = Session(parent=app)
        if self.mode == "S":
            app.init_pdb()
            app.init_blackhole()
        app.init_connection_file()
        app.init_poller()
        app.init_sockets()
        app.init_heartbeat()
        app.write_connection_file()
        app.log_connection_info()
        app.init_io()
        app.init_signal()
        app.init_kernel()
        if self.mode == "K":
            self.connect_all(prefix, randomize)
        else:
            self.shell.kernel = app.kernel
            app.init_path()
            app.init_shell()
            app.init_gui_pylab()
            app.init_extensions()
            app.init_code()
            sys.stdout.flush()
            sys.stderr.flush()
            randomize()
        app.start()

    def connect_all(self, prefix, randomize):
        self.connect(self.app.kernel)
        if prefix is None:  # else it was done for the cells
            self.app.init_path()
        else:
            prefix.connect()
        sys.stdout.flush()
        sys.stderr.flush()
        randomize()  # last: starting draws numbers, too

    def connect(self, kernel):
        """Point what was made before the fork at what was made after it."""
        import asyncio
        import uuid

        app, shell = self.app, kernel.shell
        kernel.ident = str(uuid.uuid4())
        kernel.session, kernel.iopub_socket = app.session, app.iopub_socket
        for name in ("_stdout", "_stderr"):
            if hasattr(kernel, name):
                setattr(kernel, name, getattr(sys, name[1:]))
        if hasattr(kernel, "_initialize_thread_hooks"):  # they keep the streams they find
            threading.Thread.run, threading.Thread.__init__ = self.plain_thread
            kernel._initialize_thread_hooks()
        if hasattr(kernel, "_process_children"):
            # It reads all of /proc, and imports psutil for it, at every end.
            search = kernel._process_children
            kernel._process_children = lambda: search() if has_children() else []
        if hasattr(kernel, "_main_asyncio_lock"):
            kernel._main_asyncio_lock = asyncio.Lock()
        shell.displayhook.session = shell.display_pub.session = app.session
        shell.displayhook.pub_socket = shell.display_pub.pub_socket = app.iopub_socket
        shell.displayhook.topic = kernel._topic("execute_result")

    def move(self):
        """Forget the directory the server was in."""
        if self.mode not in "KS":
            return
        shell = self.app.kernel.shell if self.mode == "K" else self.shell
        cwd = os.getcwd()
        shell.starting_dir = cwd
        history = shell.history_manager
        if history is not None and len(history.dir_hist) == 1:
            history.dir_hist[:] = [type(history.dir_hist[0])(cwd)]


class Server:
    def __init__(self):
        self.control = Control()
        self.poll = select.poll()
        self.poll.register(CONTROL, select.POLLIN)
        self.children = {}  # pidfd: pid
        self.pid = os.getpid()
        self.template = None
        self.prefix = None
        self.noise = os.memfd_create("noise")
        self.generators, self.places = Generators(), Places()

    def run(self):
        while True:
            for fd, _ in self.poll.poll():
                if fd != CONTROL:
                    self.reap(fd)
                    continue
                requests = self.control.receive()
                if requests is None:
                    self.end()
                for request in requests:
                    getattr(self, "do_" + request.pop("op"))(**request)

    def end(self):
        for pid in self.children.values():
            kill_group(pid, signal.SIGKILL)
        end_groups(list(self.children.values()))
        os._exit(0)

    def reap(self, fd):
        """Report a child that has ended, and end its group."""
        pid = self.children.pop(fd)
        self.poll.unregister(fd)
        os.close(fd)
        _, status, usage = os.wait4(pid, 0)
        end_groups([pid], 0)
        self.control.send("exit", pid=pid, code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1,
                          signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
                          cpu=usage.ru_utime + usage.ru_stime, maxrss=usage.ru_maxrss << 10)

    def do_start(self, mode, argv):
        self.template = Template(mode, argv)
        if self.template.distrust:
            self.control.send("ready", why=self.template.distrust)
            return
        self.marker = find_marker()
        self.launcher = importlib.util.find_spec("ipykernel_launcher").origin
        with open(self.launcher) as f:
            # Older launchers leave the working directory at the head of the path.
            self.cwd_first = "cwd()" not in f.read() and not getattr(sys.flags, "safe_path", False)
        settle()
        import ipykernel
        import IPython
        import zmq

        self.control.send("ready", threads=threads(), python=sys.version.split()[0], ipykernel=ipykernel.__version__,
                          ipython=IPython.__version__, pyzmq=zmq.__version__)

    def do_import(self, modules, directory, quiet):
        """Import what can be imported without a trace: no output, which a
        notebook would show, and no thread, which a fork would lose. With
        quiet, nothing is said about those that fail."""
        failed, noisy, suspects = {}, [], []
        before = threads()
        for name in modules:
            top = name.partition(".")[0]
            if name in sys.modules or top in NEVER or local(top, directory):
                continue
            error, output = self.import_quietly(name)
            if error and not quiet:
                failed[name] = error
            if output:
                noisy.append(name)
            if has_children():
                suspects.append(name)
            elif threads() > before:
                left = threads_after_fork()
                if left > before:
                    suspects.append(name)
                before = left
        settle()
        self.control.send("imported", failed=failed, noisy=noisy, threads=before, suspects=suspects)

    def import_quietly(self, name):
        os.ftruncate(self.noise, 0)
        os.lseek(self.noise, 0, os.SEEK_SET)
        saved = os.dup(1), os.dup(2)
        flush()
        os.dup2(self.noise, 1)
        os.dup2(self.noise, 2)
        error = ""
        try:
            importlib.import_module(name)
        except BaseException as e:
            error = "%s: %s" % (type(e).__name__, e)
        finally:
            flush()
            for fd, old in enumerate(saved, 1):
                os.dup2(old, fd)
                os.close(old)
        return error, os.fstat(self.noise).st_size > 0

    def do_cell(self, code, msg_id):
        """Execute a cell for all children to come."""
        why = ""
        if self.prefix is None:
            if self.template.mode != "K":
                why = "this ipykernel does not let cells run before the fork"
            else:
                self.template.app.init_path()
                self.prefix = Prefix(self.template, self.control)
        if not why:
            why = self.prefix.run(code, msg_id)
        settle()
        self.control.send("cell", why=why)

    def do_blas(self):
        """Some builds of OpenBLAS hang for ever in a process that has forked:
        whoever asks must have a deadline."""
        if "numpy" in sys.modules:
            import numpy

            threads_after_fork()
            numpy.linalg.inv(numpy.eye(300) + 0.5)
        self.control.send("blas")

    def do_seal(self):
        sources = ""
        if self.prefix is not None:
            self.prefix.end()
            sources = self.prefix.sources
        module, why = self.generators.find(sources)
        self.generators.rest()
        self.places.find()
        settle()
        self.control.send("sealed", why=why, module=module)

    def do_fork(self, req, **request):
        log = self.control.fds.pop(0)
        pipe = None
        if self.template.pipe is not None:
            pipe = self.control.fds.pop(0)
        pid = os.fork()
        if pid == 0:
            self.child(log, pipe, **request)
        total, anonymous = memory(pid)
        os.close(log)
        if pipe is not None:
            os.close(pipe)
        fd = os.pidfd_open(pid)
        self.children[fd] = pid
        self.poll.register(fd, select.POLLIN)
        self.control.send("forked", req=req, pid=pid, rss=total, anon=anonymous)

    def do_kill(self, pid, sig):
        if pid in self.children.values():
            kill_group(pid, sig)

    def child(self, log, pipe, **request):
        """Never returns."""
        code = 1
        try:
            self.become(log, **request)
            self.template.start(request["connection_file"], pipe, self.prefix, self.generators.start)
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            if self.template.mode == "A":
                sys.exit(code)
            leave(self.template.app, self.template.pipe, code)

    def become(self, log, connection_file, cwd, env, id):
        """Be a process of one's own."""
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self.pid:
            os._exit(1)
        libc.prctl(PR_SET_NAME, b"python", 0, 0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.control.close()
        os.close(self.noise)
        for fd in self.children:
            os.close(fd)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        self.mark(id)
        self.set_environ(env)
        self.generators.rest()
        prefix = self.prefix
        moves = prefix is None or os.getcwd() == prefix.cwd
        if moves:
            os.chdir(cwd)
            self.template.move()
        self.places.move(cwd if moves else None)
        if self.cwd_first:
            sys.path.insert(0, cwd)
        time.tzset()
        tempfile.tempdir = usable(os.environ.get("TMPDIR"))
        if prefix is None or sys.argv == prefix.argv:
            sys.argv = [self.launcher, "-f", connection_file or "none.json", *self.template.argv]
        if prefix is not None:
            prefix.adopt()
        import asyncio
        import faulthandler

        asyncio.set_event_loop(asyncio.new_event_loop())
        # ipykernel replaces descriptor 2: what a crash says must not go there.
        faulthandler.enable(file=os.dup(2))

    def mark(self, id):
        address, size = self.marker
        if size == len(id):
            with open("/proc/self/mem", "r+b", 0) as f:
                f.seek(address)
                f.write(id.encode())

    def set_environ(self, env):
        """Take the environment of the run, and what modules set when they were
        imported here and would have set there."""
        first = self.template.first_environ
        for name, value in os.environ.items():
            if first.get(name) != value and first.get(name) == env.get(name):
                env[name] = value
        if self.prefix is None:
            first = dict(os.environ)
            for name in first:
                if name not in env:
                    del os.environ[name]
        # else the cells have changed what they wanted to
        for name, value in env.items():
            if first.get(name) != value:
                os.environ[name] = value


def end_groups(leaders, patience=0.5):
    """Kill what is left of the groups of the dead, except trackers of Python's
    multiprocessing: those first remove what the dead left, if there is time, or
    the owner sees to their end."""
    until = time.monotonic() + patience
    while leaders and patience and time.monotonic() < until:
        leaders = [pid for pid in leaders if group_exists(pid)]
        time.sleep(0.01)
    for pid in leaders:
        if group_exists(pid) and (patience or not has_tracker(pid)):
            kill_group(pid, signal.SIGKILL, -pid)


def group_exists(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        os.kill(-pid, 0)
    except OSError:
        return False
    return True


def has_tracker(group):
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and os.getpgid(int(pid)) == group:
                with open("/proc/%s/cmdline" % pid) as f:
                    if "_tracker import main" in f.read():
                        return True
        except OSError:
            pass
    return False


def kill_group(pid, sig, *targets):
    """Signal a group; SIGKILL goes to its leader, and to the others at its end."""
    # No group yet, if it was just born.
    for target in targets or ((pid,) if sig == signal.SIGKILL else (-pid, pid)):
        try:
            os.kill(target, sig)
            return
        except ProcessLookupError:
            pass


def usable(directory):
    """A directory for temporary files, if that is known without a file made there to
    try it, as Python does."""
    if directory and os.path.abspath(directory) == directory and os.access(directory, os.W_OK | os.X_OK) and os.path.isdir(directory):
        return directory
    return None


def debugpy_breakpointhook():
    """What the debugger does where it is installed: stop only for who is attached."""
    importlib.import_module("debugpy").breakpoint()


def local(top, directory):
    """Is it a module of the template's own directory, or found in it through a
    relative path? Those belong to a run."""
    if not directory:
        return False
    if any(os.path.exists(os.path.join(directory, top + end)) for end in (".py", ".so", "")):
        return True
    try:
        spec = None if top in sys.modules else importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    return spec is not None and within(spec.origin, os.getcwd())


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def forget_history(app):
    """A history in memory needs no end: to close it copies pages, and nobody reads it."""
    shell = getattr(getattr(app, "kernel", None), "shell", None)
    history = getattr(shell, "history_manager", None)
    if str(getattr(history, "hist_file", "")) == ":memory:":
        history.end_session = history.close = lambda: None


def leave(app, pipe, code):
    """End as a program does, but for the collection of everything at the end,
    which would copy every page inherited."""
    try:
        import atexit

        # Its thread may be sending; let it, or both wait for ever.
        if getattr(app, "control_thread", None):
            app.control_thread.join(0.1)
        forget_history(app)
        threading._shutdown()
        atexit._run_exitfuncs()
        flush()
        if pipe is not None:
            pipe.stop()
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]
try:
    Server().run()
except BrokenPipeError:
    os._exit(0)
