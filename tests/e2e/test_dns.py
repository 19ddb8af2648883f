"""Delivery by MX, against a real name server with zones of our own."""
import smtplib

from fairlead import DaemonTest, eventually, free_port
from servers import Nsd, Sink

TEXT = "Subject: x\r\nFrom: <news@acme.example>\r\n\r\nhello\r\n"


class ByMx(DaemonTest):
    def relay(self, zones, port, **defaults):
        ns = self.server(Nsd(zones))
        d = self.daemon()
        d.config["dns"] = {"servers": ["127.0.0.1:%d" % ns.port], "timeout": "3s"}
        d.config["defaults"].update(defaults, port=port)
        return d.start()

    def submit(self, d, *to):
        """From the trusted network, without a login."""
        with smtplib.SMTP("127.0.0.1", d.relay, timeout=20, source_address=("127.0.0.2", 0)) as c:
            c.sendmail("news@acme.example", list(to), TEXT)

    def test_the_best_mx_gets_it(self):
        port = free_port()
        best, other = self.server(Sink(ip="127.0.0.21", port=port)), self.server(Sink(ip="127.0.0.22", port=port))
        d = self.relay({"two.example": ["@ MX 20 mx2", "@ MX 10 mx1", "mx1 A 127.0.0.21", "mx2 A 127.0.0.22"]}, port)
        self.submit(d, "b@two.example")
        line, = best.wait(1)
        self.assertEqual((line["client_ip"], line["ehlo"]), ("127.0.0.11", "a1.acme.example"))
        self.assertEqual(other.messages(), [])

    def test_the_next_mx_when_the_best_is_down(self):
        port = free_port()
        other = self.server(Sink(ip="127.0.0.22", port=port))
        d = self.relay({"two.example": ["@ MX 20 mx2", "@ MX 10 mx1", "mx1 A 127.0.0.21", "mx2 A 127.0.0.22"]}, port)
        self.submit(d, "b@two.example")
        self.assertEqual(len(other.wait(1)), 1)

    def test_without_mx_the_address_itself(self):
        port = free_port()
        host = self.server(Sink(ip="127.0.0.21", port=port))
        d = self.relay({"two.example": ["@ A 127.0.0.21"]}, port)
        self.submit(d, "b@two.example")
        self.assertEqual(len(host.wait(1)), 1)

    def test_what_dns_hosts_names_is_asked_nobody_for(self):
        port = free_port()
        host = self.server(Sink(ip="127.0.0.21", port=port))
        d = self.daemon()
        d.config["dns"] = {"servers": ["127.0.0.1:%d" % free_port()], "timeout": "3s", "hosts": {"two.example": ["127.0.0.21"]}}
        d.config["defaults"]["port"] = port
        d.start()
        self.submit(d, "b@two.example")
        self.assertEqual(len(host.wait(1)), 1)

    def test_a_null_mx_bounces_at_once(self):
        d = self.relay({"two.example": ["@ MX 0 ."]}, free_port())
        self.submit(d, "b@two.example")
        bounced = eventually(lambda: [e for e in d.accounting() if e["event"] == "bounced"])
        self.assertEqual([(e["to"], e["enhanced"]) for e in bounced], [("b@two.example", "5.1.10")])

    def test_loopback_of_a_family_that_the_vmta_lacks_is_a_loop(self):
        d = self.relay({"two.example": ["@ AAAA ::1"]}, free_port(), allow_loopback=False)
        self.submit(d, "b@two.example")
        bounced = eventually(lambda: [e for e in d.accounting() if e["event"] == "bounced"])
        self.assertEqual([(e["to"], e["enhanced"]) for e in bounced], [("b@two.example", "5.4.6")])
