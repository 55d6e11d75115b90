"""The channels of a kernel on one socket, in place of those of ZeroMQ.

A message is a head and frames. The head has a magic word, the number of the
channel, the number of frames and the size of each; the frames are those that
ZeroMQ would carry, unsigned, because nobody else can reach the socket.

Above the channels all is ipykernel's own: it gets streams, an output thread
and sockets of the kinds it knows. One thread does what its threads for output,
for descriptors 1 and 2 and for requests do. All that is sent goes through one
queue, which only grows by appending: an exception that a signal raises in the
main thread can neither split a message nor swap two.
"""

import _thread
import array
import codecs
import collections
import fcntl
import os
import select
import socket
import struct
import sys
import termios
import threading
import time
import traceback

import ipykernel
import ipykernel.control
import ipykernel.ipkernel
import ipykernel.iostream
import ipykernel.kernelbase
import ipykernel.zmqshell
import zmq
from jupyter_client.session import Session
from zmq.eventloop.zmqstream import ZMQStream

MAGIC = b"fNoT"
HEAD = struct.Struct("<4sBI")
MAX_MESSAGE = 1 << 30
MAX_FRAMES = 1 << 20
CHANNELS = ("shell", "iopub", "stdin", "control")
FORWARD_TIMEOUT = 3  # seconds, as ipykernel has it
END_TIMEOUT = 30
UNHURRIED = 0.002  # seconds for which what a request puts out may wait for more

# The releases whose kernel was compared with one over ZeroMQ. In 7.0 a context
# variable that a cell sets would outlive it.
TESTED = {(6, minor) for minor in range(20, 32)} | {(7, minor) for minor in range(1, 5)}

NO_SOCKETS = "this kernel has no connection file and no ZeroMQ sockets. Start it with them: kernel: {warm: zmq}"


def pack(channel, frames):
    frames = [f if type(f) is bytes else memoryview(f).tobytes() for f in frames]
    sizes = [len(f) for f in frames]
    if sum(sizes) > MAX_MESSAGE or len(frames) > MAX_FRAMES:
        raise ValueError("a message of %d bytes in %d frames is more than this kernel can send. "
                         "One over ZeroMQ can: kernel: {warm: zmq}" % (sum(sizes), len(frames)))
    head = struct.pack("<4sBI%dI" % len(sizes), MAGIC, CHANNELS.index(channel), len(sizes), *sizes)
    return b"".join((head, *frames))


def unpack(buffer):
    """Take a message off a bytearray: channel and frames, or None if it is not whole."""
    if len(buffer) < HEAD.size:
        return None
    magic, channel, n = HEAD.unpack_from(buffer)
    if magic != MAGIC or channel >= len(CHANNELS) or n > MAX_FRAMES:
        raise ValueError("no message begins with %r" % bytes(buffer[: HEAD.size]))
    at = HEAD.size + 4 * n
    if len(buffer) < at:
        return None
    sizes = struct.unpack_from("<%dI" % n, buffer, HEAD.size)
    if len(buffer) < at + sum(sizes):
        return None
    frames = []
    for size in sizes:
        frames.append(bytes(buffer[at : at + size]))
        at += size
    del buffer[:at]
    return CHANNELS[channel], frames


