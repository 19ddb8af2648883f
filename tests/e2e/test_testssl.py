"""testssl.sh on both listeners: nothing that it finds but what a self-signed certificate of a test has to be told. And what it does not ask."""
import json, os, re, shutil, subprocess, tempfile, unittest

from fairlead import DaemonTest, certificate

LIMIT_S = 240           # quiet machines need one or two minutes; what was found by then is judged
CHECKS = {"starttls": ["-p", "-s", "-P", "-S", "-U"], "implicit": ["-p", "-s", "-S", "-R", "-H"]}   # one context serves both: once all, once some
# Of the certificate and its issuer, or of this machine's own tools.
NOT_OURS = re.compile(r"cert_|DNS_CAA|OCSP|engine_problem|scanTime|optimal_proto|intermediate|crl|certificate_transparency|old_fallback")
BAD = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


@unittest.skipUnless(shutil.which("testssl"), "Debian's package testssl.sh is not installed")
class TestSsl(DaemonTest):
    def setUp(self):
        d = self.d = self.daemon()
        crt, key = certificate(d.dir, "rsa.test", kind=("rsa:2048",))       # has more that could be wrong than an elliptic one
        d.config["tls"]["certificates"] = [{"certificate": crt, "key": key}]
        d.config["sources"][0]["max_connections_per_ip"] = 1000
        d.start()

    def test_it_finds_nothing(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        runs = {}
        for kind, where in (("starttls", ["--starttls", "smtp", "127.0.0.1:%d" % self.d.submission]), ("implicit", ["127.0.0.1:%d" % self.d.smtps])):
            file = os.path.join(folder, kind + ".json")
            argv = ["timeout", str(LIMIT_S), "testssl", "--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", *CHECKS[kind], "--jsonfile", file, *where]
            runs[kind] = file, subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        unfinished = []
        for kind, (file, process) in runs.items():
            if process.wait() == 124:
                unfinished.append(kind)
            found = findings(file)
            for f in found:
                if not NOT_OURS.match(f["id"]):
                    with self.subTest(listener=kind, id=f["id"]):
                        self.assertNotIn(f["severity"], BAD, f["finding"])
            if kind not in unfinished:
                said = {f["id"]: f["finding"] for f in found}
                self.assertEqual([said[p] for p in ("SSLv2", "SSLv3", "TLS1", "TLS1_1")], ["not offered"] * 4)
                self.assertTrue(said["TLS1_3"].startswith("offered"), said["TLS1_3"])
        if unfinished:
            self.skipTest("testssl.sh did not end in %d s for %s; what it had found by then is right" % (LIMIT_S, ", ".join(unfinished)))

    def handshake(self, *options):
        """What was agreed upon, or None."""
        p = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.d.smtps, *options], input=b"QUIT\r\n", capture_output=True, timeout=60)
        agreed = re.search(rb"^New, (\S+), Cipher is (\S+)", p.stdout, re.M)
        return agreed and agreed[2] != b"(NONE)" and (agreed[1].decode(), agreed[2].decode())

    def test_only_forward_secrecy_without_cbc_and_no_costly_group(self):
        self.assertEqual(self.handshake("-tls1_2"), ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"))
        self.assertTrue(self.handshake("-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"))          # Windows Server 2012
        for weak in ("ECDHE-RSA-AES256-SHA384", "AES256-GCM-SHA384", "kRSA", "3DES:RC4:NULL:EXPORT:aNULL:@SECLEVEL=0"):
            with self.subTest(ciphers=weak):
                self.assertFalse(self.handshake("-tls1_2", "-cipher", weak))
        for version in ("-tls1", "-tls1_1"):
            with self.subTest(version=version):
                self.assertFalse(self.handshake(version, "-cipher", "ALL:@SECLEVEL=0"))
        for group in ("X25519", "P-256", "X448", "P-384", "P-521"):
            with self.subTest(group=group):
                self.assertTrue(self.handshake("-tls1_3", "-groups", group))
        self.assertFalse(self.handshake("-tls1_3", "-groups", "ffdhe8192:ffdhe2048"))


def findings(file):
    """Also of a run that was cut short."""
    with open(file) as f:
        text = f.read().rstrip().rstrip(",")
    return json.loads(text if text.endswith("]") else text + "]") if text.strip("[ \n") else []


if __name__ == "__main__":
    unittest.main()
