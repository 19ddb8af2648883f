"""What broke other mail servers, tried on this one over the wire: TLS that ends inside a message, a quota that many sessions reach at once,
and remote servers that say megabytes or speak before they are asked."""
import json, socket, smtplib, ssl, threading

from fairlead import DaemonTest, PASSWORD, eventually
from servers import Sink


class TlsEnds(DaemonTest):
    """After the client's close_notify nothing that comes in clear is read as SMTP, and the message is void (CVE-2026-45185 and its like)."""

    def session(self):
        """(plain socket, TLS object, its incoming and outgoing memory) of a client that has logged in under TLS."""
        s = socket.create_connection(("127.0.0.1", self.d.submission), 20)
        self.addCleanup(s.close)
        self.heard = b""
        self.plain(s, b"")
        self.plain(s, b"EHLO c.test\r\n")
        self.plain(s, b"STARTTLS\r\n")
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ssl._create_unverified_context().wrap_bio(came, goes)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(goes.read())
                came.write(s.recv(65536))
        s.sendall(goes.read())
        return s, tls, came, goes

    def plain(self, s, say):
        s.sendall(say)
        while not any(line[3:4] == b" " for line in self.heard.split(b"\r\n")[:-1]):
            self.heard += s.recv(4096)
        self.heard = b""

    def say(self, c, text):
        s, tls, came, goes = c
        tls.write(text)
        s.sendall(goes.read())
        said = b""
        while not any(line[3:4] == b" " for line in said.split(b"\r\n")[:-1]):
            try:
                said += tls.read(65536)
            except ssl.SSLWantReadError:
                came.write(s.recv(65536))
        return int(said.split(b"\r\n")[-2][:3])

    def test_inside_data_and_inside_a_chunk(self):
        sink = self.server(Sink())
        self.d = self.daemon(sink.port).start()
        text = b"From: <news@acme.example>\r\nSubject: x\r\n\r\nhello\r\n"
        for begin, rest in ((b"DATA\r\n" + text, b".\r\n"), (b"BDAT %d LAST\r\n" % (len(text) + 40) + text, b"x" * 40),
                            (b"BDAT %d\r\n" % len(text) + text, b"BDAT 0 LAST\r\n"), (b"DATA\r\n" + text, b"\r\n.\r\nNOOP\r\n")):
            for clean in (True, False):
                with self.subTest(begin=begin[:8], clean=clean):
                    self.end_inside(begin, rest, clean)
        with smtplib.SMTP("127.0.0.1", self.d.submission, timeout=30) as c:
            c.starttls(context=ssl._create_unverified_context())
            c.login("foo", PASSWORD)
            c.sendmail("news@acme.example", ["after@two.test"], text)
        self.assertEqual([m["to"] for m in sink.wait(1)], [["after@two.test"]])

    def end_inside(self, begin, rest, clean):
        c = s, tls, came, goes = self.session()
        self.assertEqual(self.say(c, b"EHLO c.test\r\n"), 250)
        self.assertEqual(self.say(c, b"AUTH PLAIN AGZvbwBiYXJiYXo=\r\n"), 235)
        self.assertEqual(self.say(c, b"MAIL FROM:<news@acme.example>\r\n"), 250)
        self.assertEqual(self.say(c, b"RCPT TO:<b@two.test>\r\n"), 250)
        tls.write(begin)
        if clean:
            try:
                tls.unwrap()
            except ssl.SSLWantReadError:
                pass
        s.sendall(goes.read() + rest + b"NOOP\r\n" * 3)      # without close_notify: a record that is none
        said = b""
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                said += more
        except ConnectionResetError:
            pass
        self.assertNotIn(b"250 ", said)


class Quota(DaemonTest):
    def test_of_sixteen_sessions_at_the_last_place_one_passes(self):
        sink = self.server(Sink())
        d = self.daemon(sink.port)
        d.config["tenants"]["acme"]["max_queued"] = {"recipients": 3}
        d.start()
        self.assertEqual(d.cli("tenant", "hold", "acme").returncode, 0)
        text, codes, start = "From: <x@acme.example>\r\n\r\nhello\r\n", [], threading.Barrier(16)

        def client(n, together):
            with smtplib.SMTP("127.0.0.1", d.relay, timeout=60, source_address=("127.0.0.2", 0)) as c:
                c.ehlo()
                c.mail("x@acme.example")
                code = c.rcpt("u%d@two.test" % n)[0]
                if together:
                    start.wait(60)
                codes.append(c.data(text)[0] if code == 250 else code)
        for n in range(2):
            client(100 + n, False)
        self.assertEqual(codes, [250, 250])
        del codes[:]
        threads = [threading.Thread(target=client, args=(n, True)) for n in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(codes), [250] + [452] * 15)


class Talker:
    """A remote server that answers each line with what `says` gives for its number, and begins with that for 0."""

    def __init__(self, says):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.says, self.calls = self.socket.getsockname()[1], says, 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            self.calls += 1
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        try:
            with s, s.makefile("rb") as f:
                s.sendall(self.says(0))
                for n, _ in enumerate(f, 1):
                    s.sendall(self.says(n))
        except OSError:
            pass

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Remotes(DaemonTest):
    MIB = 1 << 20
    SAYS = {
        "a banner without end": lambda n: b"220-" + b"x" * 8_000_000,
        "a reply of megabytes": lambda n: b"220 ok\r\n" if n == 0 else b"250-line\r\n" * 800_000 + b"250 end\r\n",
        "before it is asked": lambda n: b"220 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
        "no text at all": lambda n: bytes(range(256)) * 1000 + b"\r\n",
        "escapes": lambda n: b"220 ok\r\n" if n == 0 else b"450 4.0.0 \x1b[2J\rX\x00 key=value \"quoted\" \xff\r\n",
    }

    def test_a_remote_that_says_nonsense_costs_no_memory_and_delivers_nothing(self):
        for name, says in self.SAYS.items():
            with self.subTest(remote=name):
                remote = self.server(Talker(says))
                d = self.daemon(remote.port).start()
                before = self.memory(d)
                with smtplib.SMTP("127.0.0.1", d.relay, timeout=30, source_address=("127.0.0.2", 0)) as c:
                    c.sendmail("x@acme.example", ["b@two.test"], "From: <x@acme.example>\r\n\r\nhello\r\n")
                self.assertTrue(eventually(lambda: remote.calls >= 2))
                self.assertLess(self.memory(d) - before, 64 * self.MIB)
                rows = json.loads(d.cli("queue", "list", "--json").stdout)
                self.assertEqual([q["recipients"] for q in rows], [1])
                self.assertNotIn("delivered", {e["event"] for e in d.accounting()})
                self.assertEqual([c for c in d.said() if ord(c) < 32 and c != "\n"], [])

    def memory(self, d):
        with open("/proc/%d/statm" % d.process.pid) as f:
            return int(f.read().split()[1]) * 4096
