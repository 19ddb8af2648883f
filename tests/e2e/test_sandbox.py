"""What the daemon gives up once its ports are bound, and that what it has to do goes on: another user, Landlock, seccomp; ports
that systemd binds for it; what stays in its memory."""
import base64, os, pwd, re, shutil, smtplib, socket, subprocess, sys, tempfile, unittest

from fairlead import BINARY, DaemonTest, PASSWORD, certificate, eventually, free_port
from servers import Sink
from test_operate import submit

HERE = os.path.dirname(os.path.abspath(__file__))
BIND_SERVICE = 1 << 10
STRANGER = "nobody"     # a user that every machine has
MAPPED_MOST = 1 << 30    # above it lies a sanitizer's shadow


def low_port():
    """A port below 1024 that is free."""
    for port in range(1023, 500, -1):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise unittest.SkipTest("no port below 1024 can be bound here")


def status(d):
    with open("/proc/%d/status" % d.process.pid) as f:
        return dict(re.findall(r"^(\w+):\s*(.*)$", f.read(), re.M))


class Given(DaemonTest):
    def setUp(self):
        self.sink = self.server(Sink())
        self.d = self.daemon(self.sink.port)

    def landlock(self):
        """Whether this kernel has it: then the log says which version."""
        return re.search(r"\bsandbox\b.*landlock=\"version \d", self.d.said())

    def reload_says(self):
        self.d.write_config()
        p = self.d.cli("reload")
        return p.returncode, p.stderr

    def delivered(self, n=1):
        before = len(self.sink.messages())
        for _ in range(n):
            submit(self.d)
        return eventually(lambda: len(self.sink.messages()) == before + n)


class Sandbox(Given):
    def test_it_is_confined_and_says_so_in_one_line(self):
        self.d.start()
        s = status(self.d)
        self.assertEqual(s["NoNewPrivs"], "1")
        self.assertEqual(len(re.findall(r" info sandbox user=\S+ landlock=.* seccomp=.* core_dumps=off", self.d.said())), 1, self.d.said())
        if "seccomp=on" in self.d.said():
            self.assertEqual(s["Seccomp"], "2")
        self.assertTrue(self.delivered())

    def test_each_part_can_be_turned_off(self):
        self.d.config["server"]["sandbox"] = {"landlock": False, "seccomp": False, "core_dumps": True}
        self.d.start()
        self.assertEqual(status(self.d)["Seccomp"], "0")
        self.assertRegex(self.d.said(), r"sandbox user=\S+ landlock=off seccomp=off core_dumps=on")

    def test_a_reload_within_its_folders_works_and_one_outside_says_restart(self):
        self.d.start()
        new = certificate(self.d.dir, "other.test")
        self.d.config["tls"]["certificates"] = [{"certificate": new[0], "key": new[1]}]
        self.d.config["accounting"].append({"file": os.path.join(self.d.dir, "second.jsonl")})
        self.assertEqual(self.reload_says()[0], 0, self.d.said())
        self.assertTrue(self.delivered())
        self.assertTrue(eventually(lambda: os.path.getsize(os.path.join(self.d.dir, "second.jsonl"))))
        if not self.landlock():
            self.skipTest("this kernel has no Landlock")
        folder = tempfile.mkdtemp(prefix="fairlead-outside-")
        self.addCleanup(shutil.rmtree, folder)
        self.d.config["accounting"].append({"file": os.path.join(folder, "third.jsonl")})
        code, said = self.reload_says()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"third\.jsonl: may not be written by the running daemon.*restart")
        self.d.config["accounting"].pop()
        secret = os.path.join(folder, "secret")
        with open(secret, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("x\n")
        self.d.config["tenants"]["acme"]["users"]["foo"]["password"] = {"plain": {"file": secret}}
        code, said = self.reload_says()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"secret cannot be read: Permission denied(.|\n)*restart")
        self.assertTrue(self.delivered())          # the configuration in force stays

    def test_the_first_user_of_method_system_at_a_reload_is_said_to_need_a_restart(self):
        self.d.start()
        self.d.config["tenants"]["acme"]["users"]["alice"] = {"method": "system"}
        self.assertEqual(self.reload_says()[0], 0)
        self.assertRegex(self.d.said(), r"restart_needed .*method system")

    def test_users_of_method_system_are_asked_for_in_a_process_of_its_own(self):
        self.d.config["tenants"]["acme"]["users"]["alice"] = {"method": "system"}
        self.d.start()
        with open("/proc/%d/task/%d/children" % (self.d.process.pid, self.d.process.pid)) as f:
            child = f.read().split()
        self.assertEqual(len(child), 1)
        with open("/proc/%s/status" % child[0]) as f:
            self.assertRegex(f.read(), r"Name:\s*fairlead-pam(.|\n)*NoNewPrivs:\s*0(.|\n)*Seccomp:\s*0")
        with smtplib.SMTP_SSL("127.0.0.1", self.d.smtps, timeout=30) as c:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                c.login("alice", "wrong")
        self.d.stop()
        self.assertTrue(eventually(lambda: not os.path.exists("/proc/" + child[0])))


