"""Calls of the running daemon fail, one after the other and all at once: nothing that was answered with 250 is lost, it lives on, and mail
flows again. FAIRLEAD_TESTS=long tries every single call of a start, too."""
import errno, json, os, re, smtplib, socket, subprocess, threading, time

from fairlead import DaemonTest, eventually, free_port
from faults import FOR_GOOD, FaultyDaemon
from servers import Nsd, Sink

LONG = os.environ.get("FAIRLEAD_TESTS") == "long"
# What fails, and with which error.
FAULTS = {"malloc": errno.ENOMEM, "read": errno.EIO, "write": errno.EIO, "sync": errno.EIO, "open": errno.EMFILE, "accept": errno.EMFILE,
          "receive": errno.ECONNRESET, "send": errno.EPIPE, "socket": errno.EMFILE}
MOST = 500              # calls of one kind that a message needs
YEAR = 365 * 86400


class FaultTest(DaemonTest):
    def relay(self, sink=None):
        self.sink = sink or self.server(Sink())
        d = self.d = self.daemon(self.sink.port, kind=FaultyDaemon)
        d.config["defaults"]["max_messages_per_connection"] = 1         # each message takes all the way
        self.taken = set()
        return d

    def submit(self, to, size=100):
        """The code of the last reply; None when the connection was lost. Whom a 250 was said for is remembered."""
        try:
            with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=30, source_address=("127.0.0.2", 0)) as c:
                c.ehlo()
                code = c.mail("x@acme.example")[0]
                code = c.rcpt(to)[0] if code == 250 else code
                if code == 250:
                    code = c.data("Subject: x\r\nFrom: <x@acme.example>\r\n\r\n" + ("x" * 70 + "\r\n") * (size // 72))[0]
                    if code == 250:
                        self.taken.add(to)
                return code
        except smtplib.SMTPConnectError as e:
            return e.smtp_code
        except (smtplib.SMTPServerDisconnected, OSError):
            return None

    def arrived(self):
        return {t for m in self.sink.messages() for t in m["to"]}

    def nothing_lost(self, seconds=30):
        eventually(lambda: self.arrived() >= self.taken, seconds)
        self.assertEqual(self.taken - self.arrived(), set(), self.d.said()[-3000:])

    def lives(self, what):
        self.assertIsNone(self.d.process.poll(), "%s: the daemon died:\n%s" % (what, self.d.said()[-6000:]))


class OneAfterTheOther(FaultTest):
    """The n-th call fails, for n = 1, 2, …, until a message needs fewer."""

    def each(self, name, send, step=1):
        for n in range(1, MOST, 1 if LONG else step):
            self.d.fail(name, n, error=FAULTS[name])
            code = send("%s-%d@two.test" % (name, n))
            self.assertTrue(code is None or code < 500, "%s %d: %s" % (name, n, code))
            eventually(lambda: self.arrived() >= self.taken, 0.5, 0.01)
            time.sleep(0.02)            # its settle
            self.lives("%s %d" % (name, n))
            if not self.d.heal():
                break
        else:
            self.fail("the %d-th %s was reached" % (n, name))
        self.assertTrue(eventually(lambda: send("%s-after@two.test" % name) == 250))
        self.nothing_lost()
        return n

    def test_each_allocation(self):
        self.relay().start()
        self.assertGreater(self.each("malloc", self.submit), 20)
        self.assertRegex(self.d.said(), r"(?i)memory")

    def test_each_call_for_files_and_sockets(self):
        self.relay().start()
        for name in FAULTS:
            if name != "malloc":
                with self.subTest(fails=name):
                    self.each(name, self.submit)

    def test_each_allocation_for_content_that_goes_by_a_file(self):
        self.relay().start()
        self.each("malloc", lambda to: self.submit(to, 1_200_000), step=5)

    def test_each_allocation_of_a_reload_and_of_what_operators_ask(self):
        self.relay().start()
        for what in (["reload"], ["queue", "list", "--json"], ["status", "--json"], ["queue", "hold", "--domain", "two.test"], ["queue", "release", "--domain", "two.test"]):
            for n in range(1, MOST if LONG else 20):
                self.d.fail("malloc", n if n < 15 or LONG else n * 25, error=errno.ENOMEM)
                self.d.cli(*what)
                self.lives("%s %d" % (what, n))
                if not self.d.heal():
                    break
            self.assertEqual(self.d.cli(*what).returncode, 0, what)
        self.assertEqual(self.submit("after@two.test"), 250)
        self.nothing_lost()


class ForGood(FaultTest):
    def test_while_all_calls_fail_nothing_is_promised_and_then_it_heals(self):
        self.relay().start()
        for name, error in FAULTS.items():
            with self.subTest(fails=name):
                self.assertTrue(eventually(lambda: self.submit("%s-before@two.test" % name) == 250))
                self.nothing_lost()
                self.d.fail(name, 1, FOR_GOOD, error)
                codes = []              # an answer may wait until it is known what a COMMIT came to
                clients = [threading.Thread(target=lambda n=n: codes.append(self.submit("%s-%d@two.test" % (name, n)))) for n in range(3)]
                for c in clients:
                    c.start()
                time.sleep(1)
                self.lives(name)
                self.d.heal()
                for c in clients:
                    c.join()
                self.assertTrue(all(c is None or c < 500 for c in codes), codes)
                self.assertTrue(eventually(lambda: self.submit("%s-after@two.test" % name) == 250, 60))
                self.nothing_lost(60)

    def test_a_flush_that_fails_once_lets_no_250_out_that_the_disk_does_not_hold(self):
        self.relay().start()
        for n in range(1, 4):
            with self.subTest(flush=n):
                self.d.fail("sync", n)
                code = self.submit("once-%d@two.test" % n)
                self.assertIn(code, (250, 451))
                self.d.heal()
                self.assertTrue(eventually(lambda: json.loads(self.d.cli("status", "--json").stdout)["store"]["state"] == "ok"))
                self.d.kill9()
                self.d.start()
        self.nothing_lost()
        self.assertRegex(self.d.said(), r"(?m)^\S+ (warning|error) \S*store\S* ")


class Starts(FaultTest):
    """A start in which something fails is a start, or ends with a reason; what waits is not touched."""

    def test_each_call_of_a_start(self):
        port = free_port()
        self.relay()
        self.d.config["domains"] = {"*": {"smart_host": "[127.0.0.1]:%d" % port}}
        self.d.start()
        for n in range(5):
            self.assertEqual(self.submit("u%d@two.test" % n), 250)
        self.d.kill9()
        for name, error in FAULTS.items():
            if name in ("accept", "receive", "send"):
                continue
            self.d.fail(name, FOR_GOOD, error=error)
            self.d.start()
            count = self.d.seen()
            self.d.kill9()
            for n in range(1, count + 1, 1 if LONG else max(1, count // 6)):
                with self.subTest(fails=name, n=n):
                    self.start_with(name, n, error)
        self.d.heal()
        self.sink = self.server(Sink(port=port))
        self.d.start()
        self.nothing_lost()

    def start_with(self, name, n, error):
        self.d.fail(name, n, error=error)
        at = os.path.getsize(self.d.log)
        try:
            self.d.start()
        except RuntimeError:
            if self.d.process.poll() is None:       # what could not be written was the line `ready`
                self.assertEqual(self.d.cli("status").returncode, 0, self.d.said(at))
            else:
                self.assertGreater(self.d.process.poll(), 0, self.d.said(at))
                self.assertTrue(name == "write" or re.search(r"\w+: |start_failed|memory", self.d.said(at)), self.d.said(at))
        if self.d.process.poll() is None:
            self.d.kill9()


class Descriptors(FaultTest):
    def test_without_descriptors_nothing_spins_and_mail_flows_again(self):
        self.relay().start()
        pid = self.d.process.pid
        self.assertEqual(self.submit("before@two.test"), 250)
        most = len(os.listdir("/proc/%d/fd" % pid)) + 5
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=%d:" % most], check=True)
        held = []
        for n in range(40):
            held.append(socket.create_connection(("127.0.0.1", self.d.relay), 10, source_address=("127.0.0.2", 0)))
        self.assertTrue(eventually(lambda: "accept_failed" in self.d.said()))
        before, at = cpu_s(pid), len(self.d.said())
        time.sleep(2)
        self.assertLess(cpu_s(pid) - before, 1.0)
        self.assertLess(self.d.said()[at:].count("accept_failed"), 40)
        for s in held:
            s.close()
        self.assertTrue(eventually(lambda: self.submit("during@two.test") == 250))
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=20000:"], check=True)
        self.assertTrue(eventually(lambda: self.submit("after@two.test") == 250))
        self.nothing_lost()


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Names(FaultTest):
    ZONE = {"two.test": ["@ MX 10 mx.two.test.", "mx A 127.0.0.1"]}

    def resolving(self, nsd_port):
        d = self.relay()
        del d.config["domains"]
        d.config["defaults"]["port"] = self.sink.port
        d.config["dns"] = {"servers": ["127.0.0.1:%d" % nsd_port], "timeout": "1s"}
        return d

    def test_a_name_server_that_is_down_holds_mail_up_and_nothing_more(self):
        port = free_port()
        self.resolving(port).start()
        for n in range(5):
            self.assertEqual(self.submit("u%d@two.test" % n), 250)
        waits = eventually(lambda: [q for q in json.loads(self.d.cli("queue", "list", "--json").stdout) if q["state"] == "waiting" and q["last_reply"]])
        self.assertEqual([q["last_reply"]["stage"] for q in waits], ["dns"])
        self.assertEqual(self.arrived(), set())
        self.server(Nsd(self.ZONE, port))
        self.nothing_lost(60)

    def test_each_answer_of_the_name_server_may_be_lost(self):
        self.resolving(self.server(Nsd(self.ZONE)).port).start()
        for n in range(1, 9):
            self.d.fail("receive", n, error=errno.ECONNREFUSED)
            to = "u%d@two.test" % n
            self.submit(to)
            eventually(lambda: to in self.arrived() or to not in self.taken, 1.5)
            self.lives("answer %d" % n)
            self.d.heal()
            self.d.cli("reload")        # what was found is forgotten
        self.nothing_lost(60)


class Clock(FaultTest):
    """The wall clock steps by a year while mail waits."""

    def waiting(self):
        port = free_port()
        self.relay()
        self.d.config["domains"] = {"*": {"smart_host": "[127.0.0.1]:%d" % port}}
        self.d.config["defaults"]["expire_after"] = "1d"
        self.d.start()
        for n in range(3):
            self.assertEqual(self.submit("u%d@two.test" % n), 250)
        return port

    def queue(self):
        return json.loads(self.d.cli("queue", "list", "--json").stdout)[0]

    def tried_again(self):
        before = self.queue()["next_attempt"]
        self.assertTrue(eventually(lambda: self.queue()["next_attempt"] != before))
        return True

    def test_back_stalls_nothing(self):
        port = self.waiting()
        for _ in range(2):
            self.assertTrue(self.tried_again())
            self.d.step(-YEAR)
        self.sink = self.server(Sink(port=port))
        self.nothing_lost()
        self.assertEqual(self.submit("after@two.test"), 250)
        self.nothing_lost()

    def test_ahead_expires_nothing_that_was_not_tried_since(self):
        port = self.waiting()
        self.assertEqual(self.d.cli("tenant", "hold", "acme").returncode, 0)
        self.d.step(YEAR)
        self.sink = self.server(Sink(port=port))
        self.assertEqual(self.d.cli("tenant", "release", "acme").returncode, 0)
        self.nothing_lost()
        self.assertNotIn("expired", {e["event"] for e in self.d.accounting()})

    def test_ahead_and_back_again(self):
        port = self.waiting()
        self.assertEqual(self.d.cli("tenant", "hold", "acme").returncode, 0)
        self.d.step(YEAR)
        self.assertEqual(self.submit("ahead@two.test"), 250)
        self.d.step(0)
        self.sink = self.server(Sink(port=port))
        self.assertEqual(self.d.cli("tenant", "release", "acme").returncode, 0)
        self.nothing_lost()
