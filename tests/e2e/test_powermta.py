"""conf/examples/powermta.yaml as it stands, with this machine's ports, addresses and files put in: each of its lines seen from outside."""
import datetime, json, os, smtplib, socket, ssl, warnings

from fairlead import Daemon, DaemonTest, PASSWORD, ROOT, certificate, eventually, free_port
from servers import Sink

TEXT = "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nhello\r\n"
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
MX = "127.0.0.21"


class PowerMta(Daemon):
    """The example; `port` is where all mail is sent."""

    def __init__(self, port, min_version="1.2"):
        super().__init__()
        self.inbound, self.port, self.min_version = free_port(), port, min_version
        self.crt, key = certificate(self.dir, "relay.example.net")
        self.places = {
            '"0.0.0.0:587"': '"127.0.0.1:%d"' % self.submission, '"0.0.0.0:465"': '"127.0.0.1:%d"' % self.smtps,
            '"0.0.0.0:2525"': '"127.0.0.1:%d"' % self.relay, '"0.0.0.0:25"': '"127.0.0.1:%d"' % self.inbound,
            "/etc/fairlead/relay.pem": self.crt, "/etc/fairlead/relay.key": key, "user: fairlead": 'user: ""\n  data_dir: ' + os.path.join(self.dir, "data"),
            "192.0.2.0/24": "127.0.2.0/24", "192.0.2.10": "127.0.0.31", "192.0.2.11": "127.0.0.32"}

    def write_config(self):
        with open(os.path.join(ROOT, "conf", "examples", "powermta.yaml")) as f:
            text = f.read()
        for theirs, ours in self.places.items():
            assert theirs in text, theirs
            text = text.replace(theirs, ours)
        text = text.replace('min_version: "1.2"', 'min_version: "%s"' % self.min_version)
        text += '\ndomains: {"*": {smart_host: "[%s]:%d"}}\nstore: {min_free_space: 16MiB}\nadmin: {socket: control.sock}\n' % (MX, self.port)
        with open(self.file, "w") as f:
            f.write(text)
        os.chmod(self.file, 0o600)

    def client(self, address="127.0.0.1", port=None):
        return smtplib.SMTP("127.0.0.1", port or self.submission, timeout=20, source_address=(address, 0))

    def logged_in(self):
        c = self.client()
        c.starttls(context=ssl._create_unverified_context())
        c.login("foo", PASSWORD)
        return c

    def queue(self, seconds=20):
        """The one queue with mail in it, once it waits."""
        def waiting():
            return [r for r in json.loads(self.cli("queue", "list", "--json").stdout) if r["state"] == "waiting"]
        row, = eventually(waiting, seconds) or [None]
        return row


