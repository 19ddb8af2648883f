"""Users of method system, through a real PAM stack, and users of method certificate, through real handshakes."""
import base64, contextlib, fcntl, hashlib, os, smtplib, ssl, subprocess, threading, unittest

from fairlead import DaemonTest, PASSWORD, START_S, eventually
from servers import Sink

SERVICE = "/etc/pam.d/fairlead"
SECRET = "open sésame ' $x"
TEXT = "Subject: x\r\nFrom: <%s>\r\n\r\nhello\r\n"


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


@contextlib.contextmanager
def pam_service(text):
    """This is PAM's service file as long as it lasts; afterwards all is as it was. One test at a time on this machine."""
    before = None
    with open("/tmp/fairlead-e2e-pam.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(SERVICE):
            with open(SERVICE) as f:
                before = f.read()
        with open(SERVICE, "w") as f:
            f.write(text)
        try:
            yield
        finally:
            if before is None:
                os.unlink(SERVICE)
            else:
                with open(SERVICE, "w") as f:
                    f.write(before)


@unittest.skipUnless(os.geteuid() == 0 and os.path.isdir("/etc/pam.d"), "a PAM service is written by root only")
class System(DaemonTest):
    CHECK = """#!/bin/sh
word=$(tr -d '\\000')
echo "$PAM_USER" >>%(dir)s/asked
case $PAM_USER in
slow*) touch %(dir)s/slow; while [ ! -e %(dir)s/go ]; do sleep 0.1; done ;;
esac
[ "$word" = "$(cat %(dir)s/word)" ]
"""

    def setUp(self):
        self.sink = self.server(Sink())
        d = self.d = self.daemon(self.sink.port)
        for name, text, mode in (("word", SECRET, 0o644), ("check", self.CHECK % {"dir": d.dir}, 0o755)):
            with open(os.path.join(d.dir, name), "w") as f:
                f.write(text)
            os.chmod(os.path.join(d.dir, name), mode)
        self.enterContext(pam_service("auth required pam_exec.so expose_authtok quiet %s/check\naccount required pam_permit.so\n" % d.dir))
        d.config["tenants"]["acme"]["users"].update({name: {"method": "system"} for name in ("alice", "slow1", "slow2")})
        d.config["sources"][0].update(auth_failure_delay="50ms", max_auth_failures=20, max_auth_failures_per_ip="unlimited")
        d.start()

    def client(self):
        c = smtplib.SMTP("127.0.0.1", self.d.submission, timeout=120)
        self.addCleanup(c.close)
        c.starttls(context=ssl._create_unverified_context())
        c.ehlo()
        return c

    def log_in(self, c, user, password, mechanism="PLAIN"):
        """The reply to it."""
        if mechanism == "PLAIN":
            return c.docmd("AUTH", "PLAIN " + base64_of("\0%s\0%s" % (user, password)))
        c.docmd("AUTH", "LOGIN")
        c.docmd(base64_of(user))
        return c.docmd(base64_of(password))

    def asked(self):
        with open(os.path.join(self.d.dir, "asked")) as f:
            return f.read().split()

    def test_the_right_password_by_each_mechanism_and_mail_goes(self):
        for n, mechanism in enumerate(("PLAIN", "LOGIN"), 1):
            with self.subTest(mechanism=mechanism):
                c = self.client()
                self.assertEqual(self.log_in(c, "alice", SECRET, mechanism)[0], 235)
                c.sendmail("alice@acme.example", ["b@two.test"], TEXT % "alice@acme.example")
                self.assertEqual(len(self.sink.wait(n)), n)
        self.assertTrue(eventually(lambda: [e["user"] for e in self.d.accounting() if e["event"] == "accepted"] == ["alice"] * 2, START_S))

    def test_the_answer_does_not_tell_who_exists(self):
        c = self.client()
        replies = {self.log_in(c, user, password) for user, password in
                   (("alice", "wrong"), ("alice", SECRET + "x"), ("nobody-here", SECRET), ("root", SECRET), ("foo", "wrong"), ("alice", SECRET[:-1]))}
        self.assertEqual(len(replies), 1, replies)
        self.assertEqual(replies.pop()[0], 535)
        self.assertEqual(set(self.asked()), {"alice"})
        self.assertEqual(self.log_in(c, "alice", SECRET)[0], 235)
        self.assertNotIn(SECRET, self.d.said())

    def test_a_password_that_was_changed_is_asked_for_again_after_a_reload(self):
        self.assertEqual(self.log_in(self.client(), "alice", SECRET)[0], 235)
        with open(os.path.join(self.d.dir, "word"), "w") as f:
            f.write("another")
        self.assertEqual(self.d.cli("reload").returncode, 0)
        self.assertEqual(self.log_in(self.client(), "alice", SECRET)[0], 535)
        self.assertEqual(self.log_in(self.client(), "alice", "another")[0], 235)

    def test_a_slow_stack_stops_no_other_log_in_and_no_mail(self):
        replies = {}

        def slow(user):
            replies[user] = self.log_in(self.client(), user, SECRET)
        threads = [threading.Thread(target=slow, args=("slow%d" % n,)) for n in (1, 2)]
        for t in threads:
            t.start()
        self.assertTrue(eventually(lambda: os.path.exists(os.path.join(self.d.dir, "slow")), START_S))
        c = self.client()
        self.assertEqual(self.log_in(c, "foo", "wrong")[0], 535)
        self.assertEqual(self.log_in(c, "foo", PASSWORD)[0], 235)
        c.sendmail("x@acme.example", ["b@two.test"], TEXT % "x@acme.example")
        self.assertEqual(len(self.sink.wait(1)), 1)
        self.assertEqual(replies, {})
        with open(os.path.join(self.d.dir, "go"), "w"):
            pass
        for t in threads:
            t.join()
        self.assertEqual({code for code, _ in replies.values()}, {235})


def openssl(folder, *args):
    subprocess.run(["openssl", *args], check=True, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True)


class Issuer:
    """A certification authority."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.file = os.path.join(folder, name + ".pem")
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=" + name,
                "-keyout", name + ".key", "-out", name + ".pem")
        with open(os.path.join(folder, name + ".conf"), "w") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=%(n)s.index\nserial=%(n)s.serial\ndefault_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n"
                    "[p]\ncommonName=supplied\n" % {"n": name})
        with open(os.path.join(folder, name + ".index"), "w"), open(os.path.join(folder, name + ".serial"), "w") as f:
            f.write("01\n")

    def issue(self, name, dns, days=("20200101000000Z", "20490101000000Z")):
        """(certificate, key) for a client of this name."""
        openssl(self.folder, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + dns,
                "-keyout", name + ".key", "-out", name + ".csr")
        openssl(self.folder, "ca", "-batch", "-config", self.name + ".conf", "-cert", self.name + ".pem", "-keyfile", self.name + ".key", "-in", name + ".csr",
                "-out", name + ".pem", "-notext", "-startdate", days[0], "-enddate", days[1])
        return os.path.join(self.folder, name + ".pem"), os.path.join(self.folder, name + ".key")


def fingerprint(crt):
    with open(crt) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


class Certificate(DaemonTest):
    """robot is known by a name that the CA vouches for, hand by the fingerprint of a certificate."""

    def setUp(self):
        self.sink = self.server(Sink())
        d = self.d = self.daemon(self.sink.port)
        ca, strange = Issuer(d.dir, "ca"), Issuer(d.dir, "strange")
        past = ("20200101000000Z", "20200201000000Z")
        self.pairs = {
            "by name": ca.issue("robot", "client.acme.example"),
            "by fingerprint": strange.issue("hand", "whatever.test"),
            "of a wrong issuer": strange.issue("false", "client.acme.example"),
            "of another name": ca.issue("other", "client.globex.example"),
            "of a name below it": ca.issue("below", "x.client.acme.example"),
            "expired": ca.issue("old", "client.acme.example", past),
            "none": None,
        }
        d.config["tls"]["client_ca"] = ca.file
        d.config["tenants"]["acme"]["users"].update({
            "robot": {"method": "certificate", "certificate": {"dns": "client.acme.example"}},
            "hand": {"method": "certificate", "certificate": {"sha256": fingerprint(self.pairs["by fingerprint"][0])}}})
        d.start()

    def client(self, kind, version=None, implicit=False):
        context = ssl._create_unverified_context()
        if self.pairs[kind]:
            context.load_cert_chain(*self.pairs[kind])
        if version:
            context.minimum_version = context.maximum_version = version
        if implicit:
            c = smtplib.SMTP_SSL("127.0.0.1", self.d.smtps, timeout=60, context=context)
        else:
            c = smtplib.SMTP("127.0.0.1", self.d.submission, timeout=60)
            c.starttls(context=context)
        self.addCleanup(c.close)
        c.ehlo()
        return c

    def test_who_is_known_sends_without_a_log_in(self):
        n = 0
        for kind, user in (("by name", "robot"), ("by fingerprint", "hand")):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                for implicit in (False, True):
                    with self.subTest(kind=kind, version=version, implicit=implicit):
                        c = self.client(kind, version, implicit)
                        self.assertIn("EXTERNAL", c.esmtp_features["auth"])
                        c.sendmail("x@acme.example", ["b@two.test"], TEXT % "x@acme.example")
                        n += 1
                        self.assertEqual(len(self.sink.wait(n)), n)
                        accepted = eventually(lambda: [e for e in self.d.accounting() if e["event"] == "accepted"][n - 1:])
                        self.assertEqual(accepted[0]["user"], user)

    def test_who_is_known_may_say_so_and_nobody_else_may(self):
        c = self.client("by name")
        self.assertEqual(c.docmd("AUTH", "EXTERNAL =")[0], 235)
        c = self.client("by name")
        self.assertEqual(c.docmd("AUTH", "EXTERNAL aGFuZA==")[0], 535)      # hand
        c = self.client("none")
        self.assertNotIn("EXTERNAL", c.esmtp_features["auth"])
        self.assertGreaterEqual(c.docmd("AUTH", "EXTERNAL =")[0], 500)

    def test_who_is_not_known_has_to_log_in(self):
        for kind in ("of a wrong issuer", "of another name", "of a name below it", "expired", "none"):
            with self.subTest(certificate=kind):
                c = self.client(kind)
                self.assertNotIn("EXTERNAL", c.esmtp_features["auth"])
                self.assertEqual(c.mail("x@acme.example")[0], 530)
                c.login("foo", PASSWORD)
                self.assertEqual(c.mail("x@acme.example")[0], 250)
        self.assertEqual(self.sink.messages(), [])

    def test_a_known_client_sends_in_its_own_customers_name_only(self):
        c = self.client("by name")
        with self.assertRaises(smtplib.SMTPException):
            c.sendmail("x@globex.example", ["b@two.test"], TEXT % "x@globex.example")


if __name__ == "__main__":
    unittest.main()
