"""Fork server for IPython kernels.

Runs from a file descriptor, as the leader of its own session. Speaks JSON
lines on the socket at descriptor 3: requests {"op": ...} come in, notices
{"op": ...} go out. The descriptor of a child's log is passed beside one byte
ahead of the request that needs it. End of file means that the owner is gone:
every child is killed.

One thread, no event loop, no ZeroMQ context and no signal handler exist here,
so that a fork copies nothing that cannot be copied. How much of a kernel is
made before the fork is the mode:

    K  the kernel object, shell, extensions and start-up code
    S  the configuration and the shell
    W  the modules
    A  the modules ipykernel itself imports; the child ends as any program does
"""

import array
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import random
import select
import signal
import socket
import sys
import tempfile
import time
import traceback

CONTROL = 3
MARKER = "FANOUT_KERNEL_ID"
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15

# Modules that must not be there before a fork: they start threads, or hold
# devices, when they are imported or soon after.
NEVER = {"tensorflow", "torch", "jax", "jaxlib", "cupy", "numba", "pycuda", "ray", "pyspark", "jpype", "grpc",
         "mpi4py", "dask_cuda", "cudf", "h2o", "py4j", "vaex", "modin", "OpenGL", "tkinter", "PyQt5", "PyQt6", "PySide6"}

# Threads that know how to survive a fork, by the name they give themselves:
# jemalloc (in pyarrow) stops and restarts its own.
SAFE_THREADS = {"jemalloc_bg_thd"}

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
    n = -1
    for task in os.listdir("/proc/self/task"):
        try:
            with open("/proc/self/task/%s/comm" % task) as f:
                n += f.read().strip() not in SAFE_THREADS
        except OSError:
            pass  # it has ended meanwhile
    return n


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


def random_states():
    state = [random.getstate()]
    mtrand = sys.modules.get("numpy.random.mtrand")
    state.append(repr(mtrand._rand.get_state(legacy=False)) if mtrand else None)
    return state


