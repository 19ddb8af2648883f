"""Ways to relay without authorisation. Not what is answered counts, but what the outside domain's server receives: nothing.
A way is a mechanism: where the client comes from and enters, what it says before MAIL, whom it names, and how it writes that."""
import base64, collections, json, os, re, smtplib, socket, ssl, struct, tempfile

from fairlead import DaemonTest, PASSWORD, eventually, free_port
from servers import Sink

STRANGER, TRUSTED, PROXY, ELSEWHERE = "127.0.0.1", "127.0.0.2", "127.0.0.5", "127.0.0.9"
EVIL, VICTIM, OURS = b"evil@evil.test", b"victim@outside.test", b"news@acme.example"
LEAST = 200

Way = collections.namedtuple("Way", "name entry source tls first before mail rcpt header", defaults=(STRANGER, "no", b"", (), EVIL, VICTIM, b""))


def b64(raw):
    return base64.b64encode(raw)


def plain(user, password, authzid=b""):
    return b"AUTH PLAIN " + b64(authzid + b"\0" + user + b"\0" + password)


def proxy2(source, command=0x21):
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, 0x11]) + struct.pack(">H4s4sHH", 12, socket.inet_aton(source), socket.inet_aton("127.0.0.1"), 40000, 587)


# What a client says instead of a log-in that holds.
LOGINS = {
    "none": (),
    "plain-wrong-password": (plain(b"foo", b"wrong"),),
    "plain-empty-password": (plain(b"foo", b""),),
    "plain-nobody": (plain(b"nobody", b"barbaz"),),
    "plain-empty": (b"AUTH PLAIN =",),
    "plain-nothing-in-it": (plain(b"", b""),),
    "plain-right-password-but-cut": (plain(b"foo", PASSWORD.encode()[:-1]),),
    "plain-right-password-and-more": (plain(b"foo", PASSWORD.encode() + b"\0"),),
    "plain-for-another": (plain(b"foo", PASSWORD.encode(), b"bar"),),
    "plain-upper-case": (plain(b"foo", PASSWORD.upper().encode()),),
    "plain-no-base64": (b"AUTH PLAIN !foo!barbaz!",),
    "plain-cancelled": (b"AUTH PLAIN", b"*"),
    "login-cancelled": (b"AUTH LOGIN", b64(b"foo"), b"*"),
    "login-half": (b"AUTH LOGIN", b64(b"foo"), b""),
    "login-wrong": (b"AUTH LOGIN", b64(b"foo"), b64(b"wrong")),
    "login-nul": (b"AUTH LOGIN", b64(b"foo\0"), b64(PASSWORD.encode())),
    "scram-first-alone": (b"AUTH SCRAM-SHA-256 " + b64(b"n,,n=foo,r=abcdefgh"), b"*"),
    "scram-wrong-proof": (b"AUTH SCRAM-SHA-256 " + b64(b"n,,n=foo,r=abcdefgh"), b64(b"c=biws,r=abcdefgh,p=" + b64(bytes(32)))),
    "scram-no-proof": (b"AUTH SCRAM-SHA-256 " + b64(b"n,,n=foo,r=abcdefgh"), b"="),
    "cram-not-offered": (b"AUTH CRAM-MD5", b64(b"foo " + b"0" * 32)),
    "anonymous": (b"AUTH ANONYMOUS " + b64(b"me@evil.test"),),
    "external": (b"AUTH EXTERNAL " + b64(b"foo"),),
    "external-empty": (b"AUTH EXTERNAL =",),
    "gssapi": (b"AUTH GSSAPI",),
    "xclient": (b"XCLIENT ADDR=127.0.0.2 NAME=localhost LOGIN=foo",),
    "xforward": (b"XFORWARD ADDR=127.0.0.2",),
    "helo-of-the-trusted": (b"HELO [127.0.0.2]",),
    "ehlo-of-ourselves": (b"EHLO relay.test",),
    "proxy-in-the-session": (b"PROXY TCP4 127.0.0.2 127.0.0.1 40000 587",),
    "rset-and-noop": (b"RSET", b"NOOP"),
    "etrn": (b"ETRN outside.test",),
    "turn": (b"TURN",),
    "two-rcpts-first-ours": (b"MAIL FROM:<evil@evil.test>", b"RCPT TO:<any@in.test>"),
    "failed-transaction-before": (b"MAIL FROM:<news@acme.example>", b"RCPT TO:<victim@outside.test>", b"RSET"),
}
SENDERS = {"stranger": EVIL, "null": b"", "ours": OURS, "victim": VICTIM, "postmaster": b"postmaster@relay.test"}
# Ways to write a recipient so that one part of a program sees in.test, and another outside.test.
RECIPIENTS = [
    b"victim@outside.test", b"VICTIM@OUTSIDE.TEST", b"victim@outside.test.", b"victim%outside.test@in.test.outside.test", b"outside.test!victim",
    b"@in.test:victim@outside.test", b"@in.test,@relay.test:victim@outside.test", b"@relay.test:victim@outside.test", b"victim@outside.test@in.test ",
    b'"any@in.test"@outside.test', b'"any@in.test "@outside.test', b'"victim@in.test>"@outside.test', b"any@in.test,victim@outside.test",
    b"any@in.test;victim@outside.test", b"any@in.test victim@outside.test", b"any@in.test> <victim@outside.test", b"any@in.test>,<victim@outside.test",
    b"any@in.test\tvictim@outside.test", b"any@in.test\0@outside.test", b"victim@outside.test\0@in.test", b"victim@outside.test\0.in.test",
    b"victim@outside.test#in.test", b"victim@outside.test/in.test", b"victim@outside.test?in.test", b"victim@outside.test\\@in.test", b"victim\\@in.test@outside.test",
    b"victim@notin.test", b"victim@in.test.outside.test", b"victim@sub.in.test", b"victim@.in.test", b"victim@in.test.test", b"victim@in_test", b"victim@intest",
    b"victim@[127.0.0.1]", b"victim@[127.0.0.21]", b"victim@[IPv6:::1]", b"victim@127.0.0.1", b"victim", b"@outside.test", b"victim@", b"victim@@outside.test",
    b"victim@outside.test(in.test)", b"victim(@in.test)@outside.test", b"<victim@outside.test>", b"victim@xn--outside-.test", "victim＠outside.test".encode(),
    "victim@outside。test".encode(), "victim@ìn.test".encode(), b"victim\xff@outside.test", b"victim@outside.test\xff@in.test", b"victim@in.test:25@outside.test",
    b"a" * 64 + b"@outside.test", b"victim+in.test@outside.test", b"victim=in.test@outside.test", b"any@in.test\r@outside.test", b"any@in.test\n@outside.test",
    # around relay_addresses: exact@exact.test, /@foo(bar)?\.com$/, and the wildcard *.wild.test
    b"other@exact.test", b"exact@exact.test.outside.test", b"exact@outside.test", b'"exact@exact.test"@outside.test', b"xexact@exact.test", b"exact@sub.exact.test",
    b"x@foobaz.com", b"x@foo.com.outside.test", b"x@afoo.com", b"x@sub.foo.com", b"x@foo-com", b"x@fooXcom", b'"@foo.com"@outside.test', b"x@foo.com\n@outside.test",
    b"x@wild.test", b"x@notwild.test", b"x@wild.test.outside.test", b"x@a.wild.test.outside.test",
]
HEADERS = [b"X-Fairlead-VMTA: a1", b"X-Virtual-MTA: a1", b"X-Job: 1", b"To: victim@outside.test", b"Cc: victim@outside.test", b"Bcc: victim@outside.test",
           b"Resent-To: victim@outside.test", b"Apparently-To: victim@outside.test", b"X-RCPT-TO: victim@outside.test", b"X-Receiver: victim@outside.test",
           b"Disposition-Notification-To: victim@outside.test", b"Return-Receipt-To: victim@outside.test", b"Errors-To: victim@outside.test"]
