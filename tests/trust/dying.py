"""Comes to its seventeenth case, and dies there or never comes back."""

import os
import sys
import threading
from pathlib import Path

if __name__ == "__main__":
    Path(os.environ["TRUST_PLACE"]).write_bytes((18).to_bytes(8, "little"))
    if sys.argv[1] == "abort":
        os.abort()
    threading.Event().wait()
