"""What uvicorn alone costs: no framework, nothing done."""

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"17")]


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b'{"nothing": true}'})
