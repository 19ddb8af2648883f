"""An operator's day: hold, release, retry, move and drop by every selector, jobs, reload, drain, metrics, stopping and starting."""
import copy, json, os, re, signal, smtplib, subprocess, time, urllib.error, urllib.request

from fairlead import BINARY, DaemonTest, eventually, free_port
from servers import Sink


class OperatorTest(DaemonTest):
    def relay(self, port, **defaults):
        d = self.d = self.daemon(port)
        d.config["sources"].append({"network": "127.0.0.3/32", "always_allow_relaying": True, "tenant": "globex"})
        d.config["defaults"].update(defaults)
        return d.start()

    def submit(self, to, tenant="acme", vmta=None, job=None):
        """One message; its id."""
        sender = "x@%s.example" % tenant
        header = ("X-Fairlead-VMTA: %s\r\n" % vmta if vmta else "") + ("X-Fairlead-Job: %s\r\n" % job if job else "")
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=20, source_address=("127.0.0.2" if tenant == "acme" else "127.0.0.3", 0)) as c:
            c.ehlo()
            c.mail(sender)
            c.rcpt(to)
            code, text = c.data("%sSubject: x\r\nFrom: <%s>\r\n\r\nhello\r\n" % (header, sender))
        self.assertEqual(code, 250)
        return text.decode().split()[-1]

    def do(self, *args, status=0):
        p = self.d.cli(*args)
        self.assertEqual(p.returncode, status, (args, p.stdout, p.stderr))
        return p.stdout.strip()

    def asked(self, *args):
        return json.loads(self.do(*args, "--json"))

    def waiting(self):
        """{domain: recipients}"""
        return {r["domain"]: r["recipients"] for r in self.asked("queue", "list") if r["recipients"]}

    def to(self, sink):
        return sorted(t for m in sink.messages() for t in m["to"])

    def http(self, path):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.d.http, path), timeout=20) as r:
                return r.status, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()


class Standing(OperatorTest):
    # what is held, how that is said, and mail that it stops
    RULES = {
        "tenant": (["tenant", "hold", "globex"], {"to": "tenant@free.test", "tenant": "globex"}),
        "vmta": (["vmta", "hold", "a2"], {"to": "vmta@free.test", "vmta": "a2"}),
        "domain": (["queue", "hold", "--domain", "held.test"], {"to": "domain@held.test"}),
        "wildcard": (["queue", "hold", "--tenant", "acme", "--domain", "*.both.test"], {"to": "wildcard@x.both.test"}),
        "queue": (["queue", "hold", "acme/a1/queue.test"], {"to": "queue@queue.test"}),
        "job": (["job", "hold", "acme/spring"], {"to": "job@free.test", "job": "spring"}),
    }

    def test_each_hold_stops_what_comes_later_survives_a_restart_and_ends_with_its_release(self):
        sink = self.server(Sink())
        self.relay(sink.port)
        for command, _ in self.RULES.values():
            self.do(*command)
        for _, mail in self.RULES.values():
            self.submit(**mail)
        self.submit("free@free.test")
        self.assertEqual(self.to(sink) or [m["to"][0] for m in sink.wait(1)], ["free@free.test"])
        self.assertEqual(self.d.stop(), 0)
        self.d.start()
        self.submit("after@free.test")
        sink.wait(2)
        time.sleep(0.5)
        self.assertEqual(self.to(sink), ["after@free.test", "free@free.test"])
        whys = [r["why"] for r in self.asked("queue", "list") if r["state"] == "held"]
        self.assertEqual(len([w for w in whys if re.match(r"held by \S+ since ", w)]), len(self.RULES) - 1, whys)   # the job's stands beside free mail
        for n, (command, mail) in enumerate(self.RULES.values(), 3):
            with self.subTest(command=command):
                self.do(*("release" if w == "hold" else w for w in command))
                self.assertEqual(len(sink.wait(n)), n)
                self.assertIn(mail["to"], self.to(sink))
        self.assertTrue(eventually(lambda: not self.waiting()))

    def test_a_tenant_that_is_held_and_refused_is_told_at_mail(self):
        sink = self.server(Sink())
        self.relay(sink.port)
        self.do("tenant", "hold", "acme", "--refuse")
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            c.ehlo()
            code, text = c.mail("x@acme.example")
        self.assertEqual((code, text[:5]), (450, b"4.7.1"))
        self.submit("b@two.test", "globex")
        self.assertEqual(len(sink.wait(1)), 1)