@unittest.skipUnless(os.geteuid() == 0, "only root becomes another user")
class AnotherUser(Given):
    def setUp(self):
        super().setUp()
        self.d.config["server"]["user"] = STRANGER
        who = pwd.getpwnam(STRANGER)
        for name in [".", *os.listdir(self.d.dir)]:
            os.chown(os.path.join(self.d.dir, name), who.pw_uid, who.pw_gid)
        self.uid = who.pw_uid
        self.d.write_config()
        os.chown(self.d.file, self.uid, -1)
        os.chown(os.path.join(self.d.dir, "token"), self.uid, -1)

    def test_after_a_start_as_root_it_has_the_right_to_bind_low_ports_and_no_other(self):
        self.d.start()
        s = status(self.d)
        self.assertEqual(set(s["Uid"].split()), {str(self.uid)})
        self.assertEqual([int(s[c], 16) for c in ("CapInh", "CapPrm", "CapEff", "CapAmb")], [0, BIND_SERVICE, BIND_SERVICE, 0])
        self.assertTrue(self.delivered())

    def test_a_reload_may_open_a_low_port(self):
        self.d.start()
        port = low_port()
        self.d.config["listeners"].append({"address": "127.0.0.1:%d" % port, "role": "submission", "tls": "starttls"})
        self.assertEqual(self.reload_says()[0], 0, self.d.said())
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as c:
            self.assertEqual(c.ehlo()[0], 250)

    def test_accounting_is_rotated_and_certificates_are_read_again(self):
        self.d.config["accounting"][0]["rotate"] = {"size": "4KiB", "keep": 5}
        self.d.start()
        self.assertTrue(self.delivered(30))
        self.assertTrue(eventually(lambda: [n for n in os.listdir(self.d.dir) if n.startswith("accounting.jsonl.")]), self.d.said())
        self.assertNotRegex(self.d.said(), "file_failed|certificates_failed")


class Activation(Given):
    def test_ports_that_were_bound_for_it_are_taken_by_address(self):
        spare = free_port()
        ports = ["127.0.0.1:%d" % p for p in (self.d.relay, spare, self.d.submission)]
        self.d.start([sys.executable, os.path.join(HERE, "activate.py"), *ports, "--"])
        self.assertRegex(self.d.said(), r"activation .*127\.0\.0\.1:%d was passed, but no listener" % spare)
        self.assertEqual(self.d.said().count(" activation "), 1)
        self.assertTrue(self.delivered())
        for port in (self.d.submission, self.d.relay):
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as c:
                self.assertEqual(c.ehlo()[0], 250)

    def test_a_listener_that_a_reload_takes_away_may_come_back(self):
        self.d.start([sys.executable, os.path.join(HERE, "activate.py"), "127.0.0.1:%d" % self.d.relay, "--"])
        gone = self.d.config["listeners"].pop()
        self.assertEqual(self.reload_says()[0], 0, self.d.said())
        self.d.config["listeners"].append(gone)
        self.assertEqual(self.reload_says()[0], 0, self.d.said())
        self.assertTrue(self.delivered())


