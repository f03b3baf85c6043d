#!/usr/bin/env python3
"""Makes a wheel of the binary: `pip install` puts it into bin, and the man page and completions below share.

A static binary runs with every C library, so one wheel serves manylinux and musllinux. The format is that of
packaging.python.org, "Binary distribution format". The same input gives the same bytes: the order is that of the
code, the time SOURCE_DATE_EPOCH.
"""

import argparse
import base64
import hashlib
import os
import stat
import time
import zipfile
from pathlib import Path

# The oldest of each family that there are images of: glibc 2.17 and musl 1.1; neither is used.
PLATFORMS = ("manylinux_2_17_{0}", "manylinux2014_{0}", "musllinux_1_1_{0}")
# zip cannot tell an earlier time.
EARLIEST = 315532800


class Wheel:
    """A zip file that remembers what RECORD has to say."""

    def __init__(self, path):
        self.zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9)
        self.time = time.gmtime(max(EARLIEST, int(os.environ["SOURCE_DATE_EPOCH"])))[:6]
        self.record = []

    def add(self, name, data, mode=0o644):
        info = zipfile.ZipInfo(name, self.time)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3  # Unix
        # Without the type of the file, pip ignores the mode.
        info.external_attr = (stat.S_IFREG | mode) << 16
        self.zip.writestr(info, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append(f"{name},sha256={digest},{len(data)}\n")

    def close(self, record):
        self.record.append(f"{record},,\n")
        self.add(record, "".join(self.record).encode())
        self.zip.close()


def metadata(arguments):
    """README.md is the description; its relative links lead nowhere on an index, which is no harm."""
    head = f"""\
Metadata-Version: 2.4
Name: {arguments.name}
Version: {arguments.version}
Summary: {arguments.summary}
License-Expression: MIT OR Apache-2.0
License-File: LICENSE-MIT
License-File: LICENSE-APACHE
Classifier: Environment :: Console
Classifier: Operating System :: POSIX :: Linux
Description-Content-Type: text/markdown; charset=UTF-8

"""
    return head.encode() + Path("README.md").read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("name", "version", "summary", "machine"):
        parser.add_argument(f"--{option}", required=True)
    for option in ("binary", "texts", "dist"):
        parser.add_argument(f"--{option}", required=True, type=Path)
    arguments = parser.parse_args()

    top = f"{arguments.name.replace('-', '_')}-{arguments.version}"
    platforms = [platform.format(arguments.machine) for platform in PLATFORMS]
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in platforms)
    wheel = Wheel(arguments.dist / f"{top}-py3-none-{'.'.join(platforms)}.whl")
    data, info = f"{top}.data", f"{top}.dist-info"
    wheel.add(f"{data}/scripts/supervise", arguments.binary.read_bytes(), 0o755)
    for text, place in (
        ("supervise.1", "man/man1/supervise.1"),
        ("supervise.bash", "bash-completion/completions/supervise"),
        ("supervise.zsh", "zsh/site-functions/_supervise"),
        ("supervise.fish", "fish/vendor_completions.d/supervise.fish"),
    ):
        wheel.add(f"{data}/data/share/{place}", (arguments.texts / text).read_bytes())
    wheel.add(f"{info}/METADATA", metadata(arguments))
    wheel.add(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: supervise\nRoot-Is-Purelib: false\n{tags}".encode())
    for licence in ("LICENSE-MIT", "LICENSE-APACHE"):
        wheel.add(f"{info}/licenses/{licence}", Path(licence).read_bytes())
    wheel.close(f"{info}/RECORD")


if __name__ == "__main__":
    main()