class Waiting(OperatorTest):
    """Mail for a server that is not there."""

    def setUp(self):
        self.port = free_port()
        self.relay(self.port, retry=["1h"])
        self.ids = {to: self.submit(to, **more) for to, more in (
            ("a@one.test", {}), ("b@two.test", {}), ("c@x.three.test", {"vmta": "a2"}), ("d@four.test", {"tenant": "globex"}), ("e@five.test", {"job": "spring"}))}
        self.assertTrue(eventually(lambda: [r["state"] for r in self.asked("queue", "list")] == ["waiting"] * 5), self.asked("queue", "list"))

    def test_drop_takes_what_its_selector_names_and_nothing_else(self):
        self.do("queue", "drop", "--domain", "one.test", status=1)     # nobody said yes
        orders = [(["--domain", "one.test"], "one.test"), (["--message", self.ids["b@two.test"]], "two.test"), (["--vmta", "a2"], "x.three.test"),
                  (["--tenant", "globex"], "four.test"), (["--job", "acme/spring"], "five.test")]
        left = {domain for _, domain in orders}
        for selector, domain in orders:
            with self.subTest(selector=selector):
                self.assertEqual(self.do("queue", "drop", *selector, "--dry-run"), "1")
                self.assertEqual(self.do("queue", "drop", *selector, "--yes", "--wait").split()[0], "1")
                left.remove(domain)
                self.assertEqual(set(self.waiting()), left)
        self.assertTrue(eventually(lambda: len([e for e in self.d.accounting() if e["event"] == "dropped"]) == 5))
        self.assertEqual({e["to"] for e in self.d.accounting() if e["event"] == "dropped"}, set(self.ids))

    def test_what_waits_says_when_it_is_tried(self):
        for row in self.asked("queue", "list"):
            message, = self.asked("queue", "messages", row["queue"])
            self.assertEqual(message["next_attempt"][:19], row["next_attempt"][:19])

    def test_selectors_meet_and_an_empty_one_is_no_order(self):
        self.assertEqual(self.do("queue", "drop", "--tenant", "acme", "--domain", "*.three.test", "--dry-run"), "1")
        self.assertEqual(self.do("queue", "drop", "--tenant", "globex", "--domain", "*.three.test", "--dry-run"), "0")
        self.assertEqual(self.do("queue", "drop", "--older", "1d", "--dry-run"), "0")
        self.assertEqual(self.do("queue", "drop", "--state", "waiting", "--dry-run"), "5")
        self.assertEqual(self.do("queue", "drop", "--all", "--dry-run"), "5")
        self.do("queue", "drop", "--yes", status=2)
        self.do("queue", "drop", "--all", "--tenant", "acme", "--yes", status=2)
        self.do("queue", "drop", "--message", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--yes", status=1)
        for selector in (["--domain", "two.test"], ["--vmta", "a2"], ["--job", "acme/spring"], ["--older", "1d"]):     # known, and not meant
            self.assertEqual(self.do("queue", "drop", "--message", self.ids["a@one.test"], *selector, "--yes"), "0")
        self.assertEqual(len(self.waiting()), 5)

    def test_a_queue_is_found_however_its_domain_is_typed(self):
        self.assertEqual(self.asked("queue", "show", "acme/a1/ONE.test")["queue"], "acme/a1/one.test")
        self.assertEqual(len(self.asked("queue", "messages", "acme/a1/ONE.test")), 1)

    def test_a_hold_on_a_job_that_never_came_ends(self):
        self.do("job", "hold", "acme/autumn")
        self.do("job", "release", "acme/autumn")
        self.do("job", "release", "acme/autumn", status=1)

    def test_the_null_reverse_path_is_explained(self):
        self.assertEqual(self.asked("explain", "--tenant", "acme", "--from", "", "--to", "b@one.test")["queue"], "acme/a1/one.test")

    def test_a_retry_sends_now_what_would_wait_an_hour(self):
        sink = self.server(Sink(port=self.port))
        self.do("queue", "retry", "--all")
        self.assertEqual(len(sink.wait(5)), 5)
        self.assertEqual(self.to(sink), sorted(self.ids))

    def test_moved_mail_leaves_from_where_it_was_moved_to(self):
        self.do("queue", "move", "--vmta", "a1", "--to", "a2", "--wait")
        self.assertEqual(self.d.stop(), 0)
        sink = self.server(Sink(port=self.port))
        self.d.start()
        self.do("queue", "retry", "--all")
        seen = {m["to"][0]: (m["client_ip"], m["ehlo"]) for m in sink.wait(5)}
        acme = ("127.0.0.12", "a2.acme.example")
        self.assertEqual(seen, {to: ("127.0.0.13", "g1.globex.example") if to == "d@four.test" else acme for to in self.ids})

    def test_one_message_is_held_and_released(self):
        self.do("queue", "hold", "--message", self.ids["b@two.test"])
        sink = self.server(Sink(port=self.port))
        self.do("queue", "retry", "--all")
        sink.wait(4)
        time.sleep(0.5)
        self.assertEqual(self.to(sink), sorted(set(self.ids) - {"b@two.test"}))
        self.assertEqual(self.asked("message", "show", self.ids["b@two.test"])["recipients"][0]["state"], "held")
        self.do("queue", "release", "--message", self.ids["b@two.test"])
        self.assertEqual(len(sink.wait(5)), 5)

    def test_a_job_is_held_and_dropped(self):
        self.submit("f@five.test", job="spring")
        self.do("job", "hold", "acme/spring")
        self.submit("g@five.test", job="spring")
        job = eventually(lambda: next((j for j in self.asked("job", "list") if j["job"].endswith("spring") and j["held"] == 3), None))
        self.assertTrue(job, self.asked("job", "list"))
        self.do("job", "drop", "acme/spring", "--yes")
        self.assertTrue(eventually(lambda: "five.test" not in self.waiting()))
        job = next(j for j in self.asked("job", "list") if j["job"].endswith("spring"))
        self.assertEqual((job["dropped"], job["held"], job["waiting"], job["ready"]), (3, 0, 0, 0))


class Reload(OperatorTest):
    def setUp(self):
        self.sink = self.server(Sink())
        self.relay(self.sink.port)

    def generation(self):
        return self.asked("status")["config"]["generation"]

    def test_a_bad_file_changes_nothing_and_says_why(self):
        before = self.generation()
        for spoil in (lambda text: text.replace('"retry"', '"rtery"'), lambda text: text + "\nnonsense: [\n"):
            self.d.write_config()
            with open(self.d.file) as f:
                text = f.read()
            with open(self.d.file, "w") as f:
                f.write(spoil(text))
            p = self.d.cli("reload")            # the socket is found in what can be read of the file
            self.assertEqual(p.returncode, 1)
            self.assertRegex(p.stderr, r"fairlead\.yaml:\d+:\d+: error: ")
        self.d.write_config()
        self.assertEqual(self.generation(), before)
        self.submit("b@two.test")
        self.assertEqual(len(self.sink.wait(1)), 1)

    def test_listeners_come_and_go(self):
        added, gone = free_port(), self.d.submission
        self.d.config["listeners"][0]["address"] = "127.0.0.1:%d" % added
        self.d.write_config()
        self.do("reload")
        with smtplib.SMTP("127.0.0.1", added, timeout=20) as c:
            self.assertEqual(c.noop()[0], 250)
        self.assertTrue(eventually(lambda: refuses(gone)))

    def test_a_vmta_that_vanished_is_held_by_config_until_it_returns(self):
        self.sink.stop()
        self.do("vmta", "hold", "a2")
        self.submit("b@two.test", vmta="a2")
        self.do("vmta", "release", "a2")
        whole = copy.deepcopy(self.d.config)
        del self.d.config["vmtas"]["a2"]
        self.d.config["tenants"]["acme"]["vmtas"] = ["a1"]
        self.d.write_config()
        self.do("reload")
        row, = [r for r in self.asked("queue", "list") if r["vmta"] == "a2" and r["recipients"]]
        self.assertEqual(row["state"], "held")
        self.assertIn("held by config", row["why"])
        self.assertEqual([r["state"] for r in self.asked("vmta", "list") if r["vmta"] == "a2"], ["held"])
        self.d.config = whole
        sink = self.server(Sink(port=self.sink.port))
        self.d.write_config()
        self.do("reload")
        self.do("queue", "retry", "--all")
        line, = sink.wait(1)
        self.assertEqual(line["ehlo"], "a2.acme.example")

    def test_hanging_up_reloads(self):
        before = self.generation()
        self.d.config["server"]["hostname"] = "other.test"
        self.d.write_config()
        self.d.process.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: self.generation() == before + 1))

    def test_draining_refuses_what_comes_and_delivers_what_is_there(self):
        self.do("tenant", "hold", "acme")
        self.submit("b@two.test")
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            c.ehlo()
            self.do("drain")
            self.assertEqual(c.mail("x@acme.example")[0], 421)
        with self.assertRaises(smtplib.SMTPConnectError) as refused:
            smtplib.SMTP("127.0.0.1", self.d.relay, timeout=20)
        self.assertEqual(refused.exception.smtp_code, 421)
        self.assertEqual((self.http("/readyz")[0], self.http("/healthz")[0]), (503, 200))
        self.do("tenant", "release", "acme")
        self.assertEqual(len(self.sink.wait(1)), 1)
        self.do("drain", "--off")
        self.assertEqual(self.http("/readyz")[0], 200)
        self.submit("c@two.test")
        self.assertEqual(len(self.sink.wait(2)), 2)

    def test_promtool_finds_no_fault_with_the_metrics(self):
        for n in range(3):
            self.submit("b%d@two.test" % n)
        self.sink.wait(3)
        status, text = self.http("/metrics")
        self.assertEqual(status, 200)
        p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
        self.assertEqual((p.returncode, p.stdout, p.stderr), (0, b"", b""))
        self.assertIn(b'fairlead_messages_accepted_total{tenant="acme"} 3\n', text)


