"""A process that asks a rate limit at a steady pace, for `test_four_processes.py`.

`python -m tests.automate.accounts.asking SCOPE COUNT SECONDS EVERY FOR` writes a line
for each request: this host's time before it and after it, and whether it was allowed.
"""

from __future__ import annotations

import sys
import time

import django


def main(scope: str, count: str, seconds: str, every: str, length: str) -> None:
    django.setup()
    from automate.accounts import limits
    from automate.lib.rates import Rate

    rate = Rate(int(count), int(seconds))
    limits.take("warm", rate)  # what the first request has to load
    tell("ready")
    sys.stdin.readline()
    end, following = time.monotonic() + float(length), time.monotonic()
    while following < end:
        time.sleep(max(following - time.monotonic(), 0))
        before = time.time()
        allowed = limits.take(scope, rate).allowed
        tell(f"{before:.6f} {time.time():.6f} {allowed:d}")
        following += float(every)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