class Pipe(ipykernel.iostream.IOPubThread):
    """The thread of the one socket."""

    def __init__(self, app):
        self.app = app
        self.socket = OutputSocket(self)
        self.session = None
        self.background_socket = ipykernel.iostream.BackgroundSocket(self)
        self.io_loop = self
        self.shell, self.control, self.stdin = [Stream(self, name) for name in ("shell", "control", "stdin")]
        self.streams = {"shell": self.shell, "control": self.control, "stdin": self.stdin}
        self.thread = self.control_thread = None
        self.outputs = []  # streams of text
        self.queue = collections.deque()  # bytes, functions, and (stream, parent or None, text or lock)
        self.out = collections.deque()  # what is being written
        self.received = bytearray()
        self.timers = []  # (time, function)
        self.deadline = None  # of text that waits to be sent
        self.unhurried = 0  # until then the thread wakes up by itself
        self.asleep = self.woken = None
        self.ended = None
        self.pid = None
        os.register_at_fork(before=self.before_fork, after_in_child=self.after_fork)

    # In a child of the server.

    def begin(self, fd):
        self.pid = self._master_pid = os.getpid()
        self.thread = Thread(self)
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(False)
        self.poll = select.epoll()
        self.handlers = {}
        self.writing = False
        self.side = None
        self.wake_end, self.wake_fd = os.pipe()
        os.set_blocking(self.wake_fd, False)
        self.watch(self.wake_end, lambda: os.read(self.wake_end, 1 << 16))
        self.watch(self.sock.fileno(), self.receive)

    def watch(self, fd, handler):
        self.handlers[fd] = handler
        self.poll.register(fd, select.EPOLLIN)

    def unwatch(self, fd):
        self.poll.unregister(fd)
        del self.handlers[fd]

    def start(self):
        self.thread.start()

    def stop(self):
        """Wait until all has been sent."""
        if os.getpid() != self.pid or not self.thread.is_alive():
            return
        done = _thread.allocate_lock()
        done.acquire()
        self.put(lambda: setattr(self, "ended", done))
        done.acquire(timeout=END_TIMEOUT)

    def close(self):
        pass

    closed = False

    # For every thread.

    def put(self, item, hurry=True):
        self.queue.append(item)
        if hurry or not self.unhurried:
            self.wake()

    def wake(self):
        """Wake the thread, once each time that it sleeps. A note that it was woken
        comes last: an exception before it leads to one more write, not to none."""
        sleep = self.asleep
        if sleep is None or sleep is self.woken:
            return
        try:
            os.write(self.wake_fd, b"w")
        except BlockingIOError:
            pass
        self.woken = sleep

    def schedule(self, f):
        if os.getpid() != self.pid:
            f()
        else:
            self.put(f)

    def call_later(self, delay, f, *args):
        self.schedule(lambda: self.timers.append((time.monotonic() + delay, lambda: f(*args))))

    def add_callback(self, f, *args, **kwargs):
        self.schedule(lambda: f(*args, **kwargs))

    def send_multipart(self, frames, *args, **kwargs):
        self.send_on("iopub", frames)

    def send_on(self, channel, frames):
        data = pack(channel, frames)
        if os.getpid() != self.pid:
            self.forward(data)
        elif _thread.get_ident() == self.thread.ident:
            self.out.append(memoryview(data))
        else:
            self.put(data, False)

    # In the thread.

    def serve(self):
        try:
            while True:
                self.asleep = object()
                ready = self.poll.poll(0 if self.queue else self.patience())
                self.asleep = None
                for fd, event in ready:
                    if fd in self.handlers and event & ~select.EPOLLOUT:
                        self.handlers[fd]()
                self.work()
                self.write()
                if self.ended is not None and not self.out and not self.queue:
                    self.ended.release()
                    self.ended = None
        except BaseException:
            self.give_up(traceback.format_exc())

    def give_up(self, why):
        """End: nobody can tell this kernel to, nor hear it."""
        os.write(self.outputs[-1].fileno() if self.outputs else 2, ("the socket of the channels broke: %s\n" % why).encode())
        os._exit(1)

    def patience(self):
        """Seconds until something is due; None is for ever."""
        due = [t for t, _ in self.timers]
        if self.deadline is not None:
            due.append(self.deadline)
        if self.unhurried:
            due.append(self.unhurried)
        return max(0, min(due) - time.monotonic()) if due else None

    def work(self):
        for _ in range(len(self.queue)):
            item = self.queue.popleft()
            if type(item) is bytes:
                self.out.append(memoryview(item))
            elif type(item) is tuple:
                self.text(*item)
            else:
                item()
        now = time.monotonic()
        if now >= self.unhurried:
            self.unhurried = 0
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
            for stream in self.outputs:
                stream.emit()
        if self.timers:
            due = [f for t, f in self.timers if t <= now]
            self.timers = [(t, f) for t, f in self.timers if t > now]
            for f in due:
                f()

    def text(self, stream, parent, text):
        if parent is None:
            stream.emit()
            text.release()
            return
        if type(text) is bytes:
            text = stream.decode(text)
        stream.collect(parent, text)
        if self.deadline is None:
            self.deadline = time.monotonic() + stream.flush_interval

    def write(self):
        while self.out:
            batch = [self.out[i] for i in range(min(len(self.out), 64))]
            try:
                n = self.sock.sendmsg(batch)
            except BlockingIOError:
                break
            except OSError as e:
                self.give_up(e)
            while n:
                head = self.out.popleft()
                if n < len(head):
                    self.out.appendleft(head[n:])
                n = max(0, n - len(head))
        if self.writing != bool(self.out):
            self.writing = bool(self.out)
            self.poll.modify(self.sock.fileno(), select.EPOLLIN | select.EPOLLOUT * self.writing)

    def receive(self):
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.give_up("closed")
        self.received += data
        while True:
            message = unpack(self.received)
            if message is None:
                return
            channel, frames = message
            if channel == "control":
                self.serve_control(frames)
            elif channel in self.streams:
                self.unhurried = time.monotonic() + UNHURRIED
                self.streams[channel].deliver(frames)

    def serve_control(self, frames):
        """Requests that must be answered while a cell runs have a thread, once there is one."""
        if self.control_thread is None:
            self.control_thread = self.app.control_thread = ipykernel.control.ControlThread(daemon=True)
            self.control.io_loop = self.control_thread.io_loop
            self.control_thread.start()
        self.control_thread.io_loop.add_callback(self.app.kernel.process_control, [zmq.Frame(f) for f in frames])

    # Processes that a cell forks.

    def before_fork(self):
        """Their output comes through this process: one that dies in the middle of a
        message must not spoil the socket."""
        if self.pid == os.getpid() and self.side is None:
            self.side, self.other_side = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.watch(self.side.fileno(), self.adopt)

    def after_fork(self):
        if self.pid is None or self.pid == os.getpid() or self.sock is None:
            return
        self.queue.clear()
        self.asleep = None
        self.sock.close()
        self.sock = None
        self.poll.close()
        self.side.close()
        os.close(self.wake_end)
        os.close(self.wake_fd)
        for stream in self.outputs:
            stream.orphan()

    def forward(self, data):
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(FORWARD_TIMEOUT)
            try:
                with theirs:
                    socket.send_fds(self.other_side, [b"m"], [theirs.fileno()])
                ours.sendall(data)
                ours.shutdown(socket.SHUT_WR)
                ours.recv(1)
            except OSError:
                pass

    def adopt(self):
        _, fds, _, _ = socket.recv_fds(self.side, 16, 4)
        for fd in fds:
            os.set_blocking(fd, False)
            data = bytearray()
            self.watch(fd, lambda fd=fd, data=data: self.take_forwarded(fd, data))

    def take_forwarded(self, fd, data):
        try:
            new = os.read(fd, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            new = b""
        data += new
        if new and len(data) <= 2 * MAX_MESSAGE:
            return
        self.unwatch(fd)
        os.close(fd)
        try:
            message = unpack(data)
        except ValueError:
            return
        if message is not None:
            self.send_on(*message)


class Thread(threading.Thread):
    """Its run is its own: some releases change the one of all threads."""

    pydev_do_not_trace = is_pydev_daemon_thread = True

    def __init__(self, pipe):
        super().__init__(name="IOPub", daemon=True)
        self.pipe = pipe

    def run(self):
        self.pipe.serve()


class OutputSocket:
    """What a Pipe shows as the socket it sends on."""

    def __init__(self, pipe):
        self.pipe = pipe

    closed = False

    def send_multipart(self, frames, *args, **kwargs):
        self.pipe.send_multipart(frames)

    def send(self, data, *args, **kwargs):
        self.pipe.send_multipart([data])

    def getsockopt(self, option):
        if option == zmq.SNDHWM:
            return 0  # the queue has no end
        raise NotImplementedError(NO_SOCKETS)

    def setsockopt(self, option, value):
        if option != zmq.SNDHWM:
            raise NotImplementedError(NO_SOCKETS)


class NoSocket:
    """What a Stream shows as its socket: nothing ever arrives there."""

    closed = False

    def poll(self, timeout=None, flags=zmq.POLLIN):
        return 0

    def __getattr__(self, name):
        raise AttributeError(NO_SOCKETS)


class Stream(ZMQStream):
    """One channel of a Pipe, for the loop of the main thread."""

    def __init__(self, pipe, channel):
        self.pipe, self.channel = pipe, channel
        self.incoming = collections.deque()
        self.socket = NoSocket()
        self.io_loop = None
        self._recv_callback = self._send_callback = self._close_callback = None

    def on_recv(self, callback, copy=True):
        self._recv_callback, self._recv_copy = callback, copy

    def on_recv_stream(self, callback, copy=True):
        self.on_recv(lambda frames: callback(self, frames), copy)

    def stop_on_recv(self):
        self._recv_callback = None

    def deliver(self, frames):
        self.incoming.append(frames)
        if self.io_loop is not None:
            self.io_loop.asyncio_loop.call_soon_threadsafe(self.take)

    def take(self, limit=None):
        n = 0
        while self.incoming and self._recv_callback is not None and (limit is None or n < limit):
            frames = self.incoming.popleft()
            self._run_callback(self._recv_callback, frames if self._recv_copy else [zmq.Frame(f) for f in frames])
            n += 1
        return n

    def flush(self, flag=zmq.POLLIN | zmq.POLLOUT, limit=None):
        if flag & zmq.POLLOUT:
            self.pipe.wake()
        return self.take(limit) if flag & zmq.POLLIN else 0

    def send_multipart(self, frames, *args, **kwargs):
        self.pipe.send_on(self.channel, frames)

    def send(self, data, *args, **kwargs):
        self.send_multipart([data])

    def getsockopt(self, option):
        return self.socket.getsockopt(option)

    def recv_multipart(self, *args, **kwargs):
        return self.socket.recv_multipart()

    def receiving(self):
        return self._recv_callback is not None

    def sending(self):
        return False

    def closed(self):
        return False

    def close(self, linger=None):
        pass


class OutStream(ipykernel.iostream.OutStream):
    """sys.stdout or sys.stderr. Text and the requests to send it are in the queue
    of the pipe, in the order in which they were made."""

    def _setup_stream_redirects(self, name):
        """Take what is written to the descriptor."""
        self._should_watch = False  # by a thread of its own
        self.fd_lock = threading.Lock()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._original_stdstream_fd = fd = getattr(sys, name).fileno()
        self._original_stdstream_copy = os.dup(fd)
        self._fid, write_end = os.pipe()
        os.dup2(write_end, fd)
        os.close(write_end)
        os.set_blocking(self._fid, False)
        self.pub_thread.watch(self._fid, self.read_fd)

    def __init__(self, session, pub_thread, name, *args, **kwargs):
        self._fid = None
        self.texts = {}  # by the message they belong to
        self.dirty = False
        super().__init__(session, pub_thread, name, *args, **kwargs)
        pub_thread.outputs.append(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text))
        if self.echo is not None:
            self.echo.write(text)
        pipe = self.pub_thread
        if pipe is None:
            raise ValueError("I/O operation on closed file")
        if not text:
            return 0
        if os.getpid() != pipe.pid:
            self.publish(self.parent_header, text)
            return len(text)
        self.dirty = True
        self.append(self.parent_header, text)
        self.dirty = True  # another thread may have sent what came before
        return len(text)

    def append(self, parent, text):
        pipe = self.pub_thread
        pipe.queue.append((self, parent, text))
        if pipe.deadline is None and not pipe.unhurried:
            pipe.wake()

    def flush(self):
        """Return when all that was written has been sent."""
        pipe = self.pub_thread
        if pipe is None or os.getpid() != pipe.pid:
            return
        if _thread.get_ident() == pipe.thread.ident:
            self.emit()
            return
        if self._fid is not None:
            size = array.array("i", [0])
            fcntl.ioctl(self._fid, termios.FIONREAD, size)
            if size[0]:
                self.read_fd(size[0])
        if not self.dirty:
            return
        sent = _thread.allocate_lock()
        sent.acquire()
        pipe.put((self, None, sent))
        self.dirty = False
        if not sent.acquire(timeout=self.flush_timeout):
            print("IOStream.flush timed out", file=sys.__stderr__)

    def _flush(self):
        self.flush()

    def _schedule_flush(self):
        pass

    def read_fd(self, size=1 << 16):
        """Read what was written to the descriptor, and append it in one step."""
        parent = getattr(self, "_parent_header_global", None)
        if parent is None:  # older releases have no other
            parent = self.parent_header
        self.dirty = True
        with self.fd_lock:
            try:
                self.pub_thread.queue.extend(zip((self,), (parent,), map(os.read, (self._fid,), (size,))))
            except BlockingIOError:
                pass
        self.dirty = True

    def orphan(self):
        """In a process that a cell forked."""
        self.texts = {}
        if self._fid is not None:
            os.close(self._fid)
            self._fid = None

    def close(self):
        self.flush()
        self.pub_thread = None

    # In the thread of the pipe.

    def decode(self, data):
        if data:
            try:
                os.write(self._original_stdstream_copy, data)
            except OSError:
                pass
        elif self._fid is not None:  # nobody can write there any more
            self.pub_thread.unwatch(self._fid)
            os.close(self._fid)
            self._fid = None
        return self.decoder.decode(data, not data)

    def collect(self, parent, text):
        key = parent.get("msg_id")
        known = self.texts.get(key)
        if known is None:
            self.texts[key] = parent, [text]
        else:
            known[1].append(text)

    def emit(self):
        if self.echo is not None:
            self.echo.flush()
        texts, self.texts = self.texts, {}
        for parent, parts in texts.values():
            self.publish(parent, "".join(parts))

    def publish(self, parent, text):
        if not text:
            return
        self.session.pid = os.getpid()
        message = self.session.msg("stream", {"name": self.name, "text": text}, parent=parent)
        for hook in getattr(self, "_hooks", ()):
            message = hook(message)
            if message is None:
                return
        self.session.send(self.pub_thread, message, ident=self.topic)


