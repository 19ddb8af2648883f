"""What becomes of each recipient: partial failures, surplus ones, retry times, expiry; and what the sender is told of it, as Python's email package reads it."""
import datetime, email, email.policy, email.utils, json, smtplib, time

from aiosmtpd.controller import Controller

from fairlead import DaemonTest, eventually, free_port
from play import Mx
from servers import Aio, Sink

TEXT = "Subject: x\r\nFrom: <news@acme.example>\r\nX-Mark: the header\r\n\r\nthe body\r\n"
SENDER, HOST = "127.0.0.21", "127.0.0.22"


class RecipientTest(DaemonTest):
    """The sender's own server takes the notices; all else goes to a server whose moods the test decides."""

    def relay(self, port, **defaults):
        d = self.d = self.daemon()
        self.box = self.server(Utf8Box(SENDER))
        d.config["domains"] = {"acme.example": {"smart_host": "[%s]:%d" % (SENDER, self.box.port)}, "*": {"smart_host": "[%s]:%d" % (HOST, port)}}
        d.config["defaults"].update(defaults)
        return d.start()

    def submit(self, to, mail=(), rcpt=None, text=TEXT, sender="news@acme.example"):
        """To each of these, with rcpt parameters by recipient."""
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            c.ehlo()
            if "SMTPUTF8" in mail:
                c.command_encoding = "utf-8"
            self.assertEqual(c.mail(sender, list(mail))[0], 250)
            for t in to:
                self.assertEqual(c.rcpt(t, list((rcpt or {}).get(t, ())))[0], 250)
            code, said = c.data(text.encode())
            self.assertEqual(code, 250)
            return said.decode().split()[-1]

    def events(self, *names):
        """Of the mail itself, not of the notices."""
        return [e for e in self.d.accounting() if e["event"] in names and e["to"] != "news@acme.example"]

    def ends(self, n):
        """{recipient: event that ended it}, once there are n."""
        done = "delivered", "bounced", "expired", "dropped"
        self.assertTrue(eventually(lambda: len(self.events(*done)) >= n, 30), self.d.accounting())
        return {e["to"]: e["event"] for e in self.events(*done)}

    def notices(self, n=1, seconds=20):
        eventually(lambda: len(self.box.seen) >= n, seconds)
        return [Notice(envelope) for _, _, envelope, _ in self.box.seen]


class Utf8Box(Aio):
    """Aio with SMTPUTF8."""

    def __init__(self, ip):
        self.seen, self.port = [], free_port(ip)
        self.controller = Controller(self, hostname=ip, port=self.port, enable_SMTPUTF8=True)
        self.controller.start()


class Notice:
    """A delivery status notification, taken apart (RFC 3464)."""

    def __init__(self, envelope):
        self.mail_from, self.to = envelope.mail_from, envelope.rcpt_tos
        self.message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.text, self.status, self.returned = self.message.iter_parts()
        is_global = self.status.get_content_type() == "message/global-delivery-status"
        blocks = global_blocks(envelope.content) if is_global else self.status.get_payload()
        self.about, *self.recipients = ({name: str(value).replace("; ", ";", 1) for name, value in b.items()} for b in blocks)


def global_blocks(content):
    """message/global-delivery-status (RFC 6533 section 3) is none that the email package knows."""
    raw = content.split(b"message/global-delivery-status", 1)[1].split(b"\r\n\r\n", 1)[1].split(b"\r\n--", 1)[0]
    return [email.message_from_string(b, policy=email.policy.default.clone(utf8=True)) for b in raw.decode().replace("\r\n", "\n").strip().split("\n\n")]


