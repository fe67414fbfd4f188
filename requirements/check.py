"""Say what set-up would lack, before it begins: a Python of the lock's, MindSpore, room on disk.

Run by `make setup` with the Python that the environment is to be made of, which may be an old one:

    python3 requirements/check.py STACK NEWEST VENV_FOLDER
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

# GB of disk that set-up takes, here and, while it installs, in the temporary folder.
HERE, TEMPORARY = 4.8, 1.5


def fault(stack, newest, venv):
    """Return what is wrong and what to do about it; None where set-up can begin.

    newest   the last minor version of Python 3 that requirements/STACK.txt is for
    """
    another = f"name another one: PYTHON_SYSTEM=/path/to/python3.{newest}"
    version = sys.version_info[:2]
    if not (3, 9) <= version <= (3, newest):
        wanted = "3.9" if newest == 9 else f"3.9 to 3.{newest}"
        found = f"Python {version[0]}.{version[1]} was found"
        return f"{found}, requirements/{stack}.txt is for {wanted}; {another}"
    if stack == "ascend" and find_spec("mindspore") is None:
        what = f"{sys.executable} has no MindSpore, which the contest image brings"
        return f"{what}; {another}, or take all from PyPI: STACK=cpu"
    temporary = os.environ.get("TMPDIR") or "/tmp"
    rooms = {".": HERE, temporary: TEMPORARY}
    if not Path(venv, "bin", "python").exists() and any(
        shutil.disk_usage(folder).free < 1e9 * needed for folder, needed in rooms.items()
    ):
        what = f"set-up takes {HERE} GB of disk here, and {TEMPORARY} GB in {temporary} while it"
        return f"{what} installs; free some, or name another folder: TMPDIR=FOLDER"
    return None


if __name__ == "__main__":
    said = fault(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    sys.stderr.write(f"error: {said}\n" if said else "")
    sys.exit(2 if said else 0)