OutStream.__module__ = ipykernel.iostream.__name__


class MainThreadOnly:
    """Stands where ipykernel 7 keeps the thread of its subshells; there are none."""

    parent_thread = threading.main_thread()
    manager = None

    def __bool__(self):
        return False


def distrust(app):
    """Why the kernel of an application is not known to work without ZeroMQ, or ''."""
    version = tuple(int(n) for n in ipykernel.__version__.split(".")[:2] if n.isdigit())
    if version not in TESTED:
        return "ipykernel %s is not known to work without it" % ipykernel.__version__
    for name, plain in (("outstream_class", "ipykernel.iostream.OutStream"),
                        ("displayhook_class", "ipykernel.displayhook.ZMQDisplayHook")):
        if str(getattr(app, name)) != plain:
            return "the configuration sets %s" % name
    if getattr(app, "trio_loop", False):
        return "the configuration asks for trio"
    if type(app.session) is not Session or app.session.packer not in ("json", "orjson"):
        return "the configuration changes how messages are written"
    if type(app.kernel.shell) is not ipykernel.zmqshell.ZMQInteractiveShell:
        return "the shell is %s.%s" % (type(app.kernel.shell).__module__, type(app.kernel.shell).__name__)
    for cls in (ipykernel.ipkernel.IPythonKernel, ipykernel.kernelbase.Kernel, ipykernel.iostream.OutStream,
                ipykernel.iostream.IOPubThread, ipykernel.zmqshell.ZMQInteractiveShell):
        for name, value in vars(cls).items():
            module = getattr(value, "__module__", None)
            if callable(value) and hasattr(value, "__code__") and module not in (cls.__module__, None):
                return "%s changes %s.%s" % (module, cls.__name__, name)
    return ""


