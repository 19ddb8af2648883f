"""`fairlead sink`, the test MX, spoken to by Python's smtplib and byte by byte."""
import hashlib, os, re, smtplib, socket, ssl, subprocess, tempfile, time, unittest

from fairlead import BINARY, eventually, free_port
from servers import Sink

MESSAGE = b"Subject: x\r\n\r\nhello\r\n.a line with a dot\r\n"


class SinkTest(unittest.TestCase):
    def sink(self, *args, **kw):
        s = Sink(*args, **kw)
        self.addCleanup(s.stop)
        return s

    def client(self, s):
        c = smtplib.SMTP("127.0.0.1", s.port, local_hostname="client.test", timeout=10)
        self.addCleanup(c.close)
        return c

    def raw(self, s, *writes):
        """Sends the writes, then reads until the server closes."""
        with socket.create_connection(("127.0.0.1", s.port), 10) as c:
            for w in writes:
                c.sendall(w)
            got = b""
            while True:
                more = c.recv(65536)
                if not more:
                    return got.decode()
                got += more


class WhatItTells(SinkTest):
    def test_a_line_for_each_message(self):
        s = self.sink()
        self.client(s).sendmail("a@one.test", ["b@two.test", "c@two.test"], MESSAGE)
        line, = s.wait(1)
        self.assertEqual(list(line), ["time", "client_ip", "ehlo", "tls", "from", "to", "size", "sha256"])
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual((line["client_ip"], line["ehlo"], line["tls"]), ("127.0.0.1", "client.test", None))
        self.assertEqual((line["from"], line["to"]), ("a@one.test", ["b@two.test", "c@two.test"]))
        self.assertEqual((line["size"], line["sha256"]), (len(MESSAGE), hashlib.sha256(MESSAGE).hexdigest()))

    def test_bytes_that_are_no_text_stay_one_json_line(self):
        s = self.sink()
        said = self.raw(s, b'EHLO \x1b[31m"q"\xff\\\r\nMAIL FROM:<"a>b\xc3\xa9"@one.test>\r\nRCPT TO:<b@two.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n')
        self.assertIn("\r\n221 ", said)
        line, = s.wait(1)
        self.assertEqual(line["ehlo"], '\x1b[31m"q"\ufffd\\')
        self.assertEqual(line["from"], '"a>b\u00e9"@one.test')

    def test_mbox_and_eml_keep_the_message(self):
        with tempfile.TemporaryDirectory() as d:
            s = self.sink("--mbox", d + "/mbox", "--eml", d + "/eml")
            self.client(s).sendmail("a@one.test", ["b@two.test"], MESSAGE + b"From here\r\n")
            s.wait(1)
            with open(d + "/mbox", "rb") as f:
                self.assertRegex(f.read(), rb"\AFrom a@one\.test \w{3} \w{3} [\d ]\d [\d:]{8} \d{4}\nSubject: x\n\nhello\n\.a line with a dot\n>From here\n\n\Z")
            name, = os.listdir(d + "/eml")
            with open(os.path.join(d, "eml", name), "rb") as f:
                self.assertEqual(f.read(), MESSAGE + b"From here\r\n")

    def test_quiet_counts(self):
        s = self.sink("--quiet")
        self.client(s).sendmail("a@one.test", ["b@two.test"], MESSAGE)
        s.process.terminate()
        s.process.wait(5)
        self.assertEqual(s.messages(), [{"sessions": 1, "messages": 1, "recipients": 1, "bytes": len(MESSAGE)}])