class Partial(RecipientTest):
    def test_each_recipient_ends_by_its_own_reply(self):
        tries = {}

        def answer(verb, line):
            if verb != "RCPT":
                return None
            tries[line] = tries.get(line, 0) + 1
            if "bad" in line:
                return "550 5.1.1 no such user"
            return "451 4.2.1 later" if "slow" in line and tries[line] < 3 else None
        mx = self.server(Mx(HOST, answer=answer))
        self.relay(mx.port, retry=["100ms"])
        names = ["ok1", "bad1", "slow1", "ok2", "bad2", "slow2"]
        self.submit([n + "@two.test" for n in names])
        self.assertEqual(self.ends(6), {n + "@two.test": "bounced" if "bad" in n else "delivered" for n in names})
        self.assertEqual({line.split("<")[1].split("@")[0]: n for line, n in tries.items()}, {n: 3 if "slow" in n else 1 for n in names})
        self.assertEqual(sorted(r.split("<")[1].split("@")[0] for m in mx.seen for r in m["rcpts"]), ["ok1", "ok2", "slow1", "slow2"])
        notice, = self.notices()
        self.assertEqual(sorted(str(r["Final-Recipient"]) for r in notice.recipients), ["rfc822;bad1@two.test", "rfc822;bad2@two.test"])

    def test_surplus_recipients_go_in_the_next_transaction(self):
        count = [0]

        def answer(verb, line):
            count[0] = 0 if verb == "MAIL" else count[0] + (verb == "RCPT")
            return "452 4.5.3 too many recipients" if verb == "RCPT" and count[0] > 10 else None
        mx = self.server(Mx(HOST, answer=answer))
        self.relay(mx.port, retry=["200ms"])
        self.submit(["u%d@two.test" % n for n in range(35)])
        self.assertEqual(set(self.ends(35).values()), {"delivered"})
        self.assertEqual(sorted(len(m["rcpts"]) for m in mx.seen), [5, 10, 10, 10])

    def test_a_refusal_after_the_dot_is_that_of_all_who_were_taken(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: {"DOT": "554 5.6.0 we do not like it"}.get(verb)))
        self.relay(mx.port)
        self.submit(["a@two.test", "b@two.test"])
        self.assertEqual(self.ends(2), {"a@two.test": "bounced", "b@two.test": "bounced"})

    def test_421_in_the_middle_sends_the_rest_on_another_connection(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: "421 4.3.2 going down" if verb == "RCPT" and mx.connections == 1 else None))
        self.relay(mx.port, retry=["200ms"])
        self.submit(["a@two.test", "b@two.test"])
        self.assertEqual(set(self.ends(2).values()), {"delivered"})
        self.assertEqual(mx.connections, 2)

    def test_a_host_that_takes_one_message_a_connection_gets_each_on_its_own(self):
        taken = {}

        def answer(verb, line):
            if verb == "MAIL" and taken.get(mx.connections):
                return "451 4.7.0 one message a connection"
            taken[mx.connections] = taken.get(mx.connections) or verb == "DOT"
            return None
        mx = Mx(HOST, answer=answer, extensions=("8BITMIME",))
        self.server(mx)
        self.relay(mx.port, retry=["200ms"], max_connections=1)
        for n in range(3):
            self.submit(["u%d@two.test" % n])
        self.assertEqual(set(self.ends(3).values()), {"delivered"})

    def test_the_size_that_is_told_is_that_of_the_stored_message(self):
        mx = self.server(Mx(HOST, extensions=("SIZE 100000",)))
        self.relay(mx.port)
        self.submit(["a@two.test"], text="X-Fairlead-Job: j1\r\n" + TEXT)
        self.ends(1)
        m, = mx.seen
        self.assertIn("SIZE=%d" % len(m["content"]), m["mail"])
        self.assertEqual({e["size"] for e in self.events("accepted", "delivered")}, {len(m["content"])})

    def test_a_connection_lost_after_the_dot_is_tried_again(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: "drop" if verb == "DOT" and mx.connections == 1 else None))
        self.relay(mx.port, retry=["200ms"])
        self.submit(["a@two.test"])
        self.assertEqual(self.ends(1), {"a@two.test": "delivered"})
        self.assertEqual([e["stage"] for e in self.events("deferred")], ["dot"])