def no_connection_file(line):
    """Print information for connecting other clients to this kernel: there is none."""
    from IPython.core.error import UsageError

    raise UsageError(NO_SOCKETS)


def prepare(app):
    """Give the kernel its channels, before the fork."""
    kernel = app.kernel
    app.session.key = b""  # nobody else can reach the socket
    pipe = app.iopub_thread = Pipe(app)
    app.iopub_socket = kernel.iopub_socket = pipe.background_socket
    kernel.iopub_thread, kernel.session = pipe, app.session
    kernel._execute_sleep = 0  # nothing that was flushed is still under way
    kernel.shell_stream, kernel.control_stream, kernel.stdin_socket = pipe.shell, pipe.control, pipe.stdin
    if kernel.has_trait("shell_channel_thread"):
        kernel.shell_channel_thread = MainThreadOnly()
    kernel.record_ports({})
    app.connection_file = NO_SOCKETS
    kernel.shell.register_magic_function(no_connection_file, "line", "connect_info")
    kernel.shell.register_magic_function(no_connection_file, "line", "qtconsole")
    if not hooked(kernel.shell):
        rehearse(app, pipe)
    return pipe


def hooked(shell):
    """Does something beside IPython take part in the execution of a cell?"""
    if shell.ast_transformers or shell.input_transformers_post:
        return True
    return any((getattr(f, "__module__", None) or "").partition(".")[0] not in ("IPython", "ipykernel")
               for found in shell.events.callbacks.values() for f in found)


