"""A Fairlead with two customers, acme and globex, two VMTAs each, for the benches that need more than one; and Fairlead's own sink."""
import json, os, signal, smtplib, subprocess, time

from relays import free_port, wait_port

USERS = {"acme": ("foo", "barbaz"), "globex": ("bar", "quux")}
# tenant -> [(VMTA, source address, EHLO name)]
VMTAS = {"acme": [("acme0", "127.0.0.11", "m0.acme.example"), ("acme1", "127.0.0.12", "m1.acme.example")],
         "globex": [("globex0", "127.0.0.13", "m0.globex.example"), ("globex1", "127.0.0.14", "m1.globex.example")]}
START_S = 60


class Sink:
    """`fairlead sink`: lines() are what it took."""

    def __init__(self, build, folder, *args, port=None, name="sink"):
        self.port, self.out = port or free_port(), os.path.join(folder, name + ".jsonl")
        self.file = open(self.out, "ab")
        self.p = subprocess.Popen([os.path.join(build, "fairlead"), "sink", "--listen", "127.0.0.1:%d" % self.port, *args], stdin=subprocess.DEVNULL,
                                  stdout=self.file, stderr=subprocess.DEVNULL)
        wait_port(self.port)
        self.offset = self.count = 0

    def lines(self):
        with open(self.out) as f:
            for line in f:
                if line.endswith("\n"):
                    yield json.loads(line)

    def taken(self):
        """How many lines so far, without reading them twice."""
        with open(self.out, "rb") as f:
            f.seek(self.offset)
            new = f.read()
        self.offset += len(new)
        self.count += new.count(b"\n")
        return self.count

    def stop(self):
        if self.p.poll() is None:
            self.p.terminate()
            self.p.wait()
        self.file.close()


def client(w, tenant):
    """A session of this customer, logged in: smtplib's."""
    c = smtplib.SMTP("127.0.0.1", w.port, timeout=60)
    c.login(*USERS[tenant])
    return c


class World:
    def __init__(self, build, folder, sink_port, domains=None, defaults=None, tenants=None, amend=None):
        """amend: called with the configuration before it is written, to change what the other arguments do not."""
        self.build, self.folder = build, folder
        self.port, self.http, self.p = free_port(), free_port(), None
        self.conf, self.log = os.path.join(folder, "fairlead.yaml"), os.path.join(folder, "log")
        doc = {
            "server": {"hostname": "bench.test", "data_dir": os.path.join(folder, "data"), "user": "", "postmaster": "postmaster@bench.test", "shutdown_grace": "5s"},
            "listeners": [{"address": "127.0.0.1:%d" % self.port, "role": "submission", "tls": "none"}],
            "sources": [{"network": "any", "require_auth": True, "require_starttls_before_auth": False, "max_connections_per_ip": 5000}],
            "defaults": {"tls": "none", "retry": ["2s"], "max_connections": 50, "max_messages_per_connection": 100000, **(defaults or {})},
            "vmtas": {name: {"source_addresses": [ip], "hostname": ehlo} for rows in VMTAS.values() for name, ip, ehlo in rows},
            "tenants": {t: {"users": {USERS[t][0]: {"method": "password", "password": {"plain": USERS[t][1]}}}, "sender_domains": [t + ".example"],
                            "vmtas": [v[0] for v in VMTAS[t]], "route": VMTAS[t][0][0], "steering_headers": True, **(tenants or {}).get(t, {})} for t in VMTAS},
            "domains": domains or {"*": {"smart_host": "[127.0.0.1]:%d" % sink_port}},
            "admin": {"socket": "control.sock"},
            "accounting": [{"file": os.path.join(folder, "accounting.jsonl")}],
        }
        if amend:
            amend(doc)
        self.write(doc)

    def write(self, doc):
        """JSON is YAML."""
        self.doc = doc
        with open(self.conf, "w") as f:
            json.dump(doc, f, indent=1)
        os.chmod(self.conf, 0o600)

    def start(self):
        """Returns the seconds until `ready`."""
        at, began = os.path.getsize(self.log) if os.path.exists(self.log) else 0, time.monotonic()
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen([os.path.join(self.build, "fairlead"), "--config", self.conf, "run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while time.monotonic() < began + START_S and self.p.poll() is None:
            with open(self.log, errors="replace") as f:
                f.seek(at)
                if " ready" in f.read():
                    return time.monotonic() - began
            time.sleep(0.005)
        with open(self.log, errors="replace") as f:
            raise RuntimeError("fairlead run is not ready (status %s):\n%s" % (self.p.poll(), f.read()[-3000:]))

    def kill9(self):
        if self.p:
            self.p.send_signal(signal.SIGKILL)
            self.p.wait()

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            self.p.wait(60)

    def waiting(self):
        """Recipients in the queues."""
        p = subprocess.run([os.path.join(self.build, "fairlead"), "--config", self.conf, "status", "--json"], capture_output=True, timeout=60)
        return json.loads(p.stdout)["queued"]["recipients"] if p.returncode == 0 else None

    def cli(self, *args):
        return subprocess.run([os.path.join(self.build, "fairlead"), "--config", self.conf, *args], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    def disk_mib(self):
        """What the store's files take: {database, log, bodies}, by what is allocated."""
        out = {"database": 0.0, "log": 0.0, "bodies": 0.0}
        for d, _, files in os.walk(os.path.join(self.folder, "data")):
            for name in files:
                kind = "database" if name.endswith(".db") else "log" if "-wal" in name or "-shm" in name else "bodies"
                try:
                    out[kind] += os.stat(os.path.join(d, name)).st_blocks * 512 / (1 << 20)
                except FileNotFoundError:
                    continue        # its last message has just gone
        return out

    def memory_mib(self):
        with open("/proc/%d/status" % self.p.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024

    def source(self, tenant, messages, *args, **popen):
        """A load of one customer, under way: a Popen whose stdout is its JSON."""
        return self.source_of(*USERS[tenant], messages, "--from-domain", tenant + ".example", "--vmta-prefix", tenant, "--vmtas", str(len(VMTAS[tenant])), *args, **popen)

    def source_of(self, user, password, messages, *args, **popen):
        return subprocess.Popen([os.path.join(self.build, "tests", "bench", "source"), "--to", "127.0.0.1:%d" % self.port, "--auth", user + ":" + password,
                                 "--messages", str(messages), *args],
                                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **popen})
