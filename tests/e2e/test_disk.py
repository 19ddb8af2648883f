"""The disk runs full, or fails: what is answered, what goes on, and that it heals by itself."""
import json, os, smtplib, subprocess, tempfile, threading, time, unittest

from fairlead import DaemonTest, eventually
from servers import Sink

SIZE_MIB, LEAST_MIB = 64, 8


class Tmpfs:
    """A small file system of our own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="fairlead-tmpfs-")
        p = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=0755" % SIZE_MIB, "none", self.dir], capture_output=True, text=True)
        if p.returncode:
            os.rmdir(self.dir)
            raise unittest.SkipTest("a tmpfs cannot be mounted here: " + p.stderr.strip())

    def stop(self):
        subprocess.run(["umount", "-l", self.dir], capture_output=True)
        os.rmdir(self.dir)


class DiskTest(DaemonTest):
    def setUp(self):
        self.disk = self.server(Tmpfs())
        self.sink = self.server(Sink())
        d = self.d = self.daemon(self.sink.port)
        d.config["server"]["data_dir"] = os.path.join(self.disk.dir, "data")
        d.config["store"]["min_free_space"] = "%dMiB" % LEAST_MIB
        d.start()
        self.taken = []

    def submit(self, to, size=1000):
        """The reply's code to a message; whom it was taken for is remembered."""
        with smtplib.SMTP("127.0.0.1", self.d.relay, timeout=30, source_address=("127.0.0.2", 0)) as c:
            c.ehlo()
            code = c.mail("x@acme.example")[0]
            code = c.rcpt(to)[0] if code == 250 else code
            if code == 250:
                code = c.data("Subject: x\r\nFrom: <x@acme.example>\r\n\r\n" + ("x" * 70 + "\r\n") * (size // 72))[0]
        if code == 250:
            self.taken.append(to)
        return code

    def state(self):
        return json.loads(self.d.cli("status", "--json").stdout)

    def nothing_lost(self):
        self.assertTrue(eventually(lambda: {t for m in self.sink.messages() for t in m["to"]} >= set(self.taken), 30))
        self.assertEqual(sorted(t for m in self.sink.messages() for t in m["to"]), sorted(self.taken))


class Full(DiskTest):
    def test_a_full_disk_is_452_while_deliveries_go_on_and_heals_by_itself(self):
        self.assertEqual(self.d.cli("tenant", "hold", "acme").returncode, 0)
        n = 0
        while self.submit("u%d@two.test" % n, 1 << 20) == 250 and n < SIZE_MIB:
            n += 1
        self.assertTrue(10 < n < SIZE_MIB, n)
        self.assertEqual(self.submit("full@two.test"), 452)
        self.assertTrue(eventually(lambda: self.state()["store"]["state"] == "full"), self.state())
        self.assertEqual(self.sink.messages(), [])
        self.assertEqual(self.d.cli("tenant", "release", "acme").returncode, 0)
        self.assertEqual(len(self.sink.wait(n, 30)), n)
        self.assertTrue(eventually(lambda: self.submit("after@two.test") == 250))
        self.nothing_lost()
        self.assertEqual(self.state()["store"]["state"], "ok")

    def test_no_space_at_all_is_452_and_nothing_is_lost(self):
        """Another program takes the last byte."""
        ballast = os.path.join(self.disk.dir, "ballast")
        self.assertEqual(self.d.cli("tenant", "hold", "acme").returncode, 0)
        for n in range(5):
            self.assertEqual(self.submit("u%d@two.test" % n, 10000), 250)
        fill(ballast)
        self.assertEqual(eventually(lambda: self.submit("full@two.test", 10000) == 452), True)
        self.assertEqual(self.d.cli("tenant", "release", "acme").returncode, 0)
        self.assertEqual(len(self.sink.wait(5)), 5)
        os.unlink(ballast)
        self.assertTrue(eventually(lambda: self.submit("after@two.test") == 250))
        self.nothing_lost()


class Fails(DiskTest):
    def setUp(self):
        super().setUp()
        for n in range(3):
            self.assertEqual(self.submit("u%d@two.test" % n), 250)
        self.sink.wait(3)

    def inject(self, fault):
        """From now on these system calls fail, until stop() of what is returned."""
        log = os.path.join(self.d.dir, "strace")
        p = subprocess.Popen(["strace", "-f", "-p", str(self.d.process.pid), "-o", log, "-e", "trace=fdatasync,fsync,pwrite64", "-e", "inject=" + fault],
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        said = p.stderr.readline()
        if "attached" not in said:
            p.wait(10)
            self.skipTest("strace may not attach: " + said.strip())
        return p

    def test_a_flush_that_fails_is_451_while_it_lasts_and_heals_by_itself(self):
        self.fails_and_heals("fdatasync,fsync:error=EIO")

    def test_a_write_that_fails_is_451_while_it_lasts_and_heals_by_itself(self):
        self.fails_and_heals("pwrite64:error=EIO")

    def fails_and_heals(self, fault):
        """The first one's COMMIT may be unknown until the database can be opened again: its answer waits so long."""
        p, first = self.inject(fault), []
        waits = threading.Thread(target=lambda: first.append(self.submit("first@two.test")))
        waits.start()
        self.assertTrue(eventually(lambda: self.state()["store"]["state"] == "failed"))
        self.assertEqual(self.submit("again@two.test"), 451)
        self.assertFalse(self.state()["accepting"])
        p.terminate()
        p.wait(10)
        waits.join()
        self.assertIn(first, ([250], [451]))
        self.assertTrue(eventually(lambda: self.submit("after@two.test") == 250, 30))
        self.assertEqual(self.state()["store"]["state"], "ok")
        self.nothing_lost()

    def test_files_that_cannot_grow_are_451_while_it_lasts(self):
        """prlimit on the size of files: writes fail with EFBIG, as a disk's would with EIO."""
        pid = str(self.d.process.pid)
        if subprocess.run(["prlimit", "--pid", pid, "--fsize=4096:"], capture_output=True).returncode:
            self.skipTest("prlimit is not permitted")
        code = self.submit("refused@two.test", 30000)
        self.assertIn(code, (451, 452))
        self.assertEqual(self.submit("again@two.test", 30000), code)
        subprocess.run(["prlimit", "--pid", pid, "--fsize=unlimited"], check=True)
        self.assertTrue(eventually(lambda: self.submit("after@two.test") == 250, 30))
        self.nothing_lost()


class UnderLoad(DiskTest):
    def test_what_was_taken_while_the_disk_ran_full_and_free_arrives(self):
        stop, codes = threading.Event(), set()

        def client(k):
            n = 0
            while not stop.is_set():
                to = "c%d-%d@two.test" % (k, n)
                n += 1
                codes.add(self.submit(to, 100_000))
        threads = [threading.Thread(target=client, args=(k,)) for k in range(3)]
        for t in threads:
            t.start()
        ballast = os.path.join(self.disk.dir, "ballast")
        for _ in range(3):
            fill(ballast, 2)
            os.unlink(ballast)
            time.sleep(1.5)
        stop.set()
        for t in threads:
            t.join()
        self.assertTrue({250, 452} <= codes <= {250, 451, 452}, codes)      # 451: the reserve was taken as well
        self.nothing_lost()


def fill(file, seconds=0.5):
    """Takes all the space there is, and what becomes free in this time. (One refusal proves nothing: the store may be reserving space.)"""
    end = time.monotonic() + seconds
    fd = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    while time.monotonic() < end:
        try:
            os.write(fd, bytes(65536))
        except OSError:
            time.sleep(0.01)
    os.close(fd)