class Example(DaemonTest):
    def relay(self, *args, **kw):
        d = PowerMta(*args, **kw)
        self.addCleanup(d.forget)
        self.addCleanup(self.end, d)
        return d.start()

    def assert_waits(self, d, vmta, seconds):
        row = d.queue()
        self.assertIsNotNone(row)
        self.assertEqual(row["vmta"], vmta)
        due = datetime.datetime.fromisoformat(row["next_attempt"].replace("Z", "+00:00"))
        left = (due - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        self.assertTrue(seconds - 30 < left <= seconds + 1, (left, row))

    def test_mta1_delivers_under_tls_from_its_source_host(self):
        sink = self.server(Sink("--tls", "on", ip=MX))
        d = self.relay(sink.port)
        with d.logged_in() as c:
            c.sendmail("news@acme.example", ["b@two.test"], TEXT)
        line, = sink.wait(1)
        self.assertEqual((line["client_ip"], line["ehlo"]), ("127.0.0.31", "mta1.yourserver.com"))
        self.assertTrue(line["tls"])

    def test_mta1_sends_nothing_without_tls_and_tries_again_in_10_minutes(self):
        sink = self.server(Sink(ip=MX))
        d = self.relay(sink.port)
        with d.logged_in() as c:
            c.sendmail("news@acme.example", ["b@two.test"], TEXT)
        self.assert_waits(d, "mta1", 600)
        self.assertEqual(sink.messages(), [])

    def test_mta2_never_uses_tls_and_has_its_own_source_host(self):
        sink = self.server(Sink("--tls", "on", ip=MX))
        d = self.relay(sink.port)
        with d.logged_in() as c:
            c.sendmail("news@acme.example", ["b@two.test"], "X-Virtual-MTA: mta2\r\n" + TEXT)
        line, = sink.wait(1)
        self.assertEqual((line["client_ip"], line["ehlo"]), ("127.0.0.32", "mta2.yourserver.com"))
        self.assertFalse(line["tls"])

    def test_mta2_tries_again_in_45_minutes(self):
        sink = self.server(Sink(ip=MX, script='- {at: mail, do: "451 4.7.1 later"}\n'))
        d = self.relay(sink.port)
        with d.logged_in() as c:
            c.sendmail("news@acme.example", ["b@two.test"], "X-Virtual-MTA: mta2\r\n" + TEXT)
        self.assert_waits(d, "mta2", 2700)

    def test_a_stranger_must_begin_tls_and_then_log_in(self):
        sink = self.server(Sink("--tls", "on", ip=MX))
        d = self.relay(sink.port)
        with d.client() as c:
            c.ehlo()
            self.assertTrue(c.has_extn("starttls"))
            self.assertFalse(c.has_extn("auth"))
            self.assertEqual(c.docmd("AUTH", "PLAIN AGZvbwBiYXJiYXo=")[0], 538)
            self.assertEqual(c.mail("news@acme.example")[0], 530)
            c.starttls(context=ssl._create_unverified_context())
            c.ehlo()
            self.assertTrue(c.has_extn("auth"))
            self.assertFalse(c.has_extn("starttls"))
            self.assertEqual(c.mail("news@acme.example")[0], 530)
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                c.login("foo", "barbar")
            c.login("foo", PASSWORD)
            c.sendmail("news@acme.example", ["b@two.test"], TEXT)
        self.assertEqual(len(sink.wait(1)), 1)

    def test_the_network_that_may_always_relay_needs_no_login(self):
        sink = self.server(Sink("--tls", "on", ip=MX))
        d = self.relay(sink.port)
        for port in (d.submission, d.relay):
            with d.client("127.0.2.77", port) as c:
                c.sendmail("news@acme.example", ["b@two.test"], TEXT)
        self.assertEqual([m["client_ip"] for m in sink.wait(2)], ["127.0.0.31"] * 2)

    def test_strangers_reach_the_relay_domain_and_the_relay_addresses_alone(self):
        sink = self.server(Sink("--tls", "on", ip=MX))
        d = self.relay(sink.port)
        taken = ["any@some.domain", "Any@SOME.DOMAIN", "bounce@bounce.yourdomain.com", "x@foo.com", "x@foobar.com"]
        refused = ["x@sub.some.domain", "x@some.domain.evil.test", "other@bounce.yourdomain.com", "bounce@yourdomain.com", "x@foobaz.com", "x@foo.com.evil.test",
                   "x@afoo.com", "x@two.test", "x%two.test@foo.org", '"x@foo.com"@two.test']
        with d.client(port=d.inbound) as c:
            c.ehlo()
            self.assertEqual(c.mail("stranger@elsewhere.test")[0], 250)
            for to in taken:
                self.assertEqual((to, c.rcpt(to)[0]), (to, 250))
            for to in refused:
                self.assertEqual((to, c.docmd("RCPT", "TO:<%s>" % to)[0] // 100), (to, 5))
                c.rset(), c.mail("stranger@elsewhere.test")
            c.rset(), c.mail("stranger@elsewhere.test")
            for to in taken:
                c.rcpt(to)
            self.assertEqual(c.data(TEXT)[0], 250)
        self.assertTrue(eventually(lambda: len([t for m in sink.messages() for t in m["to"]]) == len(taken)))
        self.assertEqual(sorted(t.lower() for m in sink.messages() for t in m["to"]), sorted(t.lower() for t in taken))

    def test_the_certificate_of_the_configuration_is_shown(self):
        d = self.relay(free_port(MX))
        trust = ssl.create_default_context(cafile=d.crt)
        with d.client() as c:
            c._host = "relay.example.net"
            self.assertEqual(c.starttls(context=trust)[0], 220)
        with socket.create_connection(("127.0.0.1", d.smtps), 20) as raw, trust.wrap_socket(raw, server_hostname="relay.example.net") as s:
            self.assertTrue(s.recv(200).startswith(b"220 relay.example.net "))

    def test_the_lowest_tls_version_is_the_one_that_is_set(self):
        for least in VERSIONS:
            d = self.relay(free_port(MX), min_version=least)
            for n, (name, version) in enumerate(VERSIONS.items()):
                with self.subTest(least=least, client=name):
                    self.assertEqual(self.shake(d, version), "TLSv1.%d" % n if name >= least and n else "TLSv1" if name >= least else None)
            d.stop()

    def shake(self, d, version):
        """The version agreed on with a client that knows this one alone; None without agreement."""
        c = ssl._create_unverified_context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            c.minimum_version = c.maximum_version = version
        c.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", d.smtps), 20) as raw:
            try:
                with c.wrap_socket(raw) as s:
                    return s.version()
            except (ssl.SSLError, ConnectionError):
                return None
