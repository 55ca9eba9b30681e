"""Runs a program on a terminal as a person would: `terminal.py STEPS PROGRAM ARG...`.

STEPS is JSON, a list of {"expect": TEXT}, {"send": TEXT} and {"resize": [ROWS, COLUMNS]}; the terminal begins with 24 rows of
80. Prints JSON: the output as it came, and the exit status. A text that does not come within SECONDS ends all.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

SECONDS = 20


def resize(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    steps = json.loads(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        time.sleep(0.05)  # until the size is set
        os.execvp(sys.argv[2], sys.argv[2:])
    resize(terminal, 24, 80)
    output, seen = b"", 0

    def more(deadline):
        nonlocal output
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            chunk = b""
        output += chunk
        return chunk != b""

    missing = None
    try:
        for step in steps:
            if "send" in step:
                os.write(terminal, step["send"].encode())
            elif "resize" in step:
                resize(terminal, *step["resize"])
            else:
                missing = step["expect"]
                wanted = missing.encode()
                deadline = time.monotonic() + SECONDS
                while (at := output.find(wanted, seen)) < 0:
                    if not more(deadline):
                        raise EOFError
                seen = at + len(wanted)
                missing = None
        deadline = time.monotonic() + SECONDS
        while more(deadline):
            pass
    except EOFError:
        pass
    except TimeoutError:
        missing = missing or "the end"
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    print(json.dumps({"output": output.decode("latin1"), "code": code, "missing": missing}))


main()