# What may stand around the paths in the commands.
WRITTEN = {"parameters-auth": (b"MAIL FROM:<news@acme.example> AUTH=foo", b"RCPT TO:<victim@outside.test>"),
           "parameters-orcpt": (b"MAIL FROM:<evil@evil.test>", b"RCPT TO:<victim@outside.test> ORCPT=rfc822;any@in.test"),
           "no-brackets": (b"MAIL FROM:evil@evil.test", b"RCPT TO:victim@outside.test"), "spaces": (b"MAIL FROM: <evil@evil.test>", b"RCPT TO: <victim@outside.test>"),
           "lower-case": (b"mail from:<evil@evil.test>", b"rcpt to:<victim@outside.test>"), "saml": (b"SAML FROM:<evil@evil.test>", b"RCPT TO:<victim@outside.test>"),
           "send": (b"SEND FROM:<evil@evil.test>", b"RCPT TO:<victim@outside.test>"), "smtputf8": (b"MAIL FROM:<evil@evil.test> SMTPUTF8", b"RCPT TO:<victim@outside.test>")}


def ways():
    yield from entries()
    for tls in ("no", "starttls"):
        for n, to in enumerate(RECIPIENTS):
            yield Way("recipient-%d %r" % (n, to), "inbound", tls=tls, rcpt=to)
    for h in HEADERS:
        yield Way("header-%s" % h.decode(), "inbound", rcpt=b"any@in.test", header=h)
    for name, lines in WRITTEN.items():
        for entry in ("inbound", "submission"):
            yield Way("written-" + name, entry, before=lines, mail=None)
    yield from proxies()
    yield from tls_tricks()
    yield from logged_in()


