"""What stands between source and sink: Fairlead, and a Postfix that only relays. And the sink."""
import os, pwd, shutil, signal, socket, subprocess, sys, time

POLL_S = 0.02
START_S = 30


def ends_well():
    """SIGTERM, as timeout(1) sends it, unwinds like any error: all that was started is stopped, and folders go."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def certificate(folder):
    """A self-signed certificate for loopback, and its key: (file, file). P-256, as fast as TLS gets."""
    crt, key = os.path.join(folder, "relay.pem"), os.path.join(folder, "relay.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=bench.test",
                    "-addext", "subjectAltName=DNS:bench.test,IP:127.0.0.1", "-keyout", key, "-out", crt], check=True, stdin=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return crt, key


def wait_port(port, timeout=START_S):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                if s.recv(3) == b"220":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("no banner on port %d after %d s" % (port, timeout))


class SmtpSink:
    """Postfix's own receiver."""

    def __init__(self):
        self.port = free_port()
        who = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.p = subprocess.Popen(["smtp-sink", *who, "127.0.0.1:%d" % self.port, "1000"], stdin=subprocess.DEVNULL)
        wait_port(self.port)

    def stop(self):
        self.p.terminate()
        self.p.wait()


class TlsSink:
    """Fairlead's own receiver, under TLS: smtp-sink knows none."""

    def __init__(self, build):
        self.port = free_port()
        self.p = subprocess.Popen([os.path.join(build, "fairlead"), "sink", "--listen", "127.0.0.1:%d" % self.port, "--tls", "on", "--quiet"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.port)

    def stop(self):
        self.p.terminate()
        self.p.wait()


class Relay:
    """Its folder, its port, its process; under strace the process is strace's only child. a.tls: STARTTLS in and out. strace_args may
    be changed before the start."""

    def __init__(self, a, folder, sink_port):
        self.a, self.folder, self.sink_port, self.port = a, folder, sink_port, free_port()
        self.tls = getattr(a, "tls", False)
        self.strace_file, self.strace_args = os.path.join(folder, "strace"), ["-c"]
        self.delivered_before = 0
        os.makedirs(folder)

    def launch(self, argv, strace):
        if strace:
            argv = ["strace", "-f", "-o", self.strace_file, *self.strace_args, *argv]
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.pid = self.p.pid
        wait_port(self.port)
        if strace:
            with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as f:
                self.pid = int(f.read().split()[0])

    def end(self):
        """SIGTERM to the relay itself, so that strace writes its summary."""
        if self.p.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        self.p.wait(60)
        self.log.close()

    def wait_delivered(self, n, timeout):
        """Until n more than at the last call are delivered."""
        end = time.monotonic() + timeout
        while self.delivered(n) < n:
            if time.monotonic() > end:
                raise RuntimeError("%s: %d of %d delivered after %d s" % (type(self).__name__, self.delivered(n), n, timeout))
            time.sleep(POLL_S)
        self.delivered_before += n


class Fairlead(Relay):
    def start(self, strace=False):
        self.accounting, self.offset, self.seen = os.path.join(self.folder, "accounting.jsonl"), 0, 0
        crt, key = certificate(self.folder) if self.tls else ("", "")
        vmtas = "".join('  v%d: {source_addresses: [127.0.1.%d], hostname: v%d.bench.test}\n' % (i, i + 1, i) for i in range(100))
        conf = os.path.join(self.folder, "fairlead.yaml")
        with open(conf, "w") as f:
            f.write("""server: {hostname: bench.test, data_dir: %(dir)s/data, user: "", postmaster: postmaster@bench.test}
listeners:
  - {address: "127.0.0.1:%(port)d", role: relay, tls: %(in)s}
%(certificates)ssources:
  - {network: any, require_auth: true, max_connections_per_ip: 5000}
  - {network: 127.0.0.0/8, always_allow_relaying: true, tenant: bench}
vmtas:
%(vmtas)stenants:
  bench: {sender_domains: ["*"], vmtas: [%(names)s], route: v0, steering_headers: true}
domains:
  "*": {smart_host: "[127.0.0.1]:%(sink)d", tls: %(out)s, max_connections: 50, max_messages_per_connection: 1000000}
admin: {socket: control.sock}
accounting:
  - {file: %(dir)s/accounting.jsonl}
""" % {"dir": self.folder, "port": self.port, "sink": self.sink_port, "vmtas": vmtas, "names": ", ".join("v%d" % i for i in range(100)),
       "in": "starttls" if self.tls else "none", "out": "require" if self.tls else "none",
       "certificates": "tls: {certificates: [{certificate: %s, key: %s}]}\n" % (crt, key) if self.tls else ""})
        self.launch([os.path.join(self.a.build, "fairlead"), "--config", conf, "run"], strace)

    def stop(self):
        self.end()

    def delivered(self, n):
        """By its accounting, whose lines follow the COMMIT."""
        if os.path.exists(self.accounting):
            with open(self.accounting, "rb") as f:
                f.seek(self.offset)
                new = f.read()
            new = new[:new.rfind(b"\n") + 1]
            self.offset += len(new)
            self.seen += sum(b'"delivered"' in line for line in new.splitlines())
        return self.seen - self.delivered_before


class Postfix(Relay):
    """A null client that relays for loopback: its own configuration, queue and log; concurrency as high as Fairlead's."""
    MAIN = """compatibility_level = 3.6
queue_directory = %(dir)s/spool
data_directory = %(dir)s/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = %(dir)s/mail.log
maillog_file_prefixes = %(dir)s
myhostname = postfix.bench.test
mydestination =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:%(sink)d
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
default_process_limit = %(processes)d
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
in_flow_delay = 0
message_size_limit = 0
"""
    CLEAR = """smtpd_tls_security_level = none
smtp_tls_security_level = none
"""
    TLS = """smtpd_tls_security_level = may
smtpd_tls_cert_file = %s
smtpd_tls_key_file = %s
smtp_tls_security_level = encrypt
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
"""

    def start(self, strace=False):
        conf = os.path.join(self.folder, "etc")
        for d in ("etc", "spool", "data"):
            os.makedirs(os.path.join(self.folder, d))
        shutil.chown(os.path.join(self.folder, "data"), pwd.getpwnam("postfix").pw_uid)
        with open(os.path.join(conf, "main.cf"), "w") as f:
            f.write(self.MAIN % {"dir": self.folder, "sink": self.sink_port, "processes": max(200, self.a.sessions + 50)})
            f.write(self.TLS % certificate(self.folder) if self.tls else self.CLEAR)
        with open("/usr/share/postfix/master.cf.dist") as f:
            services = [self.service(line) for line in f if line.strip() and not line.startswith("#")]
        with open(os.path.join(conf, "master.cf"), "w") as f:
            f.writelines(services)
        shutil.copy("/etc/postfix/postfix-files", conf)
        if os.path.isdir("/etc/postfix/postfix-files.d"):
            shutil.copytree("/etc/postfix/postfix-files.d", os.path.join(conf, "postfix-files.d"))
        self.conf = conf
        if not strace:
            subprocess.run(["postfix", "-c", conf, "check"], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.launch(["postfix", "-c", conf, "start-fg"], strace)
        with open(os.path.join(self.folder, "spool", "pid", "master.pid")) as f:
            self.pid = int(f.read())

    def service(self, line):
        """No chroot; the smtp listener on our port."""
        x = line.split()
        if len(x) >= 8 and not line[0].isspace():
            x[4] = "n"
            if x[:2] == ["smtp", "inet"]:
                x[0] = "127.0.0.1:%d" % self.port
            return " ".join(x) + "\n"
        return line

    def stop(self):
        subprocess.run(["postfix", "-c", self.conf, "stop"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.p.wait(60)
        self.log.close()

    def delivered(self, n):
        """What was accepted and is in its queue no more."""
        waiting = sum(len(files) for d in ("maildrop", "incoming", "active", "deferred") for _, _, files in os.walk(os.path.join(self.folder, "spool", d)))
        return n - waiting


KINDS = {"fairlead": Fairlead, "postfix": Postfix}