class WhatItOffers(SinkTest):
    def test_the_extensions(self):
        c = self.client(self.sink("--tls", "on"))
        c.ehlo()
        for word in "pipelining size 8bitmime smtputf8 chunking binarymime enhancedstatuscodes dsn starttls".split():
            self.assertTrue(c.has_extn(word), word)
        c = self.client(self.sink())
        c.ehlo()
        self.assertFalse(c.has_extn("starttls"))

    def test_chunks_are_taken_as_they_are(self):
        s = self.sink()
        body = b"Subject: x\r\n\r\n.\r\nbinary \x00\xff\n"
        said = self.raw(s, b"EHLO c.test\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<b@two.test>\r\nBDAT 5\r\n" + body[:5]
                        + b"BDAT %d LAST\r\n" % (len(body) - 5) + body[5:] + b"QUIT\r\n")
        self.assertEqual(re.findall(r"^(\d{3}) ", said, re.M), ["220", "250", "250", "250", "250", "250", "221"])
        line, = s.wait(1)
        self.assertEqual((line["from"], line["size"]), ("", len(body)))

    def test_starttls_with_a_certificate_of_its_own(self):
        s = self.sink("--tls", "on")
        c = self.client(s)
        c.starttls(context=ssl._create_unverified_context())
        c.sendmail("a@one.test", ["b@two.test"], MESSAGE)
        line, = s.wait(1)
        self.assertRegex(line["tls"]["version"], r"^TLSv1\.[23]$")
        self.assertEqual(line["ehlo"], "client.test")

    def test_what_came_before_tls_is_forgotten(self):
        s = self.sink("--tls", "on")
        with socket.create_connection(("127.0.0.1", s.port), 10) as c:
            c.sendall(b"EHLO before.test\r\nSTARTTLS\r\nMAIL FROM:<evil@one.test>\r\n")
            eventually(lambda: b"220 2.0.0" in c.recv(65536))
            t = ssl._create_unverified_context().wrap_socket(c)
            t.sendall(b"RCPT TO:<b@two.test>\r\nQUIT\r\n")
            self.assertRegex(t.recv(65536), rb"\A503 ")

    def test_broken_tls_fails_in_the_handshake(self):
        c = self.client(self.sink("--tls", "broken"))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            c.starttls(context=ssl._create_unverified_context())

    def test_the_content_may_be_cut_anywhere(self):
        s = self.sink()
        with socket.create_connection(("127.0.0.1", s.port), 10) as c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for b in b"EHLO c.test\r\nMAIL FROM:<a@one.test>\r\nRCPT TO:<b@two.test>\r\nDATA\r\n..dot\r\n.\n.\r.\r\n\r\n.\r\nQUIT\r\n":
                c.sendall(bytes([b]))
            while c.recv(65536):
                pass
        line, = s.wait(1)
        self.assertEqual(line["sha256"], hashlib.sha256(b".dot\r\n\n.\r.\r\n\r\n").hexdigest())


