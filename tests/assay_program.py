"""Runs the assay program under test; the base of the whole-program tests.

A test file ends with `assay_program.main()` and is run as `python3 tests/NAME_test.py PROGRAM [unittest options]`.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
ROOT = DATA.parent.parent
OK, FAILURE, USAGE, BAD_INPUT, NUMERIC, INTERRUPTED = 0, 1, 2, 3, 4, 130
TIMEOUT_SECONDS = 600

program = Path("assay")


@dataclass
class Completed:
    code: int
    out: str
    err: str


def run(*arguments, cwd=None) -> Completed:
    command = [str(program), *map(str, arguments)]
    with tempfile.TemporaryDirectory(prefix="assay-cache-") as cache:  # the user's own stays as it is
        done = subprocess.run(command, cwd=cwd, capture_output=True, timeout=TIMEOUT_SECONDS, stdin=subprocess.DEVNULL,
                              env={**os.environ, "XDG_CACHE_HOME": cache})  # fmt: skip
    return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())


class ProgramTest(unittest.TestCase):
    """Each test has two folders: `self.inputs`, where it makes files, and `self.outputs`, where the program writes."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="assay-test-")
        self.addCleanup(temporary.cleanup)
        self.inputs, self.outputs = Path(temporary.name, "in"), Path(temporary.name, "out")
        self.inputs.mkdir()
        self.outputs.mkdir()

    def run_ok(self, *arguments) -> Completed:
        done = run(*arguments, cwd=self.outputs)
        self.assertEqual(done.code, OK, f"assay {' '.join(map(str, arguments))}\n{done.err}")
        return done

    def run_json(self, *arguments):
        """The whole document that `--json -` prints."""
        return json.loads(self.run_ok(*arguments, "--json", "-").out)

    def result(self, *arguments):
        return self.run_json(*arguments)["result"]

    def assert_refuses(self, code, arguments, says):
        """Exit status `code`, nothing on stdout, no file, and one line on stderr that holds every text of `says`."""
        done = run(*arguments, cwd=self.outputs)
        command = "assay " + " ".join(map(str, arguments))
        self.assertEqual(done.code, code, f"{command}\n{done.err}")
        self.assertEqual(done.out, "", command)
        self.assertRegex(done.err, r"\A((predicted|noise floor|calibration): [^\n]*\n)*assay: [^\n]{20,}\n\Z", command)
        for text in says:
            self.assertIn(str(text), done.err, command)
        self.assert_left_nothing()

    def assert_left_nothing(self):
        self.assertEqual(sorted(os.listdir(self.outputs)), [], "an output was left behind")

    def write(self, name, content) -> Path:
        path = self.inputs / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def write_ids(self, windows, name="ids.json") -> Path:
        return self.write(name, json.dumps(windows))


def main():
    global program
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} PROGRAM [unittest options]; PROGRAM is the assay to test")
    program = Path(sys.argv.pop(1)).resolve()
    unittest.main(module="__main__")