class Memory(Given):
    """What a debugger of root would find in the process once log-ins are over."""

    def written_places(self):
        """(from, to) of what is mapped for writing and has been written."""
        with open("/proc/%d/smaps" % self.d.process.pid) as f:
            for line in f:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ", line)
                if m:
                    at, end, rights = int(m[1], 16), int(m[2], 16), m[3]
                elif line.startswith("Rss:") and int(line.split()[1]) and rights.startswith("rw") and end - at <= MAPPED_MOST:
                    yield at, end

    def read_memory(self):
        parts = []
        with open("/proc/%d/mem" % self.d.process.pid, "rb", buffering=0) as mem:
            for at, end in self.written_places():
                mem.seek(at)
                parts.append(mem.read(end - at))
        return parts

    def traces(self, parts, password):
        """How often this password, or a base64 that holds it, stands there."""
        forms = [password.encode()]
        for shift in range(3):
            forms.append(base64.b64encode(b"\0" * shift + password.encode())[4 if shift else 0:-4])
        return {f: n for f in forms for n in [sum(p.count(f) for p in parts)] if n}

    def hash_of(self, password):
        p = self.d.cli("passwd", stdin=password + "\n")
        self.assertEqual(p.returncode, 0, p.stderr)
        return p.stdout.strip()

    def nothing_left_of(self, word):
        parts = self.read_memory()
        self.assertTrue(any(b"relay.test" in p for p in parts))       # it was read
        self.assertEqual(self.traces(parts, word), {})

    def log_in(self, c, method, user, word, how):
        c.user, c.password = user, word
        try:
            return c.auth(method, how, initial_response_ok=method == "PLAIN")[0]
        except smtplib.SMTPAuthenticationError as e:
            return e.smtp_code
        finally:
            self.nothing_left_of(word)

    def in_pieces(self, user, word):
        """AUTH PLAIN in clear, its response byte by byte: what is kept of an unfinished line grows."""
        with socket.create_connection(("127.0.0.1", self.d.submission), timeout=60) as s, s.makefile("rb") as f:
            f.readline()
            s.sendall(b"EHLO client.test\r\n")
            while f.readline()[3:4] == b"-":
                pass
            s.sendall(b"AUTH PLAIN\r\n")
            self.assertEqual(f.readline()[:3], b"334")
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in base64.b64encode(b"\0%s\0%s" % (user.encode(), word.encode())) + b"\r\n":
                s.sendall(bytes([byte]))
            self.assertEqual(f.readline()[:3], b"235")
            self.nothing_left_of(word)

    def test_no_password_stays_behind_a_login(self):
        words = {m: ("Pass%sWord%s" % (m, os.urandom(6).hex())) * 12 for m in ("plain", "login", "pieces")}
        self.d.write_config()
        users = self.d.config["tenants"]["acme"]["users"]
        for name, word in words.items():
            users[name] = {"method": "password", "password": {"hash": self.hash_of(word)}}
        self.d.config["sources"][0]["require_starttls_before_auth"] = False
        self.d.config["server"]["sandbox"] = {"landlock": False, "seccomp": False, "core_dumps": True}
        self.d.start()
        with smtplib.SMTP("127.0.0.1", self.d.submission, timeout=60) as a, smtplib.SMTP_SSL("127.0.0.1", self.d.smtps, timeout=60) as b:
            a.starttls()
            a.ehlo()
            b.ehlo()
            self.assertEqual(self.log_in(b, "LOGIN", "login", "WrongLogin%s" % os.urandom(6).hex(), b.auth_login), 535)
            self.assertEqual(self.log_in(a, "PLAIN", "plain", words["plain"], a.auth_plain), 235)
            self.assertEqual(self.log_in(b, "LOGIN", "login", words["login"], b.auth_login), 235)
            self.in_pieces("pieces", words["pieces"])
