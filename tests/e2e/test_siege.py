"""Clients that besiege the relay while mail flows: thousands that are idle or drip, that never read, that vanish or reset; and a storm of
reloads. What is asserted are counts and memory, and that mail arrives; never how fast."""
import http.client, json, os, random, resource, signal, smtplib, socket, struct, threading, time

from fairlead import DaemonTest, eventually
from servers import Sink

MIB = 1 << 20
IDLE, DRIPPING = 10_000, 1_000
RESETS, RELOADS, HANGUPS = 800, 100, 200


class SiegeTest(DaemonTest):
    def setUp(self):
        self.sink = self.server(Sink())
        d = self.d = self.daemon(self.sink.port)
        d.config["server"]["total_max_connections"] = 18_000
        d.config["sources"][0].update(max_connections="unlimited", max_connections_per_ip="unlimited", command_timeout="10m")
        d.env = {"ASAN_OPTIONS": "quarantine_size_mb=1"}            # else freed memory stays resident
        self.taken = []

    def submit(self, to):
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=60, source_address=("127.0.0.2", 0)) as c:
            c.sendmail("x@acme.example", [to], "Subject: x\r\nFrom: <x@acme.example>\r\n\r\nhello\r\n")
        self.taken.append(to)

    def connect(self, n=0):
        """A socket from one of many addresses."""
        s = socket.socket()
        s.bind(("127.1.%d.%d" % (n // 250 % 250, 1 + n % 250), 0))
        s.settimeout(60)
        s.connect(("127.0.0.1", self.d.relay))
        return s

    def sessions(self):
        return json.loads(self.d.cli("status", "--json").stdout)["sessions"]["in"]

    def memory(self):
        with open("/proc/%d/statm" % self.d.process.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def all_arrive_once(self):
        eventually(lambda: len(self.sink.messages()) >= len(self.taken), 60)
        self.assertEqual(sorted(t for m in self.sink.messages() for t in m["to"]), sorted(self.taken))


class Many(SiegeTest):
    def test_ten_thousand_idle_and_a_thousand_that_drip_hinder_nobody(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        idle, dripping = IDLE, DRIPPING
        if hard < IDLE + DRIPPING + 500:        # as many as this machine permits
            idle, dripping = max(100, hard // 2), max(50, hard // 10)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, idle + dripping + 500), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.d.start()
        self.submit("before@two.test")
        before, held = self.memory(), []
        self.addCleanup(lambda: [s.close() for s in held])
        for n in range(idle + dripping):
            held.append(self.connect(n))
        self.assertTrue(eventually(lambda: self.sessions() == idle + dripping, 60), self.sessions())
        drip, verse = held[:dripping], b"EHLO c.test\r\nNOOP\r\n"
        for n, byte in enumerate(verse):
            for s in drip:
                s.sendall(bytes([byte]))
            if n % 4 == 0:
                self.submit("u%d@two.test" % n)
        for s in drip:
            said = b""
            while said.count(b"\n250 ") + said.count(b"\r\n250 2.0.0") < 2 and len(said) < 4096:
                more = s.recv(4096)
                self.assertTrue(more)
                said += more
        self.assertLess(self.memory() - before, (idle + dripping) * 24 * 1024)
        self.all_arrive_once()
        self.assertEqual(self.sessions(), idle + dripping)
        for s in held:
            s.close()
        self.assertTrue(eventually(lambda: self.sessions() == 0, 60))


class DoNotRead(SiegeTest):
    def test_replies_that_nobody_reads_take_bounded_memory(self):
        self.d.start()
        self.submit("before@two.test")
        before, held = self.memory(), [self.connect(n) for n in range(50)]
        self.addCleanup(lambda: [s.close() for s in held])
        flood, sent = b"EHLO c.test\r\n" * 5000, 0
        for s in held:
            s.setblocking(False)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            for s in held:
                try:
                    sent += s.send(flood)
                except BlockingIOError:
                    pass
                except OSError:
                    held.remove(s)
            time.sleep(0.02)
        self.assertGreater(sent, len(held) * 100_000)
        self.assertLess(self.memory() - before, 64 * MIB)
        self.submit("during@two.test")
        self.all_arrive_once()

    def test_a_client_that_reads_late_gets_every_reply(self):
        self.d.start()
        s = self.connect()
        self.addCleanup(s.close)
        n = 20_000
        writer = threading.Thread(target=s.sendall, args=(b"NOOP\r\n" * n,))
        writer.start()
        time.sleep(1)
        said = 0
        while said < n + 1:
            more = s.recv(65536)
            self.assertTrue(more, said)
            said += more.count(b"\n")
        writer.join()
        self.assertEqual(said, n + 1)


class Vanish(SiegeTest):
    def test_connections_that_are_reset_at_any_moment_cost_nothing(self):
        self.d.start()
        self.submit("before@two.test")
        dice = random.Random(1)
        whole = (b"EHLO c.test\r\nMAIL FROM:<x@acme.example>\r\nRCPT TO:<b@two.test>\r\nDATA\r\nFrom: <x@acme.example>\r\n\r\n" + b"x" * 500 + b"\r\n")
        for n in range(RESETS):
            s = self.connect(n)
            s.sendall(whole[:dice.randrange(len(whole))])
            if dice.random() < 0.5:
                s.recv(100)
            if dice.random() < 0.8:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))      # close() resets
            s.close()
            if n % 100 == 0:
                self.submit("u%d@two.test" % n)
        self.assertTrue(eventually(lambda: self.sessions() == 0, 60), self.sessions())
        self.all_arrive_once()

    def test_a_client_that_is_half_closed_behind_its_dot_leaves_no_session_and_no_doubt(self):
        """It may hear 250 or nothing; with 250 the message arrives."""
        self.d.start()
        s = socket.create_connection(("127.0.0.1", self.d.relay), 30, source_address=("127.0.0.2", 0))
        self.addCleanup(s.close)
        f = s.makefile("rb")
        self.addCleanup(f.close)
        s.sendall(b"EHLO c.test\r\nMAIL FROM:<x@acme.example>\r\nRCPT TO:<half@two.test>\r\nDATA\r\n")
        while not f.readline().startswith(b"354"):
            pass
        s.sendall(b"From: <x@acme.example>\r\n\r\nhello\r\n.\r\n")
        s.shutdown(socket.SHUT_WR)
        said = f.read()
        if said.startswith(b"250"):
            self.taken.append("half@two.test")
            self.all_arrive_once()
        self.assertTrue(eventually(lambda: self.sessions() == 0, 60))


class Reloads(SiegeTest):
    def reload(self):
        c = http.client.HTTPConnection("127.0.0.1", self.d.http, timeout=60)
        c.request("POST", "/v1/reload", headers={"Authorization": "Bearer secret"})
        status = c.getresponse().status
        c.close()
        return status

    def test_hundreds_of_reloads_good_and_bad_while_mail_flows(self):
        self.d.start()
        stop, failures = threading.Event(), []

        def client(k):
            n = 0
            while not stop.is_set():
                try:
                    self.submit("c%d-%d@two.test" % (k, n))
                except (OSError, smtplib.SMTPException) as e:
                    failures.append(repr(e))
                n += 1
        threads = [threading.Thread(target=client, args=(k,)) for k in range(2)]
        for t in threads:
            t.start()
        good, bad = dict(self.d.config), dict(self.d.config, vmtas={"a1": {"source_addresses": ["nonsense"]}})
        answers = []
        for n in range(RELOADS):
            self.d.config = bad if n % 2 else dict(good, defaults=dict(good["defaults"], max_connections=1 + n % 20))
            self.d.write_config()
            answers.append(self.reload())
        before = self.memory()
        self.d.config = good
        self.d.write_config()
        for _ in range(HANGUPS):
            self.d.process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        self.assertTrue(eventually(lambda: self.reload() == 200))
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(answers, [200, 422] * (RELOADS // 2))
        self.assertEqual(failures, [])
        self.assertLess(self.memory() - before, 48 * MIB)
        self.all_arrive_once()
