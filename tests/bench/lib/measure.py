"""CPU and memory of a process with all that it started, and what strace counted."""
import os, re, threading, time

TICK = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.25
FLUSHES = {"fsync", "fdatasync", "sync_file_range", "msync"}
SOCKET_CALLS = {"read", "readv", "recvfrom", "recvmsg", "recvmmsg", "write", "writev", "sendto", "sendmsg", "sendmmsg", "accept", "accept4", "connect",
                "socket", "bind", "shutdown", "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "select", "pselect6", "getsockname", "getpeername",
                "setsockopt", "getsockopt", "close", "fcntl", "ioctl"}


def stat_of(pid):
    """(parent, ticks of its own and of its reaped children), or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            x = f.read().rsplit(")", 1)[1].split()
        return int(x[1]), sum(int(v) for v in x[11:15])
    except (OSError, IndexError):
        return None


def tree(root):
    """{pid: ticks} of root and its descendants."""
    stats = {int(p): s for p in os.listdir("/proc") if p.isdigit() for s in [stat_of(int(p))] if s}
    found, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if pid in stats and pid not in found:
            found[pid] = stats[pid][1]
            todo += [p for p, (parent, _) in stats.items() if parent == pid]
    return found


def pss_kib(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return next((int(line.split()[1]) for line in f if line.startswith("Pss:")), 0)
    except OSError:
        return 0


def anonymous_kib(pid):
    """Resident memory that no file stands behind: heap and stacks."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))


class Watch:
    """CPU seconds used by a process tree inside the block, and the most memory (proportional set size) that it had."""

    def __init__(self, root):
        self.root, self.peak_mib, self.over = root, 0.0, threading.Event()

    def sample(self):
        self.peak_mib = max(self.peak_mib, sum(map(pss_kib, tree(self.root))) / 1024)

    def keep_sampling(self):
        while not self.over.wait(SAMPLE_S):
            self.sample()

    def __enter__(self):
        self.thread = threading.Thread(target=self.keep_sampling, daemon=True)
        self.thread.start()
        self.ticks, self.began = sum(tree(self.root).values()), time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
        self.cpu_seconds = (sum(tree(self.root).values()) - self.ticks) / TICK
        self.over.set()
        self.thread.join()
        self.sample()


# What file_calls reads.
FILE_CALLS = ["--seccomp-bpf", "-y", "-s", "0", "-e", "trace=write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,msync"]
CALL = re.compile(r"^(\d+) +(\w+)\((?:\d+<([^>]*)>)?.*?(?:= (-?\d+)[^=]*|(<unfinished \.\.\.>))$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>.*= (-?\d+)")


def file_calls(path, folder):
    """(flushes, octets given to files under folder) of a strace with FILE_CALLS: what one process tree wrote, however short its
    processes lived."""
    flushes, octets, pending = 0, 0, {}
    with open(path, errors="replace") as f:
        for line in f:
            m, r = CALL.match(line), RESUMED.match(line)
            if m and m[5]:
                pending[m[1]] = m[3] or ""
                continue
            if not m and not r:
                continue
            name, result = (m[2], m[4]) if m else (r[2], r[3])
            file = (m[3] or "") if m else pending.pop(r[1], "")
            if name in FLUSHES:
                flushes += 1
            elif file.startswith(folder) and int(result) > 0:
                octets += int(result)
    return flushes, octets


def strace_counts(path):
    """{system call: calls} of an `strace -c` summary."""
    out = {}
    with open(path) as f:
        for line in f:
            x = line.split()
            if len(x) >= 5 and x[0].replace(".", "").isdigit() and x[3].isdigit() and x[-1] != "total":
                out[x[-1]] = int(x[3])
    return out
