"""What a message costs in system calls, flushes and bytes written, held below limits. These are counts: however busy the machine, they
hardly change, while times would be noise."""
import os, re, subprocess, sys, tempfile, types, unittest

from fairlead import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "bench", "lib"))
import loads, measure, relays        # noqa: E402

MESSAGES, SESSIONS, SIZE = 3000, 50, 4096
FLUSH_US = 5000         # what each flush takes at least, so that how many messages share one is not up to this machine's disk
TRIES = 3               # … nor to what else it does: the best run counts
PATIENCE_S = 240
# a message's, in and out together; eight of the calls on sockets are the client's own four turns
LIMITS = {
    "calls on sockets": 14.0,
    "calls in all": 20.0,
    "flushes": 0.1,
    "octets written to files, for each of the message": 1.75,
}
MEMORY_CALLS = {"mmap", "munmap", "madvise", "mprotect", "brk", "sched_yield"}      # the sanitizers' own


def written(pid):
    """Octets that write and its like gave to files (calls that send on sockets are not in it)."""
    with open("/proc/%d/io" % pid) as f:
        return int(re.search(r"^wchar: (\d+)", f.read(), re.M).group(1))


def may_trace():
    return subprocess.run(["strace", "-o", "/dev/null", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(may_trace(), "strace may not trace here")
class Economy(unittest.TestCase):
    def run_relay(self, messages):
        """({system call: times}, octets written) of a whole life with so many messages."""
        a = types.SimpleNamespace(build=BUILD, sessions=SESSIONS, size=SIZE)
        with tempfile.TemporaryDirectory(prefix="fairlead-e2e-", dir="/var/tmp") as folder:
            os.chmod(folder, 0o755)
            sink = relays.SmtpSink()
            relay = relays.Fairlead(a, os.path.join(folder, "relay"), sink.port)
            relay.strace_args += ["-e", "inject=fdatasync,fsync:delay_exit=%d" % FLUSH_US]
            try:
                relay.start(strace=True)
                before = written(relay.pid)
                if messages:
                    loads.source(a, relay.port, messages)
                    relay.wait_delivered(messages, PATIENCE_S)
                octets = written(relay.pid) - before
            finally:
                relay.stop()
                sink.stop()
            return measure.strace_counts(relay.strace_file), octets

    def costs(self, idle):
        """What a message costs, by the names of the limits: a life with messages, less one without."""
        counts, octets = self.run_relay(MESSAGES)
        each = {k: max(0, n - idle.get(k, 0)) / MESSAGES for k, n in counts.items() if k not in MEMORY_CALLS}
        return {
            "calls on sockets": sum(n for k, n in each.items() if k in measure.SOCKET_CALLS),
            "calls in all": sum(each.values()),
            "flushes": sum(n for k, n in each.items() if k in measure.FLUSHES),
            "octets written to files, for each of the message": octets / MESSAGES / SIZE,
        }

    def test_a_message_costs_few_system_calls_flushes_and_bytes(self):
        os.environ["ASAN_OPTIONS"] = "detect_leaks=0"        # the leak detector cannot work under strace
        self.addCleanup(os.environ.pop, "ASAN_OPTIONS")
        idle, _ = self.run_relay(0)
        for _ in range(TRIES):
            costs = self.costs(idle)
            if all(costs[what] <= limit for what, limit in LIMITS.items()):
                break
        print("  ".join("%s %.3f" % x for x in costs.items()), file=sys.stderr)
        for what, limit in LIMITS.items():
            with self.subTest(what):
                self.assertLessEqual(costs[what], limit)
