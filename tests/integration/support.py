"""What integration tests share: the program, the oracle, generated events and a folder that goes away.

FRESHET is the program and FRESHET_SOURCE_DIR the checkout; ctest sets both. Exit status 77 means skipped.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE_DIR = pathlib.Path(os.environ.get("FRESHET_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
FRESHET = os.environ.get("FRESHET", "")
SKIPPED = 77

sys.path[:0] = [str(SOURCE_DIR / "tests" / "oracle"), str(SOURCE_DIR / "tests" / "lib")]


def skip(reason):
    """Ends the test program as skipped."""
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def main():
    """Runs the tests of the calling program."""
    if not FRESHET:
        skip("FRESHET does not name the program")
    unittest.main(verbosity=2)


class FreshetTest(unittest.TestCase):
    """A test with a folder of its own that runs the program."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="freshet-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        """Writes a file and returns its path."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    def freshet(self, *arguments, status=0, timeout=300, stdin=None):
        """Runs the program to its end, insists on its exit status, and returns the finished process."""
        done = subprocess.run([FRESHET, *map(str, arguments)], capture_output=True, timeout=timeout, input=stdin,
                              cwd=self.folder)
        self.assertEqual(done.returncode, status, done.stderr.decode("utf-8", "replace"))
        return done


def json_lines(data):
    return [json.loads(line) for line in data.decode("utf-8").splitlines()]


def compare_rows(comparison, rows):
    """Adds rows as the oracle prints them (view, entity, at, values, statuses) to a Comparison."""
    for row in rows:
        for feature, value in row["values"].items():
            comparison.add(row["view"], row["entity"], row["at"], feature, value, row["statuses"][feature])