class Nowhere(Stream):
    """Takes what a rehearsal sends."""

    def send_multipart(self, frames, *args, **kwargs):
        pass


def rehearse(app, pipe):
    """Execute an empty cell and forget it: what the first cell of a kernel loads
    and keeps, all children then share."""
    import asyncio
    import linecache

    kernel, shell, session = app.kernel, app.kernel.shell, app.session
    nowhere = kernel.iopub_socket = Nowhere(pipe, "shell")
    files = set(linecache.cache)
    content = {"code": "pass", "silent": True, "store_history": False, "user_expressions": {},
               "allow_stdin": False, "stop_on_error": False}
    frames = session.serialize(session.msg("execute_request", content))

    async def execute():
        request = session.deserialize(session.feed_identities(frames)[1])
        kernel._publish_status("busy", "shell")
        await kernel.execute_request(nowhere, [], request)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(execute())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        kernel.iopub_socket = app.iopub_socket
        shell.last_execution_result, shell.last_execution_succeeded = None, True
        for name in set(linecache.cache) - files:
            del linecache.cache[name]


def start(app, pipe, fd, connect):
    """Be a kernel, in a child; connect is done when its output has a place to go.
    Returns when it has been shut down."""
    import uuid

    from tornado.ioloop import IOLoop

    session = app.session
    session.pid, session.session, session.message_count = os.getpid(), str(uuid.uuid4()), 0
    pipe.begin(fd)
    plain, ipykernel.iostream.OutStream = ipykernel.iostream.OutStream, OutStream
    try:
        app.init_io()
    finally:
        ipykernel.iostream.OutStream = plain
    app.init_signal()
    loop = IOLoop.current()
    pipe.shell.io_loop = pipe.control.io_loop = pipe.stdin.io_loop = loop
    kernel = app.kernel
    app.displayhook.get_execution_count = lambda: kernel.execution_count
    connect()
    pipe.start()
    app.start()