class Time(RecipientTest):
    def test_attempts_follow_the_schedule_whose_last_repeats(self):
        at = []

        def answer(verb, line):
            if verb == "RCPT":
                at.append(time.monotonic())
                return "451 4.7.1 later"
            return None
        mx = self.server(Mx(HOST, answer=answer))
        self.relay(mx.port, retry=["500ms", "1s", "2s"], idle_timeout="0s")
        self.submit(["a@two.test"])
        self.assertTrue(eventually(lambda: len(at) >= 5, 30))
        for gap, wanted in zip((b - a for a, b in zip(at, at[1:])), (0.5, 1, 2, 2)):
            self.assertTrue(wanted - 0.05 <= gap < wanted + 1.5, (gap, wanted))
        self.assertEqual([e["attempt"] for e in self.events("deferred")][:5], [1, 2, 3, 4, 5][:len(self.events("deferred"))])

    def test_expiry_ends_it_with_a_notice(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: "451 4.7.1 later" if verb == "RCPT" else None))
        self.relay(mx.port, retry=["500ms"], expire_after="2s")
        self.submit(["a@two.test"])
        self.assertEqual(self.ends(1), {"a@two.test": "expired"})
        notice, = self.notices()
        r, = notice.recipients
        self.assertEqual((r["Action"], str(r["Status"])[0]), ("failed", "4"))
        self.assertIn("451 4.7.1 later", r["Diagnostic-Code"])

    def test_expiry_of_what_was_never_tried_waits_for_an_attempt_after_the_hold(self):
        sink = self.server(Sink(ip=HOST))
        d = self.relay(sink.port, expire_after="1s")
        self.assertEqual(d.cli("tenant", "hold", "acme").returncode, 0)
        self.submit(["a@two.test"])
        time.sleep(2.5)
        self.assertEqual(self.events("expired"), [])
        self.assertEqual(d.cli("tenant", "release", "acme").returncode, 0)
        self.assertEqual(self.ends(1), {"a@two.test": "delivered"})

    def test_a_delay_is_told_once(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: "451 4.7.1 later" if verb == "RCPT" else None))
        self.relay(mx.port, retry=["400ms"], dsn={"delay_after": "1s"})
        self.submit(["a@two.test"])
        notice, *more = self.notices()
        r, = notice.recipients
        self.assertEqual((r["Action"], str(r["Status"])[0]), ("delayed", "4"))
        self.assertTrue(r["Will-Retry-Until"])
        time.sleep(2)
        self.assertEqual(len(self.box.seen), 1)

    def test_a_delay_is_not_told_to_those_who_did_not_ask(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: "451 4.7.1 later" if verb == "RCPT" else None))
        self.relay(mx.port, retry=["400ms"], dsn={"delay_after": "1s"})
        asked = {"fail@two.test": ["NOTIFY=FAILURE"], "never@two.test": ["NOTIFY=NEVER"], "delay@two.test": ["NOTIFY=DELAY"]}
        self.submit(list(asked), rcpt=asked)
        notice, = self.notices()
        self.assertEqual([str(r["Final-Recipient"]) for r in notice.recipients], ["rfc822;delay@two.test"])


