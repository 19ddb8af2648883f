"""Faults inside the running daemon: tests/faults/faulty.c, loaded into it, makes chosen calls fail, and steps its wall clock."""
import errno, mmap, os, struct

from fairlead import BUILD, Daemon

LIBRARY = os.path.join(BUILD, "tests", "faults", "faulty.so")
NAMES = ("none", "malloc", "read", "write", "sync", "open", "accept", "receive", "send", "socket")     # as in faulty.c
FOR_GOOD = 0xffffffff
FAULT, ERROR, FIRST, LAST, SEEN, FAILED, STEP = 0, 4, 8, 12, 16, 20, 24


class FaultyDaemon(Daemon):
    """A daemon whose calls can be made to fail while it runs."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        file = os.path.join(self.dir, "faults")
        with open(file, "wb") as f:
            f.write(bytes(4096))
        os.chmod(file, 0o666)
        with open(file, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 4096)
        asan = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0:allocator_may_return_null=1")))
        self.env = {"LD_PRELOAD": LIBRARY, "FAIRLEAD_FAULTS": file, "ASAN_OPTIONS": asan}

    def number(self, at, value=None):
        if value is not None:
            struct.pack_into("=I", self.page, at, value)
        return struct.unpack_from("=I", self.page, at)[0]

    def fail(self, name, first=1, last=None, error=errno.EIO):
        """From now on the calls of this class numbered first to last fail (last: the first alone; FOR_GOOD: all that follow)."""
        self.heal()
        self.number(ERROR, error)
        self.number(FIRST, first)
        self.number(LAST, first if last is None else last)
        self.number(FAULT, NAMES.index(name))

    def heal(self):
        """Nothing fails any more. How often it did."""
        self.number(FAULT, 0)
        failed = self.failed()
        self.number(SEEN, 0)
        self.number(FAILED, 0)
        return failed

    def failed(self):
        return self.number(FAILED)

    def seen(self):
        return self.number(SEEN)

    def step(self, seconds):
        """The wall clock is wrong by so much from now on."""
        struct.pack_into("=q", self.page, STEP, seconds)