def refuses(port):
    try:
        smtplib.SMTP("127.0.0.1", port, timeout=20).close()
    except OSError:
        return True
    return False


class Ends(OperatorTest):
    def test_a_reply_to_a_dot_is_awaited(self):
        sink = self.server(Sink(script="- {at: dot, do: {delay: 2s}}\n"))
        self.relay(sink.port)
        self.d.config["server"]["shutdown_grace"] = "15s"
        self.d.write_config()
        self.do("reload")
        self.submit("b@two.test")
        self.assertTrue(eventually(lambda: any(r["in_flight"] for r in self.asked("queue", "list")), every=0.01))
        time.sleep(0.5)
        self.assertEqual(self.d.stop(), 0)
        self.assertEqual(self.to(sink), ["b@two.test"])
        self.d.start()
        self.assertEqual(self.waiting(), {})
        time.sleep(1)
        self.assertEqual(self.to(sink), ["b@two.test"])

    def test_a_second_daemon_on_the_same_data_is_refused_with_the_others_pid(self):
        self.relay(free_port())
        second = self.daemon()
        second.config["server"]["data_dir"] = self.d.config["server"]["data_dir"]
        open(second.log, "w").close()
        for socket in ("control.sock", os.path.join(second.dir, "own", "control.sock")):
            second.config["admin"]["socket"] = socket
            second.write_config()
            p = subprocess.run([BINARY, "--config", second.file, "run"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertRegex(p.stderr, r"start_failed .*process %d\b" % self.d.process.pid)
            self.assertEqual(self.asked("status")["pid"], self.d.process.pid)