def entries():
    """Each door, each way not to log in, and each sender at a door."""
    doors = [("submission", "no"), ("submission", "starttls"), ("smtps", "implicit"), ("relay", "no"), ("relay", "starttls"), ("inbound", "no"), ("inbound", "starttls")]
    for entry, tls in doors:
        for name, lines in LOGINS.items():
            yield Way("login-" + name, entry, tls=tls, before=lines, mail=OURS)
        for name, sender in SENDERS.items():
            yield Way("sender-" + name, entry, tls=tls, mail=sender)
        yield Way("elsewhere", entry, source=ELSEWHERE, tls=tls)
    for tls in ("no", "starttls"):
        yield Way("trusted-source-enters-with-the-strangers", "inbound", source=TRUSTED, tls=tls, mail=OURS)
    yield Way("login-in-clear-that-is-right", "submission", before=(plain(b"foo", PASSWORD.encode()),), mail=OURS)
    yield Way("login-in-clear-by-login", "submission", before=(b"AUTH LOGIN", b64(b"foo"), b64(PASSWORD.encode())), mail=OURS)
    for entry, tls in (("inbound", "no"), ("inbound", "starttls")):
        yield Way("login-that-is-right-among-strangers", entry, tls=tls, before=(plain(b"foo", PASSWORD.encode()),), mail=OURS)


def proxies():
    """Who may say that a client is another, and who not."""
    said = {"v1": b"PROXY TCP4 127.0.0.2 127.0.0.1 40000 587\r\n", "v2": proxy2(TRUSTED), "v2-local": proxy2(TRUSTED, 0x20), "v1-unknown": b"PROXY UNKNOWN\r\n",
            "v1-six": b"PROXY TCP6 ::ffff:127.0.0.2 ::1 40000 587\r\n", "v1-twice": b"PROXY TCP4 127.0.0.9 127.0.0.1 1 587\r\nPROXY TCP4 127.0.0.2 127.0.0.1 1 587\r\n"}
    for name, first in said.items():
        for entry in ("submission", "relay", "inbound", "proxied"):
            yield Way("proxy-%s-from-a-stranger" % name, entry, first=first, mail=OURS)
    yield Way("proxy-names-a-stranger", "proxied", source=PROXY, first=b"PROXY TCP4 127.0.0.9 127.0.0.1 40000 587\r\n", mail=OURS)
    yield Way("proxy-v2-names-a-stranger", "proxied", source=PROXY, first=proxy2(ELSEWHERE), mail=OURS)
    yield Way("proxy-says-twice", "proxied", source=PROXY, first=said["v1-twice"], mail=OURS)
    yield Way("proxy-says-nothing", "proxied", source=PROXY, mail=OURS)
    yield Way("proxy-itself", "proxied", source=PROXY, first=proxy2(TRUSTED, 0x20), mail=OURS)
    yield Way("proxy-breaks-the-line", "proxied", source=PROXY, first=b"PROXY TCP4 127.0.0.9 127.0.0.1 1 587\nPROXY TCP4 127.0.0.2 127.0.0.1 1 587\r\n", mail=OURS)


