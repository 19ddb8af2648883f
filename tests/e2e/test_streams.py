"""Two customers at once: each message from its VMTA's address under its name, and neither hinders the other."""
import collections, smtplib, threading

from fairlead import DaemonTest, eventually
from play import Mx
from servers import Sink

BACKLOG = 20_000
NAMES = {"127.0.0.11": "a1.acme.example", "127.0.0.12": "a2.acme.example", "127.0.0.13": "g1.globex.example", "127.0.0.14": "g2.globex.example"}


class StreamTest(DaemonTest):
    def relay(self, port):
        d = self.d = self.daemon(port)
        d.config["sources"].append({"network": "127.0.0.3/32", "always_allow_relaying": True, "tenant": "globex"})
        d.config["vmtas"]["g2"] = {"source_addresses": ["127.0.0.14"], "hostname": "g2.globex.example"}
        d.config["tenants"]["globex"].update(vmtas=["g1", "g2"], steering_headers=True)
        return d

    def client(self, tenant):
        return smtplib.SMTP("127.0.0.1", self.d.relay, timeout=60, source_address=("127.0.0.2" if tenant == "acme" else "127.0.0.3", 0))

    def send(self, tenant, vmta, to, c=None):
        sender = "%s@%s.example" % (vmta, tenant)
        text = "X-Fairlead-VMTA: %s\r\nSubject: x\r\nFrom: <%s>\r\n\r\nhello\r\n" % (vmta, sender)
        if c:
            return c.sendmail(sender, to, text)
        with self.client(tenant) as own:
            return own.sendmail(sender, to, text)


class FourStreams(StreamTest):
    EACH = 150

    def test_each_message_from_its_vmtas_address_under_its_name(self):
        sink = self.server(Sink())
        self.relay(sink.port).start()

        def stream(tenant, vmta):
            with self.client(tenant) as c:
                for n in range(self.EACH):
                    self.send(tenant, vmta, ["%s-%d@d%d.test" % (vmta, n, n % 7)], c)
        threads = [threading.Thread(target=stream, args=s) for s in (("acme", "a1"), ("acme", "a2"), ("globex", "g1"), ("globex", "g2"))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        seen = sink.wait(4 * self.EACH, 30)
        self.assertEqual(len(seen), 4 * self.EACH)
        for m in seen:
            self.assertEqual(m["ehlo"], NAMES[m["client_ip"]])
            vmta = m["ehlo"].split(".")[0]
            self.assertEqual(m["from"].split("@")[0], vmta)
            self.assertTrue(all(t.startswith(vmta + "-") for t in m["to"]), m)
        self.assertEqual(collections.Counter(m["ehlo"] for m in seen), dict.fromkeys(NAMES.values(), self.EACH))


class Refused(StreamTest):
    def test_one_tenants_senders_are_refused_at_mail_and_the_others_mail_flows(self):
        """At the same site and from the same source address."""
        mx = self.server(Mx("127.0.0.21", answer=lambda verb, line: "550 5.7.1 not you" if verb == "MAIL" and "acme" in line else None))
        d = self.relay(mx.port)
        d.config["domains"] = {"*": {"smart_host": "[127.0.0.21]:%d" % mx.port}}
        d.config["vmtas"]["shared"] = {"source_addresses": ["127.0.0.15"], "hostname": "shared.test"}
        for t in ("acme", "globex"):
            d.config["tenants"][t]["vmtas"].append("shared")
        d.start()
        with self.client("acme") as refused, self.client("globex") as good:
            for n in range(20):
                self.send("acme", "shared", ["u%d@two.test" % n], refused)
                self.send("globex", "shared", ["u%d@two.test" % n], good)
                self.assertTrue(eventually(lambda: len(mx.seen) == n + 1, 10, 0.01), (n, d.cli("queue", "list", "--json").stdout))
        self.assertEqual({m["ehlo"] for m in mx.seen}, {"shared.test"})
        self.assertTrue(all("globex" in m["mail"] for m in mx.seen))


class Backlog(StreamTest):
    def test_a_single_message_does_not_wait_behind_the_others_backlog(self):
        """Same site, same source address, two connections: the backlog of 20,000 would take long."""
        sink = self.server(Sink(script="- {at: dot, do: {delay: 50ms}}\n"))
        d = self.relay(sink.port)
        d.config["defaults"].update(max_connections=2, max_recipients_per_message=1)
        d.config["vmtas"]["shared"] = {"source_addresses": ["127.0.0.15"], "hostname": "shared.test"}
        d.config["sources"][1]["max_recipients"] = 1000
        for t in ("acme", "globex"):
            d.config["tenants"][t]["vmtas"].append("shared")
        d.start()
        with self.client("acme") as c:
            for n in range(BACKLOG // 1000):
                self.send("acme", "shared", ["u%d-%d@two.test" % (n, i) for i in range(1000)], c)
        self.send("globex", "shared", ["one@two.test"])

        def arrived():
            return [m for m in sink.messages() if m["from"].endswith("globex.example")]
        self.assertTrue(eventually(arrived, 20, 0.02))
        self.assertLess(len(sink.messages()), BACKLOG // 2)
