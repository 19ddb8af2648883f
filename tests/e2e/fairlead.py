"""The program under test: a configuration, its start and stop, its command line. Everything it needs lies in a folder of its own."""
import json, os, re, shutil, signal, socket, subprocess, tempfile, time, unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("FAIRLEAD_BUILD") or os.path.join(ROOT, "build")
BINARY = os.path.join(BUILD, "fairlead")
START_S = 30            # with sanitizers, beside a compiler
PASSWORD = "barbaz"


def free_port(ip="127.0.0.1"):
    with socket.socket() as s:
        s.bind((ip, 0))
        return s.getsockname()[1]


def eventually(what, seconds=20.0, every=0.05):
    """What what() says as soon as that is true; its last word when the time is over."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got or time.monotonic() > end:
            return got
        time.sleep(every)


def certificate(folder, name, *more, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """A self-signed certificate for this name, and its key: (file, file)."""
    crt, key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
    names = ",".join("DNS:" + n for n in (name, *more)) + ",IP:127.0.0.1"
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "30", "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=" + names, "-keyout", key, "-out", crt], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return crt, key


def commands():
    """The names of all commands that this binary has."""
    p = subprocess.run([BINARY, "help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_S)
    return re.findall(r"^  (\w+(?: \w+)?)  +\S", p.stdout, re.M)


class Daemon:
    """A running relay with two customers: acme (user foo, source address 127.0.0.11) and globex (user bar, 127.0.0.13).
    All mail goes to `sink` unless the test amends the configuration before start()."""

    def __init__(self, sink=None):
        self.dir = tempfile.mkdtemp(prefix="fairlead-e2e-")
        self.submission, self.smtps, self.relay, self.http = (free_port() for _ in range(4))
        self.log, self.file = os.path.join(self.dir, "log"), os.path.join(self.dir, "fairlead.yaml")
        self.process, self.env = None, {}       # env: more for the environment of `run`
        crt, key = certificate(self.dir, "relay.test")
        self.config = {
            "server": {"hostname": "relay.test", "data_dir": os.path.join(self.dir, "data"), "user": "", "postmaster": "postmaster@relay.test",
                       "shutdown_grace": "3s"},
            "listeners": [
                {"address": "127.0.0.1:%d" % self.submission, "role": "submission", "tls": "starttls"},
                {"address": "127.0.0.1:%d" % self.smtps, "role": "submission", "tls": "implicit"},
                {"address": "127.0.0.1:%d" % self.relay, "role": "relay", "tls": "starttls"},
            ],
            "tls": {"certificates": [{"certificate": crt, "key": key}]},
            "sources": [
                {"network": "any", "require_auth": True, "auth_mechanisms": ["SCRAM-SHA-256", "PLAIN", "LOGIN"]},
                {"network": "127.0.0.2/32", "always_allow_relaying": True, "tenant": "acme"},
            ],
            "store": {"min_free_space": "16MiB"},
            "defaults": {"retry": ["1s"], "expire_after": "1h", "tls": "none", "allow_loopback": True},
            "vmtas": {
                "a1": {"source_addresses": ["127.0.0.11"], "hostname": "a1.acme.example"},
                "a2": {"source_addresses": ["127.0.0.12"], "hostname": "a2.acme.example"},
                "g1": {"source_addresses": ["127.0.0.13"], "hostname": "g1.globex.example"},
            },
            "tenants": {
                "acme": {"users": {"foo": {"method": "password", "password": {"plain": PASSWORD}}}, "sender_domains": ["acme.example"],
                         "vmtas": ["a1", "a2"], "route": "a1", "steering_headers": True},
                "globex": {"users": {"bar": {"method": "password", "password": {"plain": "quux"}}}, "sender_domains": ["globex.example"],
                           "vmtas": ["g1"], "route": "g1"},
            },
            "admin": {"socket": "control.sock", "http": {"address": "127.0.0.1:%d" % self.http, "tokens": [{"name": "ops", "token": {"file": os.path.join(self.dir, "token")}}]}},
            "accounting": [{"file": os.path.join(self.dir, "accounting.jsonl")}],
            "log": {"level": "info", "to": "stderr"},
        }
        if sink:
            self.config["domains"] = {"*": {"smart_host": "[127.0.0.1]:%d" % sink}}

    def write_config(self):
        """JSON is YAML."""
        with open(os.path.join(self.dir, "token"), "w") as f:
            f.write("secret\n")
        with open(self.file, "w") as f:
            json.dump(self.config, f, indent=1)
        os.chmod(self.file, 0o600)

    def start(self, launcher=()):
        """launcher: a command that runs the one that follows it."""
        self.write_config()
        at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*launcher, BINARY, "--config", self.file, "run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.env})
        eventually(lambda: re.search(r"\bready\b", self.said(at)) or self.process.poll() is not None, START_S)
        if self.process.poll() is not None or not re.search(r"\bready\b", self.said(at)):
            raise RuntimeError("fairlead run: not ready, status %s:\n%s" % (self.process.poll(), self.said(at)[-4000:]))
        return self

    def said(self, at=0):
        with open(self.log, errors="replace") as f:
            f.seek(at)
            return f.read()

    def kill9(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill9()
                raise RuntimeError("SIGTERM was not obeyed in 20 s:\n" + self.said()[-4000:])
        return self.process.returncode

    def cli(self, *args, stdin=""):
        return subprocess.run([BINARY, "--config", self.file, *args], input=stdin, capture_output=True, text=True, timeout=START_S)

    def accounting(self):
        """Its events so far."""
        file = os.path.join(self.dir, "accounting.jsonl")
        if not os.path.exists(file):
            return []
        with open(file) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def forget(self):
        shutil.rmtree(self.dir, ignore_errors=True)


@unittest.skipUnless("run" in commands(), "this binary has no daemon")
class DaemonTest(unittest.TestCase):
    """A test with one daemon and the servers that it starts; all end with it, and a daemon that ends badly fails the test."""

    def daemon(self, *args, kind=Daemon, **kw):
        d = kind(*args, **kw)
        self.addCleanup(d.forget)
        self.addCleanup(self.end, d)
        return d

    def end(self, d):
        if d.process and d.process.returncode != -signal.SIGKILL:
            self.assertEqual(d.stop(), 0, d.said()[-4000:])
        self.assertNotRegex(d.said(), r"ERROR: (Address|Leak|Thread)Sanitizer|runtime error:")

    def server(self, s):
        self.addCleanup(s.stop)
        return s
