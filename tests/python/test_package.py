"""The package as pip installs it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from lab import ROOT

SHOW = "import freshet, freshet.aio, importlib.metadata as m; print(freshet.__file__, m.version('freshet'), freshet.Client())"


class Package(unittest.TestCase):
    def test_pip_installs_it_in_an_environment_of_its_own(self):
        with tempfile.TemporaryDirectory(prefix="freshet-package-") as name:
            folder = pathlib.Path(name)
            source = shutil.copytree(ROOT / "python", folder / "python",    # setuptools builds beside the source
                                     ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
            self.run_in(folder, sys.executable, "-m", "venv", "--system-site-packages", "env")
            python = folder / "env/bin/python"
            self.run_in(folder, python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
                        "--disable-pip-version-check", source)
            shown = self.run_in(folder, python, "-W", "error", "-c", SHOW).split()
            self.assertTrue(shown[0].startswith(str(folder / "env")), shown)
            self.assertEqual(shown[1], "0.1.0")
            installed = {path.name for path in pathlib.Path(shown[0]).parent.iterdir()} - {"__pycache__"}
            self.assertEqual(installed, {path.name for path in (source / "src/freshet").iterdir()})
            self.assertIn("py.typed", installed)

    def run_in(self, folder, *command):
        done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout


if __name__ == "__main__":
    unittest.main(verbosity=2)
