"""The command line itself: help, version, exit status."""
import re, subprocess, unittest

from fairlead import BINARY


def said(*args):
    return subprocess.run([BINARY, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)


class CommandLine(unittest.TestCase):
    def test_version_names_sqlite(self):
        p = said("version")
        self.assertEqual(p.returncode, 0)
        self.assertRegex(p.stdout, r"fairlead \d+\.\d+\.\d+\nSQLite 3\.\d+\.\d+\n")

    def test_nothing_to_do_is_wrong_usage(self):
        p = said()
        self.assertEqual((p.returncode, p.stdout), (2, ""))
        self.assertIn("--help", p.stderr)

    def test_an_unknown_command_is_wrong_usage(self):
        p = said("frobnicate")
        self.assertEqual((p.returncode, p.stdout), (2, ""))

    def test_every_command_shows_an_example_of_itself(self):
        names = re.findall(r"^  (\w+(?: \w+)?)  +\S", said("help").stdout, re.M)
        self.assertIn("version", names)
        for name in names:
            with self.subTest(command=name):
                p = said(*name.split(), "--help")
                self.assertEqual((p.returncode, p.stderr), (0, ""))
                example = p.stdout[p.stdout.rindex("Example"):]
                self.assertRegex(example, r"fairlead\b.*\b" + name.replace(" ", r"\s+"))