class Notices(RecipientTest):
    def setUp(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: "550 5.1.1 no <such> user" if verb == "RCPT" and "bad" in line else None))
        self.relay(mx.port)

    def test_a_failure_as_rfc_3464_has_it(self):
        self.submit(["bad@two.test"])
        n, = self.notices()
        self.assertEqual((n.mail_from, n.to), ("<>", ["news@acme.example"]))
        self.assertEqual((n.message.get_content_type(), n.message.get_param("report-type")), ("multipart/report", "delivery-status"))
        self.assertEqual(n.message["From"].addresses[0].addr_spec.lower(), "mailer-daemon@relay.test")
        self.assertEqual(n.message["To"].addresses[0].addr_spec, "news@acme.example")
        self.assertTrue(n.message["Auto-Submitted"].startswith("auto-"), n.message["Auto-Submitted"])
        self.assertTrue(n.message["Date"] and n.message["Message-ID"] and n.message["Subject"])
        self.assertEqual(n.text.get_content_type(), "text/plain")
        self.assertIn("bad@two.test", n.text.get_content())
        self.assertEqual(n.status.get_content_type(), "message/delivery-status")
        self.assertEqual(n.about["Reporting-MTA"], "dns;relay.test")
        datetime_of(n.about["Arrival-Date"])
        r, = n.recipients
        self.assertEqual((r["Final-Recipient"], r["Action"], r["Status"]), ("rfc822;bad@two.test", "failed", "5.1.1"))
        self.assertEqual(r["Diagnostic-Code"], "smtp;550 5.1.1 no <such> user")
        self.assertTrue(r["Remote-MTA"].startswith("dns;"), r["Remote-MTA"])
        datetime_of(r["Last-Attempt-Date"])
        self.assertEqual(n.returned.get_content_type(), "text/rfc822-headers")
        self.assertIn("X-Mark: the header", n.returned.get_content())
        self.assertNotIn("the body", n.message.as_string())

    def test_ret_envid_and_orcpt_come_back(self):
        for ret, kind in (("FULL", "message/rfc822"), ("HDRS", "text/rfc822-headers")):
            with self.subTest(ret=ret):
                seen = len(self.box.seen)
                self.submit(["bad@two.test"], mail=["RET=" + ret, "ENVID=QQ+2B314159"], rcpt={"bad@two.test": ["ORCPT=rfc822;Bob+2Bx@First.test"]})
                n = self.notices(seen + 1)[seen]
                self.assertEqual((n.about["Original-Envelope-Id"], n.recipients[0]["Original-Recipient"]), ("QQ+314159", "rfc822;Bob+x@First.test"))
                self.assertEqual(n.returned.get_content_type(), kind)
                self.assertEqual("the body" in n.message.as_string(), ret == "FULL")

    def test_notify_decides_who_is_told_what(self):
        asked = {"bad-plain@two.test": [], "bad-failure@two.test": ["NOTIFY=FAILURE"], "bad-both@two.test": ["NOTIFY=SUCCESS,FAILURE"],
                 "bad-never@two.test": ["NOTIFY=NEVER"], "bad-success@two.test": ["NOTIFY=SUCCESS"], "bad-delay@two.test": ["NOTIFY=DELAY"],
                 "ok-plain@two.test": [], "ok-success@two.test": ["NOTIFY=SUCCESS"], "ok-both@two.test": ["NOTIFY=FAILURE,SUCCESS"], "ok-never@two.test": ["NOTIFY=NEVER"],
                 "ok-failure@two.test": ["NOTIFY=FAILURE"]}
        self.submit(list(asked), rcpt=asked)
        wanted = {"bad-plain": "failed", "bad-failure": "failed", "bad-both": "failed", "ok-success": "relayed", "ok-both": "relayed"}

        def told():
            return sorted((str(r["Final-Recipient"]).split(";")[1].split("@")[0], r["Action"]) for n in self.notices(0) for r in n.recipients)
        eventually(lambda: len(told()) >= len(wanted))
        time.sleep(1)
        self.assertEqual(told(), sorted(wanted.items()))

    def test_a_null_reverse_path_is_told_nothing(self):
        self.submit(["bad@two.test"], sender="")
        self.assertEqual(self.ends(1), {"bad@two.test": "bounced"})
        self.assertTrue(eventually(lambda: json.loads(self.d.cli("queue", "list", "--json").stdout) == []))
        self.assertEqual(self.box.seen, [])

    def test_8_bit_and_long_lines_of_the_original_do_not_spoil_the_notice(self):
        self.submit(["bad@two.test"], mail=["RET=FULL", "BODY=8BITMIME"], text="Subject: x\r\nFrom: <news@acme.example>\r\n\r\nGr\u00fc\u00dfe " + "x" * 900 + "\r\n.\r\n..\r\n")
        n, = self.notices()
        self.assertEqual(n.returned.get_content_type(), "message/rfc822")
        self.assertIn("Gr\u00fc\u00dfe".encode(), self.box.seen[0][2].content)


