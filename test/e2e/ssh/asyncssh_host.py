"""A host that tells what it is sent: `asyncssh_host.py HOST-KEY AUTHORIZED-KEYS`. Prints its port."""

import asyncio
import sys

import asyncssh


async def handle(process):
    process.stdout.write("ready\n")
    while True:
        try:
            line = await process.stdin.readline()
        except asyncssh.SignalReceived as received:
            process.stdout.write(f"signal {received.signal}\n")
            if received.signal == "TERM":
                process.exit_with_signal("TERM", False, "as asked")
                return
        except asyncssh.TerminalSizeChanged as changed:
            process.stdout.write(f"size {changed.width}x{changed.height}\n")
        else:
            if line == "":
                process.exit(0)
                return
            process.stdout.write(f"line {line}")


async def main():
    options = {"server_host_keys": [sys.argv[1]], "authorized_client_keys": sys.argv[2], "line_editor": False}
    server = await asyncssh.listen("127.0.0.1", 0, process_factory=handle, **options)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
