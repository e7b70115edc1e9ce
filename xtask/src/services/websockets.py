"""A server of the library `websockets`: python websockets.py PORT. The path says what it does."""

import asyncio
import sys
from http import HTTPStatus

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def talk(socket):
    words = socket.request.path.strip("/").split("/")
    match words:
        case ["echo"]:
            await echo(socket)
        case ["close", code, reason]:
            await socket.close(int(code), reason)
        case ["push", count, size]:
            for number in range(int(count)):
                await socket.send(str(number).rjust(int(size), "."))
            await echo(socket)
        case ["fragments", count]:
            await socket.send(f"part {number};" for number in range(int(count)))
            await echo(socket)
        case ["ping"]:
            # Told once the client has answered.
            await (await socket.ping(b"are you there"))
            await socket.send("answered")
            await echo(socket)
        case ["said"]:
            await socket.send("\n".join(f"{name}: {value}" for name, value in socket.request.headers.raw_items()))
            await echo(socket)
        case ["drop"]:
            socket.transport.abort()


def refuse(connection, request):
    words = request.path.strip("/").split("/")
    if words[0] == "status":
        return connection.respond(HTTPStatus(int(words[1])), "no\n")
    return None


def greet(_, request, response):
    response.headers["Set-Cookie"] = "seat=7"
    return response


async def main():
    server = serve(
        talk,
        "127.0.0.1",
        int(sys.argv[1]),
        subprotocols=["second", "third"],
        select_subprotocol=lambda _, offered: "second" if "second" in offered else None,
        process_request=refuse,
        process_response=greet,
        max_size=1 << 20,
    )
    async with server as running:
        await running.serve_forever()


asyncio.run(main())
