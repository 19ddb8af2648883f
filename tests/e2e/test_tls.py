"""Towards remote servers: what each TLS policy makes of each kind of server, and the log-in to smart hosts."""
import base64, json, os, smtplib, ssl, subprocess

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from fairlead import DaemonTest, certificate, eventually, free_port
from play import Mx
from servers import Aio

TEXT = "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nhello\r\n"
HOST = "127.0.0.21"
SECRET = "a secret, of sorts"
NUMBERS = ["two.test", "three.test", "four.test", "five.test"]


def expired_certificate(folder, name):
    """As certificate(), but its time is over."""
    crt, key = os.path.join(folder, "expired.pem"), os.path.join(folder, "expired.key")
    conf = os.path.join(folder, "ca.conf")
    with open(conf, "w") as f:
        f.write("[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=%s\ndatabase=%s/index\nserial=%s/serial\ndefault_md=sha256\npolicy=p\nunique_subject=no\nx509_extensions=x\n"
                "[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:%s\nbasicConstraints=CA:TRUE\n" % (folder, folder, folder, name))
    with open(os.path.join(folder, "index"), "w"), open(os.path.join(folder, "serial"), "w") as serial:
        serial.write("01\n")
    for args in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout", key, "-out", crt + ".csr"],
                 ["ca", "-batch", "-config", conf, "-selfsign", "-keyfile", key, "-in", crt + ".csr", "-out", crt, "-notext",
                  "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]):
        subprocess.run(["openssl", *args], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return crt, key


def serving(crt, key):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(crt, key)
    return c


class TlsTest(DaemonTest):
    def relay(self, domains, **hosts):
        d = self.daemon()
        d.config["defaults"].update(retry=["1h"])
        d.config["domains"] = domains
        d.config["dns"] = {"hosts": hosts}
        return d

    def submit(self, d, *to):
        with smtplib.SMTP("127.0.0.1", d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            for t in to:
                c.sendmail("news@acme.example", [t], TEXT)

    def set_back(self, d, domain):
        """The event that set this domain's queue back."""
        def found():
            return [e for e in d.accounting() if e["event"] == "path_deferred" and e["queue"].endswith("/" + domain)]
        got = eventually(found)
        self.assertTrue(got, domain)
        return got[0]


class Policies(TlsTest):
    # policy: what it does at each kind of server: clear, tls, verified (told whatever the policy), or nothing.
    WANTED = {
        "none": dict.fromkeys(("plain", "good", "unknown", "expired", "misnamed", "broken"), "clear"),
        "opportunistic": {"plain": "clear", "good": "verified", "unknown": "tls", "expired": "tls", "misnamed": "tls", "broken": "clear"},
        "require": {"plain": None, "good": "verified", "unknown": "tls", "expired": "tls", "misnamed": "tls", "broken": None},
        "verify": {"plain": None, "good": "verified", "unknown": None, "expired": None, "misnamed": None, "broken": None},
    }

    def setUp(self):
        self.d = self.relay({})
        folder = self.d.dir
        pairs = {"good": certificate(folder, "mx.good.test"), "unknown": certificate(folder, "mx.unknown.test"), "misnamed": certificate(folder, "mx.other.test"),
                 "expired": expired_certificate(folder, "mx.expired.test")}
        anchors = os.path.join(folder, "anchors.pem")
        with open(anchors, "w") as out:
            for kind in ("good", "misnamed", "expired"):
                with open(pairs[kind][0]) as f:
                    out.write(f.read())
        self.servers = {kind: self.server(Mx(HOST, serving(*pair))) for kind, pair in pairs.items()}
        self.servers.update(plain=self.server(Mx(HOST)), broken=self.server(Mx(HOST, "broken")))
        self.d.config["dns"] = {"hosts": {"mx.%s.test" % kind: [HOST] for kind in self.servers}}
        self.d.config["defaults"]["tls_ca"] = anchors
        self.d.config["domains"] = {"%s.%s.test" % (policy, kind): {"tls": policy, "smart_host": "[mx.%s.test]:%d" % (kind, mx.port)}
                                    for policy in self.WANTED for kind, mx in self.servers.items()}
        self.d.start()

    def found(self, policy, kind):
        to = "b@%s.%s.test" % (policy, kind)
        for m in self.servers[kind].seen:
            if any(to in r for r in m["rcpts"]):
                event = eventually(lambda: [e for e in self.d.accounting() if e["event"] == "delivered" and e["to"] == to])[0]
                self.assertEqual(bool(event.get("tls")), m["tls"])
                return "verified" if m["tls"] and event["tls"]["verified"] else "tls" if m["tls"] else "clear"
        return None

    def test_each_policy_at_each_kind_of_server(self):
        cases = [(policy, kind, wanted) for policy, row in self.WANTED.items() for kind, wanted in row.items()]
        self.submit(self.d, *("b@%s.%s.test" % (policy, kind) for policy, kind, _ in cases))
        for policy, kind, wanted in cases:
            with self.subTest(policy=policy, server=kind):
                if wanted:
                    self.assertEqual(eventually(lambda: self.found(policy, kind)), wanted)
                else:
                    self.assertIn(self.set_back(self.d, "%s.%s.test" % (policy, kind))["stage"], ("starttls", "tls"))
                    self.assertIsNone(self.found(policy, kind))

    def test_a_broken_handshake_is_remembered(self):
        mx = self.servers["broken"]
        for n in range(1, 4):
            self.submit(self.d, "b@opportunistic.broken.test")
            self.assertTrue(eventually(lambda: len(mx.seen) == n))
        self.assertEqual(mx.verbs().count("STARTTLS"), 1)

    def test_who_is_spoken_to_in_clear_since_then_is_shown(self):
        mx = self.servers["broken"]
        mx.answer = lambda verb, line: "451 4.2.1 later" if verb == "RCPT" else None
        self.submit(self.d, "b@opportunistic.broken.test")
        queue = "acme/a1/opportunistic.broken.test"
        self.assertTrue(eventually(lambda: "MAIL" in mx.verbs() and self.d.cli("queue", "show", queue).returncode == 0))
        shown = json.loads(self.d.cli("queue", "show", queue, "--json").stdout)["without_tls"]
        self.assertEqual([row["mx_ip"] for row in shown], [HOST])
        self.assertIn("without TLS", self.d.cli("queue", "show", queue).stdout)

    def test_without_tls_fallback_a_broken_handshake_is_never_answered_with_clear_text(self):
        self.d.stop()
        self.d.config["defaults"]["tls_fallback"] = False
        self.d.start()
        self.submit(self.d, "b@opportunistic.broken.test")
        self.set_back(self.d, "opportunistic.broken.test")
        self.assertEqual(self.servers["broken"].seen, [])


class Login(TlsTest):
    """A smart host that wants a log-in."""

    def setUp(self):
        self.d = self.relay({})
        self.crt, key = certificate(self.d.dir, "mx.smart.test")
        self.context = serving(self.crt, key)
        self.d.config["dns"] = {"hosts": {"mx.smart.test": [HOST]}}
        self.d.config["defaults"]["tls_ca"] = self.crt

    def through(self, *servers, **smart):
        """One message by each smart host, to two.test and so on."""
        names = NUMBERS[:len(servers)]
        self.d.config["domains"] = {name: {"smart_host": {"host": "[mx.smart.test]:%d" % mx.port, "user": "me", "password": SECRET, "tls": "verify", **smart}}
                                    for name, mx in zip(names, servers)}
        self.d.start()
        self.submit(self.d, *("b@" + name for name in names))

    def taken(self, mx):
        self.assertTrue(eventually(lambda: mx.seen), self.d.said()[-1000:])
        return mx.seen[0]

    def test_the_strongest_mechanism_that_is_offered(self):
        wanted = {("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"): "SCRAM-SHA-256", ("LOGIN", "CRAM-MD5"): "CRAM-MD5", ("LOGIN", "PLAIN"): "PLAIN", ("LOGIN",): "LOGIN"}
        servers = [self.server(Mx(HOST, self.context, auth=offered, login=("me", SECRET))) for offered in wanted]
        self.through(*servers)
        for mx in servers:
            with self.subTest(offered=mx.auth):
                self.assertTrue(self.taken(mx)["tls"])
                self.assertEqual(mx.logins, [(wanted[mx.auth], True, True)])

    def test_tls_that_begins_at_once(self):
        mx = self.server(Mx(HOST, self.context, implicit=True, auth=("PLAIN",), login=("me", SECRET)))
        self.through(mx, implicit_tls=True)
        self.assertTrue(self.taken(mx)["tls"])
        self.assertNotIn("STARTTLS", mx.verbs())

    def test_a_server_of_another_make(self):
        servers = {m: self.server(AioLogin(HOST, self.context, exclude=[other])) for m, other in (("PLAIN", "LOGIN"), ("LOGIN", "PLAIN"))}
        self.through(*servers.values())
        for mechanism, mx in servers.items():
            with self.subTest(mechanism=mechanism):
                self.assertTrue(eventually(lambda: mx.seen))
                self.assertEqual((mx.logins, mx.seen[0][3]), ([(mechanism, b"me", SECRET.encode())], True))

    def test_nobody_logs_in_in_clear(self):
        mx = self.server(Mx(HOST, auth=("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"), auth_in_clear=True, login=("me", SECRET)))
        self.through(mx, tls="opportunistic")
        self.assertEqual(self.set_back(self.d, "two.test")["stage"], "auth")
        row, = json.loads(self.d.cli("queue", "list", "--json").stdout)
        self.assertIn("allow_plaintext_login", row["why"])
        self.assertNotIn("AUTH", mx.verbs())
        self.assertEqual(mx.seen, [])

    def test_unless_that_is_allowed(self):
        mx = self.server(Mx(HOST, auth=("PLAIN", "LOGIN"), auth_in_clear=True, login=("me", SECRET)))
        self.through(mx, tls="none", allow_plaintext_login=True)
        self.assertFalse(self.taken(mx)["tls"])
        self.assertEqual(mx.logins, [("PLAIN", False, True)])

    def test_a_wrong_password_sends_nothing_and_is_shown_nowhere(self):
        mx = self.server(Mx(HOST, self.context, auth=("PLAIN",), login=("me", "another")))
        self.through(mx)
        event = self.set_back(self.d, "two.test")
        self.assertEqual((event["stage"], event["code"]), ("auth", 535))
        self.assertEqual(mx.seen, [])
        row, = json.loads(self.d.cli("queue", "list", "--json").stdout)
        shown = self.d.cli("queue", "show", row["queue"]).stdout + self.d.cli("queue", "show", row["queue"], "--json").stdout + self.d.said()
        self.assertIn("AUTH PLAIN", shown)
        for secret in (SECRET, base64.b64encode(b"\0me\0" + SECRET.encode()).decode()):
            self.assertNotIn(secret, shown)

    def test_a_smart_host_that_offers_no_log_in_gets_nothing(self):
        mx = self.server(Mx(HOST, self.context))
        self.through(mx)
        self.assertEqual(self.set_back(self.d, "two.test")["stage"], "auth")
        self.assertEqual(mx.seen, [])


class AioLogin(Aio):
    """aiosmtpd that wants STARTTLS and then a log-in."""

    def __init__(self, ip, context, exclude):
        self.seen, self.logins, self.port = [], [], free_port(ip)
        self.controller = Controller(self, hostname=ip, port=self.port, tls_context=context, require_starttls=True, auth_required=True, authenticator=self.judge,
                                     auth_exclude_mechanism=exclude)
        self.controller.start()

    def judge(self, server, session, envelope, mechanism, data):
        self.logins.append((mechanism, data.login, data.password))
        return AuthResult(success=True)