class Template:
    """What children are forked from."""

    def __init__(self, mode, argv):
        self.mode = mode
        self.argv = argv
        os.environ.pop("JPY_PARENT_PID", None)
        self.first_environ = dict(os.environ)
        # matplotlib reads it when it is imported.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        hidden = mode in "KS" and "debugpy" not in sys.modules
        if hidden:  # the debugger costs 10 ms and 5 MB a kernel
            if importlib.util.find_spec("debugpy"):
                os.environ.setdefault("PYDEVD_USE_FRAME_EVAL", "NO")  # as it would
            sys.modules["debugpy"] = None
        try:
            self.prepare()
        finally:
            if hidden:
                del sys.modules["debugpy"]

    def prepare(self):
        import ipykernel.ipkernel
        from ipykernel.kernelapp import IPKernelApp

        self.app = app = IPKernelApp.instance()
        app.parent_handle = 1  # no banner, and no watch for a parent
        if self.mode not in "KS":
            return
        from IPython.core.application import BaseIPythonApplication

        BaseIPythonApplication.initialize(app, self.argv)
        if self.mode == "S":
            self.shell = ipykernel.ipkernel.IPythonKernel.shell_class.default_value.instance(
                parent=app, profile_dir=app.profile_dir, user_ns=app.user_ns,
                compiler_class=ipykernel.ipkernel.XCachingCompiler)
            return

        class IPythonKernel(ipykernel.ipkernel.IPythonKernel):
            """The kernel, made before its sockets were."""

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

        app.kernel_class = IPythonKernel
        app.init_pdb()
        app.init_blackhole()
        app.kernel = IPythonKernel.instance(
            parent=app, session=app.session, log=app.log, profile_dir=app.profile_dir, user_ns=app.user_ns)
        app.init_shell()
        app.init_gui_pylab()
        app.init_extensions()
        app.init_code()

    def start(self, connection_file):
        """Be a kernel, in a child. Returns when it has been shut down."""
        import zmq

        app = self.app
        if self.mode not in "KS":
            app.initialize(["-f", connection_file, *self.argv])
            app.start()
            return
        app.connection_file = connection_file
        make_iopub = app.init_iopub

        def init_iopub(context):
            # Output that finds the queue full is dropped: let it have no end.
            context.setsockopt(zmq.SNDHWM, 0)
            make_iopub(context)

        app.init_iopub = init_iopub
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
            self.connect(app.kernel)
            app.init_path()
        else:
            self.shell.kernel = app.kernel
            app.init_path()
            app.init_shell()
            app.init_gui_pylab()
            app.init_extensions()
            app.init_code()
        sys.stdout.flush()
        sys.stderr.flush()
        app.start()

    def connect(self, kernel):
        """Point what was made before the fork at what was made after it."""
        import asyncio
        import uuid

        app, shell = self.app, kernel.shell
        kernel.ident = str(uuid.uuid4())
        for name in ("_stdout", "_stderr"):
            if hasattr(kernel, name):
                setattr(kernel, name, getattr(sys, name[1:]))
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
        os._exit(0)

    def reap(self, fd):
        """Report a child that has ended; its group dies before its number can
        be another's."""
        pid = self.children.pop(fd)
        self.poll.unregister(fd)
        os.close(fd)
        kill_group(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        self.control.send("exit", pid=pid, code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1,
                          signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
                          cpu=usage.ru_utime + usage.ru_stime, maxrss=usage.ru_maxrss << 10)

    def do_start(self, mode, argv):
        self.template = Template(mode, argv)
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
            if threads() > before:
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

    def do_fork(self, req, **request):
        log = self.control.fds.pop(0)
        keep = self.prefix.states() if self.prefix else None
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self.child(log, keep, **request)
        took = time.monotonic() - began
        total, anonymous = memory(pid)
        os.close(log)
        fd = os.pidfd_open(pid)
        self.children[fd] = pid
        self.poll.register(fd, select.POLLIN)
        self.control.send("forked", req=req, pid=pid, rss=total, anon=anonymous, fork=took)

    def do_kill(self, pid, sig):
        if pid in self.children.values():
            kill_group(pid, sig)

    def child(self, log, keep, **request):
        """Never returns."""
        code = 1
        try:
            self.become(log, keep, **request)
            self.template.start(request["connection_file"])
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            if self.template.mode == "A":
                sys.exit(code)
            leave(self.template.app, code)

    def become(self, log, keep, connection_file, cwd, env, id):
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
        os.chdir(cwd)
        if self.cwd_first:
            sys.path.insert(0, os.getcwd())
        time.tzset()
        tempfile.tempdir = None
        sys.argv = [self.launcher, "-f", connection_file, *self.template.argv]
        self.template.move()
        import asyncio
        import faulthandler

        asyncio.set_event_loop(asyncio.new_event_loop())
        # ipykernel replaces descriptor 2: what a crash says must not go there.
        faulthandler.enable(file=os.dup(2))
        if keep is not None:
            keep()
        elif "numpy.random" in sys.modules:
            # The module random does this itself at a fork.
            sys.modules["numpy.random"].seed()

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
            os.environ.clear()
            os.environ.update(env)
            return
        # The cells have changed what they wanted to: only the difference.
        for name, value in env.items():
            if first.get(name) != value:
                os.environ[name] = value


def kill_group(pid, sig):
    for target in (-pid, pid):  # no group yet, if it was just born
        try:
            os.kill(target, sig)
            return
        except ProcessLookupError:
            pass


def local(top, directory):
    """Is it a module of the template's own directory? Those belong to a run."""
    return any(os.path.exists(os.path.join(directory, top + end)) for end in (".py", ".so", "")) if directory else False


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def leave(app, code):
    """End as a program does, but for the collection of everything at the end,
    which would copy every page inherited."""
    try:
        import atexit
        import threading

        # Its thread may be sending; let it, or both wait for ever.
        if getattr(app, "control_thread", None):
            app.control_thread.join(0.1)
        threading._shutdown()
        atexit._run_exitfuncs()
        flush()
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