class HowItEnds(SinkTest):
    def test_sigterm_ends_it_at_once_with_status_0(self):
        s = self.sink()
        c = self.client(s)
        c.ehlo()
        s.process.terminate()
        self.assertEqual(s.process.wait(5), 0)

    def test_a_port_in_use_is_an_error(self):
        s = self.sink()
        p = subprocess.run([BINARY, "sink", "--listen", "127.0.0.1:%d" % s.port], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        self.assertEqual((p.returncode, p.stdout), (1, ""))
        self.assertIn("address already in use", p.stderr)

    def test_wrong_usage(self):
        for args in (["--tls", "maybe"], ["--listen", "nowhere"], ["--mbox"], ["--no-such"], ["word"]):
            with self.subTest(args=args):
                p = subprocess.run([BINARY, "sink", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
                self.assertEqual((p.returncode, p.stdout), (2, ""))
                self.assertIn("--help", p.stderr)


class Moods(SinkTest):
    def test_a_reply_for_those_that_match(self):
        s = self.sink(script="- {at: rcpt, match: '/grey/', do: \"451 4.7.1 greylisted\"}\n")
        c = self.client(s)
        c.ehlo()
        c.mail("a@one.test")
        self.assertEqual(c.rcpt("grey-1@two.test"), (451, b"4.7.1 greylisted"))
        self.assertEqual(c.rcpt("b@two.test")[0], 250)
        self.assertEqual(c.data(MESSAGE)[0], 250)
        line, = s.wait(1)
        self.assertEqual(line["to"], ["b@two.test"])

    def test_every_stage_can_refuse(self):
        stages = {"mail": "EHLO", "rcpt": "EHLO MAIL", "data": "EHLO MAIL RCPT", "dot": "EHLO MAIL RCPT DATA"}
        for stage, before in stages.items():
            with self.subTest(stage=stage):
                s = self.sink(script='- {at: %s, do: "452 4.2.2 full at %s"}\n' % (stage, stage))
                with self.assertRaises(smtplib.SMTPException) as caught:
                    self.client(s).sendmail("a@one.test", ["b@two.test"], MESSAGE)
                self.assertIn("full at " + stage, str(caught.exception))
                self.assertEqual(s.messages(), [], before)

    def test_banner_and_ehlo_can_refuse(self):
        s = self.sink(script='- {at: connect, do: "554 5.7.1 not you"}\n')
        with self.assertRaises(smtplib.SMTPConnectError):
            self.client(s)
        s = self.sink(script='- {at: ehlo, match: /client/, do: "550 5.7.1 not this name"}\n')
        self.assertEqual(self.client(s).ehlo(), (550, b"5.7.1 not this name"))

    def test_drop_closes_without_a_word(self):
        for stage in ("connect", "ehlo", "mail", "rcpt", "data", "dot"):
            with self.subTest(stage=stage):
                s = self.sink(script="- {at: %s, do: drop}\n" % stage)
                with self.assertRaises((smtplib.SMTPServerDisconnected, ConnectionError)):
                    self.client(s).sendmail("a@one.test", ["b@two.test"], MESSAGE)
                self.assertEqual(s.messages(), [])

    def test_a_delay_comes_before_the_usual_reply(self):
        s = self.sink(script="- {at: dot, do: {delay: 700ms}}\n")
        c = self.client(s)
        began = time.monotonic()
        c.sendmail("a@one.test", ["b@two.test"], MESSAGE)
        self.assertGreater(time.monotonic() - began, 0.65)
        self.assertEqual(len(s.wait(1)), 1)

    def test_a_rate_reads_slowly(self):
        s = self.sink(script="- {at: data, do: {rate: 100B/s}}\n")
        c = self.client(s)
        began = time.monotonic()
        c.sendmail("a@one.test", ["b@two.test"], b"x" * 97 + b"\r\n")
        self.assertGreater(time.monotonic() - began, 0.8)

    def test_the_content_can_be_matched(self):
        s = self.sink(script="- {at: dot, match: '/viagra/i', do: \"550 5.7.1 spam\"}\n")
        c = self.client(s)
        c.sendmail("a@one.test", ["b@two.test"], MESSAGE)
        with self.assertRaises(smtplib.SMTPDataError):
            c.sendmail("a@one.test", ["b@two.test"], MESSAGE + b"cheap Viagra\r\n")
        self.assertEqual(len(s.wait(1)), 1)

    def test_a_bad_script_is_refused_with_line_and_column(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write("- {at: rcpt, do: drop}\n- {at: quit, do: drop}\n- {at: dot, dp: drop}\n")
            f.flush()
            p = subprocess.run([BINARY, "sink", "--listen", "127.0.0.1:%d" % free_port(), "--script", f.name], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=20)
        self.assertEqual((p.returncode, p.stdout), (1, ""))
        self.assertRegex(p.stderr, r"(?m)^\S+:2:\d+: error: .*'quit'")
        self.assertRegex(p.stderr, r"(?m)^\S+:3:\d+: error: .*'dp'")
        p = subprocess.run([BINARY, "sink", "--script", f.name], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        self.assertEqual((p.returncode, p.stderr.split(": ")[:2]), (1, [f.name + ":1:1", "error"]))