class OfOurOwn(RecipientTest):
    """Bounces that no remote server spoke: accounting has a reply code for those who sort by it."""

    def ended(self):
        self.assertEqual(set(self.ends(1).values()), {"bounced"})
        e, = self.events("bounced")
        notice, = self.notices()
        return {k: e.get(k) for k in ("code", "enhanced", "attempt")}, notice.recipients[0]["Status"]

    def test_a_message_too_big_for_the_host(self):
        mx = self.server(Mx(HOST, extensions=("SIZE 10",)))
        self.relay(mx.port)
        self.submit(["a@two.test"])
        self.assertEqual(self.ended(), ({"code": 552, "enhanced": "5.3.4", "attempt": 1}, "5.3.4"))

    def test_a_mail_loop(self):
        self.d = self.daemon()
        self.box = self.server(Utf8Box(SENDER))
        self.d.config["domains"] = {"acme.example": {"smart_host": "[%s]:%d" % (SENDER, self.box.port)}}
        self.d.config["defaults"]["allow_loopback"] = False
        self.d.config["dns"] = {"hosts": {"two.test": ["127.0.0.77"]}}
        self.d.start()
        self.submit(["a@two.test"])
        self.assertEqual(self.ended(), ({"code": 554, "enhanced": "5.4.6", "attempt": 1}, "5.4.6"))

    def test_content_that_the_host_cannot_take(self):
        mx = self.server(Mx(HOST, extensions=("PIPELINING",)))
        self.relay(mx.port)
        self.submit(["a@two.test"], mail=["BODY=8BITMIME"], text=TEXT + "Gr\u00fc\u00dfe\r\n")
        self.assertEqual(self.ended(), ({"code": 554, "enhanced": "5.6.3", "attempt": 1}, "5.6.3"))

    def test_what_an_operator_removes_with_a_notice_bounces(self):
        mx = self.server(Mx(HOST, answer=lambda verb, line: "451 4.2.1 later" if verb == "RCPT" else None))
        self.relay(mx.port, retry=["1h"])
        id = self.submit(["a@two.test"], text="X-Fairlead-Job: j1\r\n" + TEXT)
        self.assertTrue(eventually(lambda: self.events("deferred")))
        self.assertEqual(self.d.cli("queue", "drop", "--message", id, "--dsn", "--yes").returncode, 0)
        self.assertEqual(self.ended(), ({"code": 554, "enhanced": "5.0.0", "attempt": 1}, "5.0.0"))
        job, = json.loads(self.d.cli("job", "list", "--json").stdout)
        self.assertEqual((job["bounced"], job["dropped"]), (1, 0))


class Utf8(RecipientTest):
    """RFC 6531 and 6533."""
    SAYS = "Subject: Gr\u00fc\u00dfe\r\nFrom: <news@acme.example>\r\n\r\nhello\r\n"

    def test_a_sender_in_ascii_is_told_in_ascii(self):
        mx = self.server(Mx(HOST))
        self.relay(mx.port)
        self.submit(["b\u00f6b@two.test"], mail=["SMTPUTF8"], text=self.SAYS)
        n, = self.notices()
        r, = n.recipients
        self.assertEqual(n.status.get_content_type(), "message/delivery-status")
        self.assertEqual((r["Final-Recipient"], r["Status"]), ("utf-8;b\\x{F6}b@two.test", "5.6.7"))
        self.assertEqual(n.returned.get_content_type(), "text/rfc822-headers")
        self.assertEqual(mx.seen, [])

    def test_a_sender_in_utf_8_is_told_in_utf_8(self):
        mx = self.server(Mx(HOST))
        self.relay(mx.port)
        self.submit(["b\u00f6b@two.test"], mail=["SMTPUTF8"], text=self.SAYS, sender="n\u00e4ws@acme.example")
        n, = self.notices()
        r, = n.recipients
        self.assertEqual(n.status.get_content_type(), "message/global-delivery-status")
        self.assertEqual((r["Final-Recipient"], r["Status"]), ("utf-8;b\u00f6b@two.test", "5.6.7"))
        self.assertEqual(n.returned.get_content_type(), "message/global-headers")
        self.assertEqual(mx.seen, [])

    def test_a_server_with_it_gets_it(self):
        mx = self.server(Mx(HOST, extensions=("SMTPUTF8", "8BITMIME")))
        self.relay(mx.port)
        self.submit(["b\u00f6b@two.test"], mail=["SMTPUTF8"], text=self.SAYS)
        self.assertTrue(eventually(lambda: mx.seen))
        self.assertIn("SMTPUTF8", mx.seen[0]["mail"])
        self.assertIn("Gr\u00fc\u00dfe".encode(), mx.seen[0]["content"])


def datetime_of(text):
    """An RFC 5322 date of about now."""
    at = email.utils.parsedate_to_datetime(text)
    assert abs(at - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=5), text
