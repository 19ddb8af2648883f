"""The loads: each sends n messages to a port of 127.0.0.1 and returns the seconds that it took until all were accepted."""
import json, os, subprocess, time

VERP_DOMAINS, VERP_VMTAS = 10000, 100
LOAD_S = 900        # no load of ours takes so long unless something hangs


def smtp_source(a, port, n):
    """Postfix's own generator: lock-step, many messages a connection (-d)."""
    began = time.monotonic()
    subprocess.run(["smtp-source", "-d", "-s", str(a.sessions), "-l", str(a.size), "-m", str(n), "-f", "source@bench.test", "-t", "user@bench.test",
                    "127.0.0.1:%d" % port], check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - began


def source(a, port, n, *more):
    p = subprocess.run([os.path.join(a.build, "tests", "bench", "source"), "--to", "127.0.0.1:%d" % port, "--sessions", str(a.sessions),
                        "--size", str(a.size), "--messages", str(n), "--from-domain", "bench.test", *more],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=LOAD_S)
    return json.loads(p.stdout)["seconds"]


def pipelining(a, port, n):
    return source(a, port, n, "--pipelining")


def verp(a, port, n):
    """A reverse-path for each message, one recipient each, many domains, many VMTAs."""
    return source(a, port, n, "--verp", "--domains", str(VERP_DOMAINS), "--vmtas", str(VERP_VMTAS))


def verp_pipelining(a, port, n):
    return source(a, port, n, "--pipelining", "--verp", "--domains", str(VERP_DOMAINS), "--vmtas", str(VERP_VMTAS))
