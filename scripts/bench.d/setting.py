"""What every benchmark needs: programs, processes that end with it, turns, the table and the result file."""
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 60


def in_own_session(work):
    """Runs `work` in a child with a session of its own: the scheduler then shares by session, and ours counts more."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            raise_share("self")
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
            code = work() or 0
        except KeyboardInterrupt:
            code = 130
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            os._exit(code)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        with contextlib.suppress(InterruptedError):
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def raise_share(pid):
    """Of the session of a process, where the system lets us."""
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-20")


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    try:
        share = pathlib.Path("/proc/self/autogroup").read_text().split("nice")[1].strip()
    except (OSError, IndexError):
        share = "unknown"
    return (f"{os.cpu_count()} x {model}, Linux {platform.release().split('-')[0]}, "
            f"load {os.getloadavg()[0]:.1f}, session nice {share}")


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def set_real_time(pid):
    """Lets a process run before all ordinary ones, where the system lets us; True if it does."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True


class Process:
    """A program of ours that is ended, at the latest, with the benchmark."""

    def __init__(self, argv, log, **more):
        self.log = log
        self._output = open(log, "ab")
        self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=self._output,
                                      **{"stdout": self._output, **more})
        self.pid = self.child.pid

    def cpu(self):
        return cpu_seconds(self.pid)

    def resident_bytes(self):
        try:
            pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):  # it has ended
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self._output.close()

    def tail(self):
        return pathlib.Path(self.log).read_text(errors="replace")[-2000:]


class Bench:
    def __init__(self, name, options):
        self.name = name
        self.quick = options.quick
        self.build = options.build.resolve()
        self.turns = 2 if options.quick else 5
        self.seconds = 1 if options.quick else 2
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"freshet-bench-{name}-"))
        self.rows = []
        self.facts = {}
        self.machine = machine()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def at_end(self, work):
        self._stack.callback(work)

    # ---- programs

    def program(self, name):
        path = self.build / name if name == "freshet" else self.build / "bench" / f"bench_{name}"
        if not path.exists():
            sys.exit(f"bench: {path} is missing: build it first, or name another build with --build")
        return str(path)

    def output(self, argv, seconds=300, before=None):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
                              preexec_fn=before)
        if done.returncode != 0:
            sys.exit(f"bench: {' '.join(map(str, argv[:4]))} ... failed: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def json_of(self, argv, seconds=300, before=None):
        return json.loads(self.output(argv, seconds, before))

    def start(self, argv, name, **more):
        process = Process(argv, self.folder / f"{name}.log", **more)
        self._stack.callback(process.stop)
        return process

    def redis(self, name="redis"):
        """A redis-server of our own; returns (process, address)."""
        port = free_port()
        process = self.start(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
                              "--appendonly", "no", "--dir", str(self.folder), "--maxmemory-policy", "noeviction",
                              "--hash-max-listpack-value", "4096"], name)
        self.until(lambda: _connects(port), process)
        return process, f"127.0.0.1:{port}"

    def node(self, config, name="node", environment=None):
        """`freshet run`; returns (process, its ready line)."""
        process = self.start([self.program("freshet"), "run", "-c", str(config)], name, stdout=subprocess.PIPE,
                             env={**os.environ, **(environment or {})})
        os.set_blocking(process.child.stdout.fileno(), False)
        line = self.until(process.child.stdout.readline, process)
        return process, json.loads(line)

    def until(self, ask, process):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if answer := ask():
                return answer
            if process.child.poll() is not None:
                sys.exit(f"bench: {process.child.args[0]} ended: {process.tail()}")
            time.sleep(0.05)
        sys.exit(f"bench: {process.child.args[0]} was not ready within {READY_SECONDS} s: {process.tail()}")

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    # ---- figures

    def compare(self, metrics, ours, theirs, peer):
        """A B A B; each side is called once a turn and gives a dict of figures. `metrics`: (metric, unit, key) of those
        to tell, each with its medians; the ratio is the median of the turns' ratios."""
        pairs = [(ours(), theirs()) for _ in range(self.turns)]
        for metric, unit, key in metrics:
            figures = [(a[key], b[key]) for a, b in pairs]
            self.row(metric, unit, statistics.median(a for a, _ in figures), peer,
                     statistics.median(b for _, b in figures), statistics.median(a / b for a, b in figures if b))

    def row(self, metric, unit, ours, peer=None, theirs=None, ratio=None):
        if ratio is None and theirs:
            ratio = ours / theirs
        self.rows.append({"metric": metric, "unit": unit, "ours": ours, "peer": peer, "theirs": theirs,
                          "ratio": ratio})
        print(_line(self.rows[-1]), flush=True)

    def keep(self, name, text):
        """A file of the result; its path."""
        path = ROOT / "build" / "bench" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def finish(self, oracle):
        result = {"bench": self.name, "machine": self.machine, "quick": self.quick, "turns": self.turns,
                  "rows": self.rows, "facts": self.facts, "oracle": oracle}
        path = self.keep(f"{self.name}.json", json.dumps(result, indent=1) + "\n")
        print(f"\n{self.machine}\noracle: {oracle}\n{path}")
        if oracle == "equal":
            shutil.rmtree(self.folder, ignore_errors=True)
        return 0 if oracle == "equal" else 1


def _connects(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(row):
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    return (f"{row['metric']:<58} {row['unit']:<12} {_number(row['ours']):>12} {_number(row['theirs']):>12} "
            f"{ratio:>6}  {row['peer'] or ''}")
