"""swaks at its worst: it stops, drops the line, pipelines, speaks older protocols, logs in wrongly and sends what is no message. What was not
answered with 250 is never delivered, what was is delivered once, and the next client finds all as it was."""
import subprocess, unittest

from fairlead import DaemonTest, PASSWORD, eventually
from servers import Sink

SENDER = "news@acme.example"
STOPS = ["CONNECT", "BANNER", "FIRST-HELO", "TLS", "HELO", "AUTH", "MAIL", "RCPT"]
LOGIN = ["--auth", "PLAIN", "--auth-user", "foo", "--auth-password", PASSWORD]
LONE_DOT = "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nx\r\n.\r\n.\r\n"

# Options: swaks's exit status (its EXIT CODES), and whether the message is taken.
CASES = {
    ("-tls", *LOGIN): (0, True),
    ("-tls", "--pipeline", *LOGIN): (0, True),
    ("-tls", "--protocol", "ESMTPSA", *LOGIN): (0, True),
    ("-tls", "--auth", "LOGIN", *LOGIN[2:]): (0, True),
    ("-tls", "--auth", "PLAIN", "--auth-user", "foo", "--auth-password", "wrong"): (28, False),
    ("-tls", "--auth", "LOGIN", "--auth-user", "nobody-here", "--auth-password", PASSWORD): (28, False),
    ("-tls",): (23, False),                                                 # 530 to MAIL
    (*LOGIN,): (28, False),                                                 # no AUTH before STARTTLS
    ("-tlso", *LOGIN): (0, True),
    ("-tls", "--tls-protocol", "tlsv1_2", *LOGIN): (0, True),
    ("-tls", "--tls-protocol", "tlsv1", *LOGIN): (29, False),
    ("-tls", "--tls-cipher", "ECDHE+AES:!AESGCM:!CHACHA20", "--tls-protocol", "tlsv1_2", *LOGIN): (29, False),
    ("--protocol", "SMTP"): (23, False),
    ("--protocol", "LMTP"): (22, False),
    ("-tls", "--from", "x@globex.example", *LOGIN): (23, False),
    ("-tls", "--from", "<>", *LOGIN): (0, True),
    ("-tls", "--to", "b@two.test,no-domain@,c@two.test", *LOGIN): (0, True),
    ("-tls", "--to", "b@[127.0.0.1]", *LOGIN): (24, False),
    ("-tls", "--no-data-fixup", "--data", LONE_DOT, *LOGIN): (0, True),
    ("-tls", "--ehlo", "a name with spaces", *LOGIN): (22, False),
    ("-tls", "--xclient-addr", "192.0.2.1", *LOGIN): (33, False),
    ("-tls", "--prdr", "--to", "b@two.test,c@two.test", *LOGIN): (30, False),
}


class Swaks(DaemonTest):
    def setUp(self):
        self.sink = self.server(Sink())
        self.d = self.daemon(self.sink.port)
        self.d.config["sources"][0].update(auth_failure_delay="50ms", max_auth_failures_per_ip="unlimited")
        self.d.start()
        self.taken = 0

    def swaks(self, *options, timeout=120):
        argv = ["swaks", "--server", "127.0.0.1", "--port", str(self.d.submission), "--timeout", "60s"]
        if "--from" not in options:
            argv += ["--from", SENDER]
        if "--to" not in options:
            argv += ["--to", "b@two.test"]
        if "--data" not in options:
            argv += ["--header", "From: <%s>" % SENDER]
        p = subprocess.run([*argv, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout)
        self.taken += p.stdout.count("queued as")
        return p

    def nothing_else_came(self):
        """One more message passes, and after it the sink has what was answered with 250 and no more."""
        self.assertEqual(self.swaks("-tls", *LOGIN).returncode, 0)
        self.sink.wait(self.taken)
        self.assertTrue(eventually(lambda: not [r for r in self.d.accounting() if r["event"] == "accepted"] or
                                   sum(r["event"] == "accepted" for r in self.d.accounting()) == self.taken))
        self.assertEqual(len(self.sink.messages()), self.taken)

    def test_each_mode_ends_as_it_should(self):
        for options, (status, taken) in CASES.items():
            with self.subTest(options=" ".join(options)):
                before = self.taken
                p = self.swaks(*options)
                self.assertEqual((p.returncode, self.taken > before), (status, taken), p.stdout[-1500:] + p.stderr[-300:])
        self.nothing_else_came()

    def test_who_goes_away_leaves_nothing(self):
        for way in ("--quit-after", "--drop-after", "--drop-after-send"):
            for stop in STOPS:
                with self.subTest(way=way, stop=stop):
                    self.swaks(way, stop, "-tls", *LOGIN)
        self.swaks("--drop-after-send", "DATA", "-tls", *LOGIN)
        self.nothing_else_came()


if __name__ == "__main__":
    unittest.main()