def tls_tricks():
    """What was said before STARTTLS must not count behind it."""
    for name, injected in {"mail": b"MAIL FROM:<news@acme.example>\r\nRCPT TO:<victim@outside.test>\r\n", "auth": plain(b"foo", PASSWORD.encode()) + b"\r\n"}.items():
        for entry in ("submission", "relay", "inbound"):
            yield Way("starttls-injected-" + name, entry, tls="injected", before=(), first=injected, mail=OURS)
    for entry in ("submission", "relay", "inbound"):
        yield Way("transaction-before-starttls", entry, tls="mail-first", mail=None, before=(b"RCPT TO:<victim@outside.test>",))


def logged_in():
    """A customer, but not the sender that it may be."""
    for name, lines in {"plain": (plain(b"foo", PASSWORD.encode()),), "login": (b"AUTH LOGIN", b64(b"foo"), b64(PASSWORD.encode()))}.items():
        for sender in (EVIL, b"x@globex.example", b"x@acme.example.evil.test", b"x@sub.acme.example", b"x@notacme.example", b'"x@acme.example"@evil.test'):
            for entry, tls in (("submission", "starttls"), ("smtps", "implicit")):
                yield Way("customer-%s-as-%r" % (name, sender), entry, tls=tls, before=lines, mail=sender)
    for header in (b"From: <x@globex.example>", b"From: x@acme.example, x@globex.example", b"From: <news@acme.example>\r\nFrom: <x@globex.example>"):
        yield Way("customer-writes-%r" % header, "smtps", tls="implicit", before=(plain(b"foo", PASSWORD.encode()),), mail=OURS, header=header)
    for mail in (EVIL, b"x@globex.example"):
        yield Way("trusted-source-as-%r" % mail, "relay", source=TRUSTED, mail=mail)


class Client:
    """Says its lines whatever is answered."""

    def __init__(self, port, source):
        self.s = socket.create_connection(("127.0.0.1", port), 20, source_address=(source, 0))
        self.f = self.s.makefile("rb")

    def reply(self):
        while True:
            line = self.f.readline()
            if not line or line[3:4] != b"-":
                return line

    def say(self, line):
        self.s.sendall(line + b"\r\n")
        return self.reply()

    def begin_tls(self):
        self.s = ssl._create_unverified_context().wrap_socket(self.s)
        self.f = self.s.makefile("rb")


def text(way, n):
    own = b"" if b"From:" in way.header else b"From: <%s>\r\n" % (way.mail or OURS).replace(b"\r", b"").replace(b"\n", b"")
    return b"Subject: way %s\r\n%s%s\r\nhello\r\n." % (str(n).encode(), own, way.header and way.header + b"\r\n")


def attempt(port, way, n):
    c = Client(port, way.source)
    try:
        if way.tls == "implicit":
            c.begin_tls()
        elif way.first and way.tls == "no":
            c.s.sendall(way.first)
        c.reply()
        c.say(b"EHLO client.test")
        if way.tls == "mail-first":
            c.say(b"MAIL FROM:<news@acme.example>")
        if way.tls in ("starttls", "injected", "mail-first"):
            went = c.say(b"STARTTLS" + (b"\r\n" + way.first.rstrip() if way.tls == "injected" else b""))
            if went.startswith(b"220"):
                c.begin_tls()
                c.say(b"EHLO client.test")
        for line in way.before:
            c.say(line)
        if way.mail is not None:
            c.say(b"MAIL FROM:<%s>" % way.mail)
            c.say(b"RCPT TO:<%s>" % way.rcpt)
        if c.say(b"DATA").startswith(b"354"):
            c.say(text(way, n))
    except (OSError, ssl.SSLError):
        pass                    # it was thrown out: no way in
    finally:
        c.f.close()
        c.s.close()


