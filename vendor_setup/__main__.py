"""`python3 vendor_setup COMMAND`. This file uses old syntax, so that an old Python can report what is missing."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 (this is where the minimum is enforced)
    sys.exit("Error: this Python is {}.{}; run vendor_setup with Python 3.11 or newer.".format(*sys.version_info))

# Python puts the folder that it runs on the path; the packages are one level above.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

from vendor_setup.cli import main  # noqa: E402

if __name__ == "__main__":
    # On Windows, a path may have letters that the encoding of a pipe lacks. stderr escapes them by default.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
