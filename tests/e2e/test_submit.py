"""Real clients submit, and the server at the other end sees the customer's source address and EHLO name."""
import email, email.policy, hashlib, os, smtplib, ssl, subprocess, tempfile, unittest

from fairlead import DaemonTest, PASSWORD, eventually
from servers import Aio, Sink

TEXT = "Subject: from %s\r\nFrom: <news@acme.example>\r\nTo: <b@two.test>\r\n\r\nhello\r\n.a line with a dot\r\n"


def swaks(d, to):
    run(["swaks", "--server", "127.0.0.1", "--port", str(d.submission), "-tls", "--auth", "PLAIN", "--auth-user", "foo", "--auth-password", PASSWORD,
         "--from", "news@acme.example", "--to", to, "--header", "Subject: from swaks", "--silent", "2"])


def smtplib_client(d, to):
    with smtplib.SMTP("127.0.0.1", d.submission, timeout=20) as c:
        c.starttls(context=ssl._create_unverified_context())
        c.login("foo", PASSWORD)
        c.sendmail("news@acme.example", [to], TEXT % "smtplib_client")


def curl(d, to):
    run(["curl", "-s", "-k", "--url", "smtps://127.0.0.1:%d" % d.smtps, "--user", "foo:" + PASSWORD, "--mail-from", "news@acme.example", "--mail-rcpt", to,
         "--upload-file", "-"], TEXT % "curl")


def msmtp(d, to):
    run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", "--port=%d" % d.submission, "--tls=on", "--tls-certcheck=off", "--auth=plain", "--user=foo",
         "--passwordeval=echo " + PASSWORD, "--from=news@acme.example", to], (TEXT % "msmtp").replace("\r\n", "\n"))


def run(argv, stdin=None):
    p = subprocess.run(argv, input=stdin, stdin=None if stdin else subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if p.returncode:
        raise AssertionError("%s: status %d\n%s%s" % (argv[0], p.returncode, p.stdout, p.stderr))


class Clients(DaemonTest):
    def test_each_client_is_delivered_from_its_address_under_its_name(self):
        with tempfile.TemporaryDirectory() as folder:
            sink = self.server(Sink("--eml", folder))
            d = self.daemon(sink.port).start()
            for n, client in enumerate((swaks, smtplib_client, curl, msmtp), 1):
                with self.subTest(client=client.__name__):
                    client(d, "b@two.test")
                    seen = sink.wait(n)
                    self.assertEqual(len(seen), n)
                    self.assertEqual((seen[-1]["client_ip"], seen[-1]["ehlo"]), ("127.0.0.11", "a1.acme.example"))
                    self.assertEqual((seen[-1]["from"], seen[-1]["to"]), ("news@acme.example", ["b@two.test"]))
                    with open(os.path.join(folder, "%06d.eml" % n), "rb") as f:
                        raw = f.read()
                    self.assertEqual(seen[-1]["sha256"], hashlib.sha256(raw).hexdigest())
                    m = email.message_from_bytes(raw, policy=email.policy.default)
                    self.assertEqual(m["Subject"], "from " + client.__name__)
                    self.assertTrue(m["Date"] and m["Message-ID"] and "relay.test" in m["Received"], raw)

    def test_another_customer_has_another_address(self):
        sink = self.server(Sink())
        d = self.daemon(sink.port).start()
        with smtplib.SMTP_SSL("127.0.0.1", d.smtps, timeout=20, context=ssl._create_unverified_context()) as c:
            c.login("bar", "quux")
            c.sendmail("x@globex.example", ["b@two.test"], "Subject: x\r\nFrom: <x@globex.example>\r\n\r\nhello\r\n")
        line, = sink.wait(1)
        self.assertEqual((line["client_ip"], line["ehlo"]), ("127.0.0.13", "g1.globex.example"))

    def test_a_steering_header_names_the_vmta_and_is_removed(self):
        with tempfile.TemporaryDirectory() as folder:
            sink = self.server(Sink("--eml", folder))
            d = self.daemon(sink.port).start()
            with smtplib.SMTP("127.0.0.1", d.submission, timeout=20) as c:
                c.starttls(context=ssl._create_unverified_context())
                c.login("foo", PASSWORD)
                c.sendmail("news@acme.example", ["b@two.test"], "X-Fairlead-VMTA: a2\r\n" + TEXT % "x")
                with self.assertRaises(smtplib.SMTPResponseException) as refused:
                    c.sendmail("news@acme.example", ["b@two.test"], "X-Fairlead-VMTA: g1\r\n" + TEXT % "x")
                self.assertEqual(refused.exception.smtp_code, 550)
            line, = sink.wait(1)
            self.assertEqual((line["client_ip"], line["ehlo"]), ("127.0.0.12", "a2.acme.example"))
            with open(os.path.join(folder, "000001.eml"), "rb") as f:
                self.assertNotIn(b"X-Fairlead", f.read())

    def test_nobody_sends_as_somebody_else(self):
        sink = self.server(Sink())
        d = self.daemon(sink.port).start()
        with smtplib.SMTP("127.0.0.1", d.submission, timeout=20) as c:
            c.starttls(context=ssl._create_unverified_context())
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                c.login("foo", "wrong")
        with smtplib.SMTP("127.0.0.1", d.submission, timeout=20) as c:
            c.starttls(context=ssl._create_unverified_context())
            c.login("foo", PASSWORD)
            with self.assertRaises(smtplib.SMTPException):
                c.sendmail("x@globex.example", ["b@two.test"], TEXT % "x")
        self.assertEqual(sink.messages(), [])

    def test_what_is_refused_is_told_with_its_sender_and_recipient(self):
        d = self.daemon(self.server(Sink()).port).start()
        foreign = "From: <x@globex.example>\r\n\r\nhello\r\n"
        with smtplib.SMTP("127.0.0.1", d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            c.ehlo()
            c.mail("news@acme.example")
            self.assertEqual(c.rcpt("b@[127.0.0.1]")[0], 550)
            self.assertEqual(c.rcpt("b@two.test")[0], 250)
            self.assertEqual(c.data(foreign)[0], 550)
        told = eventually(lambda: [e for e in d.accounting() if e["event"] == "rejected"][1:] and d.accounting())
        self.assertEqual([(e["from"], e["to"], e["reason"]) for e in told],
                         [("news@acme.example", "b@[127.0.0.1]", "recipient"), ("news@acme.example", "b@two.test", "from")])

    def test_a_server_of_another_make(self):
        mx = self.server(Aio())
        d = self.daemon(mx.port).start()
        smtplib_client(d, "b@two.test")
        self.assertTrue(eventually(lambda: mx.seen))
        peer, ehlo, envelope, _ = mx.seen[0]
        self.assertEqual((peer, ehlo, envelope.mail_from, envelope.rcpt_tos), ("127.0.0.11", "a1.acme.example", "news@acme.example", ["b@two.test"]))
        self.assertTrue(envelope.content.endswith(b"hello\r\n.a line with a dot\r\n"))


if __name__ == "__main__":
    unittest.main()
