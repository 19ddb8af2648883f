"""Limits on what one client may ask: size and memory, idle and slow clients, lines, recipients, errors; and who a proxy says they are."""
import json, os, smtplib, socket, struct, time, unittest.mock

from fairlead import DaemonTest, eventually, free_port
from servers import Sink

TRUSTED, PROXY, STRANGER = "127.0.0.2", "127.0.0.5", "127.0.0.9"
MIB = 1 << 20


class LimitTest(DaemonTest):
    def relay(self, sink=None, **source):
        self.sink = sink or self.server(Sink())
        d = self.d = self.daemon(self.sink.port)
        d.config["sources"][0].update(source)
        return d

    def client(self, source=TRUSTED):
        return smtplib.SMTP("127.0.0.1", self.d.relay, timeout=30, source_address=(source, 0))

    def raw(self, source=TRUSTED, port=None):
        """A socket behind the greeting of a session that has said EHLO."""
        s = socket.create_connection(("127.0.0.1", port or self.d.relay), 30, source_address=(source, 0))
        self.addCleanup(s.close)
        f = s.makefile("rb")
        self.addCleanup(f.close)
        self.line(f)
        s.sendall(b"EHLO c.test\r\n")
        self.line(f)
        return s, f

    def line(self, f):
        """A reply's last line."""
        while True:
            line = f.readline()
            if line[3:4] != b"-":
                return line

    def memory(self):
        """Resident bytes of the daemon."""
        with open("/proc/%d/statm" % self.d.process.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def delivered(self, n, seconds=30):
        self.assertEqual(len(self.sink.wait(n, seconds)), n)


class Size(LimitTest):
    def test_large_messages_go_by_the_disk_and_memory_stays(self):
        """Many at once, to a server that does not read yet: in memory they would be 90 MiB."""
        sink = self.server(Sink(script="- {at: connect, do: {delay: 3s}}\n"))
        self.relay(sink).config["server"]["memory"] = {"bodies": "16MiB"}
        with unittest.mock.patch.dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=1"):     # else freed memory stays resident
            self.d.start()
        line = b"x" * 998 + b"\r\n"
        with self.client() as c:        # warm
            c.sendmail("x@acme.example", ["b@two.test"], b"From: <x@acme.example>\r\n\r\n" + line * 10500)
            before = self.memory()
            for n in range(9):
                c.sendmail("x@acme.example", ["b%d@two.test" % n], b"From: <x@acme.example>\r\n\r\n" + line * 10500)
            grown = self.memory() - before
        self.assertLess(grown, 32 * MIB)
        self.delivered(10)
        self.assertTrue(all(m["size"] > 10 * MIB for m in self.sink.messages()))

    def test_a_message_above_the_limit_is_refused_at_mail_and_behind_the_dot(self):
        self.relay(max_message_size="64KiB").start()
        with self.client() as c:
            c.ehlo()
            self.assertEqual(c.esmtp_features["size"], str(64 * 1024))
            self.assertEqual(c.mail("x@acme.example", ["SIZE=70000"])[0], 552)
            self.assertEqual(c.mail("x@acme.example")[0], 250)
            c.rcpt("b@two.test")
            self.assertEqual(c.data(b"From: <x@acme.example>\r\n\r\n" + b"xxxxxxx\r\n" * 10000)[0], 552)
            c.sendmail("x@acme.example", ["b@two.test"], "From: <x@acme.example>\r\n\r\nhello\r\n")
        self.delivered(1)


class Clients(LimitTest):
    def test_500_idle_clients_cost_little_and_hinder_nobody(self):
        self.relay(max_connections_per_ip="unlimited").start()
        self.raw()
        before = self.memory()
        idle = [self.raw() for _ in range(500)]
        self.assertLess(self.memory() - before, 32 * MIB)
        with self.client() as c:
            c.sendmail("x@acme.example", ["b@two.test"], "From: <x@acme.example>\r\n\r\nhello\r\n")
        self.delivered(1)
        self.assertEqual(json.loads(self.d.cli("status", "--json").stdout)["sessions"]["in"], 501)
        for s, f in idle[::100]:
            s.sendall(b"NOOP\r\n")
            self.assertEqual(self.line(f)[:3], b"250")

    def test_more_connections_than_allowed_are_told_421(self):
        self.relay(max_connections_per_ip=3).start()
        kept = [self.raw() for _ in range(3)]
        with self.assertRaises(smtplib.SMTPConnectError) as refused:
            self.client()
        self.assertEqual(refused.exception.smtp_code, 421)
        self.client("127.0.0.3").close()        # another address
        kept[0][0].close(), kept[0][1].close()

        def free():
            try:
                self.client().close()
            except smtplib.SMTPConnectError:
                return False
            return True
        self.assertTrue(eventually(free))

    def test_slow_clients_are_let_go(self):
        self.relay(command_timeout="1s", data_timeout="1s").start()
        for say in (b"", b"MAIL FR", b"MAIL FROM:<x@acme.example>\r\nRCPT TO:<b@two.test>\r\nDATA\r\nFrom: x"):
            with self.subTest(say=say):
                s, f = self.raw()
                s.sendall(say)
                last = f.read().splitlines()[-1]
                self.assertEqual(last[:3], b"421")
        self.assertEqual(self.sink.messages(), [])

    def test_a_client_that_drips_does_not_stretch_its_time(self):
        self.relay(command_timeout="2s").start()
        s, f = self.raw()
        with self.assertRaises(OSError):
            for _ in range(100):
                s.sendall(b"N")
                time.sleep(0.3)


class Lines(LimitTest):
    def setUp(self):
        self.relay(max_errors=5, max_recipients=10).start()

    def test_a_command_line_without_end_is_refused_and_the_session_lives(self):
        s, f = self.raw()
        s.sendall(b"NOOP " + b"x" * 100_000 + b"\r\n")
        self.assertEqual(self.line(f)[:3], b"500")
        s.sendall(b"NOOP\r\n")
        self.assertEqual(self.line(f)[:3], b"250")

    def test_recipients_above_the_limit_are_452_and_the_others_get_it(self):
        with self.client() as c:
            c.ehlo()
            c.mail("x@acme.example")
            codes = [c.rcpt("u%d@two.test" % n)[0] for n in range(13)]
            self.assertEqual(codes, [250] * 10 + [452] * 3)
            self.assertEqual(c.data("From: <x@acme.example>\r\n\r\nhello\r\n")[0], 250)
        self.assertEqual(sum(len(m["to"]) for m in self.sink.wait(1)), 10)

    def test_too_many_errors_end_the_session(self):
        s, f = self.raw()
        codes = []
        for _ in range(10):
            try:
                s.sendall(b"NONSENSE\r\n")
            except OSError:
                break
            line = self.line(f)
            if not line:
                break
            codes.append(line[:3])
        self.assertEqual((codes[-1], len(codes)), (b"421", codes.count(b"500") + 1))
        self.assertLessEqual(len(codes), 7)


class Proxy(LimitTest):
    """Who the proxy says that a client is decides what it may, and is what accounting shows."""

    def setUp(self):
        self.relay()
        self.port = free_port()
        self.d.config["listeners"].append({"address": "127.0.0.1:%d" % self.port, "role": "relay", "tls": "none", "proxy_protocol": {"from": [PROXY]}})
        self.d.start()

    HEADERS = {
        "v1": lambda ip: b"PROXY TCP4 %s 127.0.0.1 40000 25\r\n" % ip.encode(),
        "v2": lambda ip: b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H4s4sHH", 12, socket.inet_aton(ip), socket.inet_aton("127.0.0.1"), 40000, 25),
        "v2-with-tlv": lambda ip: b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H4s4sHH", 19, socket.inet_aton(ip), socket.inet_aton("127.0.0.1"), 40000, 25) + b"\x04\0\x04abcd",
    }

    def talk(self, header, pieces=1):
        """The last code of a submission behind this header; None when nothing was answered."""
        s = socket.create_connection(("127.0.0.1", self.port), 10, source_address=(PROXY, 0))
        self.addCleanup(s.close)
        for n in range(pieces):
            s.sendall(header[n * len(header) // pieces:(n + 1) * len(header) // pieces])
            time.sleep(0.05 if pieces > 1 else 0)
        with s.makefile("rb") as f:
            code = self.line(f)[:3]
            for say in (b"EHLO c.test", b"MAIL FROM:<x@acme.example>", b"RCPT TO:<b@two.test>", b"DATA", b"From: <x@acme.example>\r\n\r\nhello\r\n."):
                if code[:1] not in (b"2", b"3"):
                    break
                s.sendall(say + b"\r\n")
                code = self.line(f)[:3]
        return int(code) if code else None

    def test_each_version_names_the_client(self):
        for name, header in self.HEADERS.items():
            for pieces in (1, 4):
                with self.subTest(version=name, pieces=pieces):
                    self.assertEqual(self.talk(header(TRUSTED), pieces), 250)
                    self.assertNotEqual(self.talk(header(STRANGER), pieces), 250)
        wanted = 2 * len(self.HEADERS)
        self.delivered(wanted)
        self.assertTrue(eventually(lambda: len([e for e in self.d.accounting() if e["event"] == "accepted"]) == wanted))
        self.assertEqual({e["client_ip"] for e in self.d.accounting() if e["event"] == "accepted"}, {TRUSTED})

    def test_what_is_no_header_is_answered_nothing(self):
        for header in (b"PROXY TCP4 127.0.0.2\r\n", b"EHLO c.test\r\n", b"PROXY " + b"x" * 200, b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + bytes(12),
                       b"PROXY TCP4 127.0.0.256 127.0.0.1 1 25\r\n"):
            with self.subTest(header=header):
                self.assertIsNone(self.talk(header))
        self.assertEqual(self.sink.messages(), [])