class OpenRelay(DaemonTest):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.outside, self.inside = self.server(Sink("--eml", self.folder.name)), self.server(Sink())
        d = self.d = self.daemon(self.outside.port)
        inside = {"smart_host": "[127.0.0.1]:%d" % self.inside.port}
        d.config["domains"].update({n: inside for n in ("in.test", "exact.test", "foo.com", "foobar.com", "*.wild.test", "relay.test")})
        self.ports = {"submission": d.submission, "smtps": d.smtps, "relay": d.relay, "inbound": free_port(), "proxied": free_port()}
        d.config["listeners"] += [{"address": "127.0.0.1:%d" % self.ports["inbound"], "role": "inbound"},
                                  {"address": "127.0.0.1:%d" % self.ports["proxied"], "role": "submission", "proxy_protocol": {"from": [PROXY]}}]
        d.config["sources"][0].update(max_errors="unlimited", max_auth_failures="unlimited", max_auth_failures_per_ip="unlimited", auth_failure_delay="0s")
        d.config.update(relay_domains=["in.test", "*.wild.test"], relay_addresses=["exact@exact.test", r"/@foo(bar)?\.com$/"], relay_tenant="acme")
        d.start()

    def test_no_way_leads_to_the_outside(self):
        tried = list(ways())
        self.assertEqual(len(set(tried)), len(tried))
        self.assertGreaterEqual(len(tried), LEAST)
        for n, way in enumerate(tried):
            attempt(self.ports[way.entry], way, n)
        self.permitted()
        self.assertEqual([tried[int(n)] for n in self.leaked()], [])

    def leaked(self):
        for name in sorted(os.listdir(self.folder.name)):
            with open(os.path.join(self.folder.name, name), "rb") as f:
                yield from re.findall(r"^Subject: way (\d+)", f.read().decode(errors="replace"), re.M)

    def permitted(self):
        """The controls: the same server does receive what it may, and what was accepted before has been sent by then."""
        with smtplib.SMTP_SSL("127.0.0.1", self.d.smtps, timeout=20, context=ssl._create_unverified_context()) as c:
            c.login("foo", PASSWORD)
            c.sendmail("news@acme.example", ["by-login@outside.test"], "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nx\r\n")
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=20, source_address=(TRUSTED, 0)) as c:
            c.sendmail("news@acme.example", ["by-source@outside.test"], "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nx\r\n")
        attempt(self.ports["proxied"], Way("", "proxied", PROXY, first=b"PROXY TCP4 127.0.0.2 127.0.0.1 1 587\r\n", mail=OURS, rcpt=b"by-proxy@outside.test"), "permitted")
        for to in (b"any@in.test", b"exact@exact.test", b"x@foobar.com", b"x@a.wild.test", b"postmaster"):
            attempt(self.ports["inbound"], Way("", "inbound", mail=EVIL, rcpt=to), "permitted")
        wanted = {"by-login@outside.test", "by-source@outside.test", "by-proxy@outside.test"}
        self.assertTrue(eventually(lambda: wanted <= {t for m in self.outside.messages() for t in m["to"]}))
        wanted = {"any@in.test", "exact@exact.test", "x@foobar.com", "x@a.wild.test", "postmaster@relay.test"}
        self.assertTrue(eventually(lambda: wanted <= {t for m in self.inside.messages() for t in m["to"]}), self.inside.messages())
        self.assertTrue(eventually(lambda: not any(r["messages"] for r in json.loads(self.d.cli("queue", "list", "--json").stdout))))
        self.assertEqual({m["from"] for m in self.outside.messages()}, {"news@acme.example"})
