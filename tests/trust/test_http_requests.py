"""Requests that break HTTP, or mean ill: each is refused in our shape, and the service goes on as before."""

import json
import random
import re
import time
from urllib.parse import quote

import pytest

from ..serving import Serve
from .amounts import Figures, much
from .served import SECRETS, Service, connected, error_of, head, require_untold, sent, status_of

JSON, CHUNKED, CLOSE = "Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close"
BODY = b'{"texts": ["a film"]}'
ASK = "/v1/models/mood/predict"
WHOLE = head("POST", ASK, JSON, f"Content-Length: {len(BODY)}", CLOSE) + BODY
CHUNKS = head("POST", ASK, JSON, CHUNKED, CLOSE)
REQUESTS: dict[str, tuple[bytes, int]] = {
    "two ways to say how long it is": (head("POST", ASK, JSON, "Content-Length: 3", CHUNKED) + b"0\r\n\r\n", 400),
    "the same the other way round": (head("POST", ASK, JSON, CHUNKED, "Content-Length: 3") + b"0\r\n\r\n", 400),
    "two lengths": (head("POST", ASK, JSON, "Content-Length: 4", "Content-Length: 5") + b"aaaaa", 400),
    "a length of two numbers": (head("POST", ASK, JSON, "Content-Length: 4, 4") + b"aaaa", 400),
    "a negative length": (head("POST", ASK, JSON, "Content-Length: -1"), 400),
    "a length with a sign": (head("POST", ASK, JSON, "Content-Length: +21") + BODY, 400),
    "a length beyond all numbers": (head("POST", ASK, JSON, "Content-Length: " + "9" * 40), 400),
    "a length larger than is taken": (head("POST", ASK, JSON, "Content-Length: 999999999", CLOSE), 413),
    "another coding of transfer": (head("POST", ASK, JSON, "Transfer-Encoding: gzip, chunked", CLOSE) + b"0\r\n\r\n", 400),
    "a coding that is none": (head("POST", ASK, JSON, "Transfer-Encoding: xchunked") + b"0\r\n\r\n", 400),
    "a coding hidden by a blank": (head("POST", ASK, JSON, "Transfer-Encoding : chunked") + b"0\r\n\r\n", 400),
    "a chunk without a size": (CHUNKS + b"zz\r\n", 400),
    "a chunk longer than its size": (CHUNKS + b"3\r\nabcdefgh\r\n0\r\n\r\n", 400),
    "a chunk of negative size": (CHUNKS + b"-1\r\n\r\n", 400),
    "a chunk beyond all numbers": (CHUNKS + b"f" * 40 + b"\r\nabc", 400),
    "a chunk with a long extension": (CHUNKS + b"1;" + b"a" * 100_000 + b"\r\na\r\n0\r\n\r\n", 400),
    "trailers without end": (CHUNKS + b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 400),
    "an address of a megabyte": (head("GET", "/" + "a" * 1_000_000), 431),
    "fifty thousand headers": (head("GET", "/v1/about", *(f"X-{number}: a" for number in range(50_000))), 431),
    "two hundred short headers": (head("GET", "/v1/about", *(f"X-{number}: a" for number in range(200))), 431),
    "a header of a megabyte": (head("GET", "/v1/about", "X: " + "a" * 1_000_000), 431),
    "a name of a header of a megabyte": (head("GET", "/v1/about", "X" * 1_000_000 + ": a"), 431),
    "a folded header": (head("GET", "/v1/about", "X: a", " b"), 400),
    "lines without carriage returns": (b"GET /v1/about HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
    "a NUL in a header": (head("GET", "/v1/about", b"X: a\0b"), 400),
    "a second host": (head("GET", "/v1/about", "Host: evil.example", CLOSE), 400),
    "a host that is none": (b"GET / HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n", 400),
    "a host with an address behind it": (b"GET /x HTTP/1.1\r\nHost: a/b?c#d@e\r\nConnection: close\r\n\r\n", 400),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 20, 400),
    "the second version of HTTP": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a body with a wish for another protocol": (
        head("POST", ASK, JSON, "Upgrade: h2c", "Connection: Upgrade", f"Content-Length: {len(BODY)}") + BODY, 400),
    "a tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
    "a method that is none": (head("FOO", "/v1/about"), 400),
    "a method that is not offered": (head("PROPFIND", "/v1/about", CLOSE), 405),
    "a trace": (head("TRACE", "/v1/about", CLOSE), 405),
    "all there is": (head("OPTIONS", "*", CLOSE), 404),
    "bytes in an address": (head("GET", b"/v1/models/\xff\xfe"), 400),
    "an address elsewhere": (head("GET", "http://evil.example/nowhere", CLOSE), 404),
    "an address that ends in a slash": (head("GET", "/v1/models/", CLOSE), 404),
    "an empty line": (b"\r\n\r\n \r\n\r\n", 400),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_what_breaks_http_is_refused_in_our_shape(name: str, service: Service) -> None:
    request, status = REQUESTS[name]
    answer = sent(service.address, request)
    assert status_of(answer) in (status, 0 if len(request) > 65_536 else status), answer[:300]
    if answer:  # who still sends when refused may be cut off before reading why
        assert error_of(answer)
        assert b"content-security-policy" in answer and b"connection: close" in answer.lower()
    assert status_of(sent(service.address, WHOLE)) == 200


def test_one_request_is_never_two(service: Service) -> None:
    hidden = head("GET", "/metrics", CLOSE)
    for lines in ((CHUNKED, f"Content-Length: {len(hidden)}"), (f"Content-Length: {len(hidden)}", CHUNKED)):
        answer = sent(service.address, head("POST", ASK, JSON, *lines) + b"0\r\n\r\n" + hidden)
        assert len(re.findall(rb"HTTP/1.1 \d{3} ", answer)) == 1 and b"foretell_requests" not in answer
    # What follows a body that was refused is read as a body, not as a request.
    answer = sent(service.address, head("POST", ASK, JSON, "Content-Length: 999999999", CLOSE) + hidden)
    assert len(re.findall(rb"HTTP/1.1 \d{3} ", answer)) == 1


def test_requests_sent_ahead_are_answered_in_order_or_refused(service: Service) -> None:
    few = head("GET", "/v2/health/live") * 9 + head("GET", "/v1/about", CLOSE)
    answer = sent(service.address, few)
    assert answer.count(b"HTTP/1.1 200") == 10 and answer.endswith(b"}")
    sent(service.address, head("GET", "/v2/health/live") * 20_000)
    assert service.client.get("/v2/health/live").status == 200


def test_a_wish_for_a_websocket_is_not_heard(service: Service) -> None:
    wish = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==",
        "Sec-WebSocket-Version: 13",
    )
    answer = sent(service.address, head("GET", "/v1/about", *wish))
    assert status_of(answer) == 200 and b"switching" not in answer.lower()
    without = head("GET", "/v1/about", *wish).replace(SECRETS["token"].encode(), b"x")
    assert status_of(sent(service.address, without)) == 401


def test_a_long_cookie_keeps_nobody_waiting(serve: Serve) -> None:
    # The standard library reads such a header for minutes, and did so before the token was looked at.
    for token in (None, SECRETS["token"]):
        client = serve(token=token)
        started = time.monotonic()
        for cookie in ('foretell-token="' + "\\1" * 15_000 + '"', 'a="' + '\\"' * 15_000, ";" * 30_000, "=" * 30_000):
            assert client.get("/v1/models/mood", Cookie=cookie).status == (401 if token else 200)
        assert time.monotonic() - started < 5
        client = serve(token='t;o,k"e\\n%20=0123456789')
        cookie = "foretell-token=t%3Bo%2Ck%22e%5Cn%2520%3D0123456789"
        assert client.get("/v1/models", Cookie=f"a=b; {cookie}; c").status == 200


def test_how_an_address_is_asked_is_told_in_full(service: Service) -> None:
    for path, methods in (
        ("/v1/jobs", "GET, POST"),
        ("/v1/jobs/x", "DELETE, GET"),
        ("/v1/about", "GET"),
        (ASK, "POST"),
    ):
        reply = service.client.ask("PUT", path, None, {})
        assert (reply.status, reply.headers["allow"]) == (405, methods) and reply.error


def test_parts_of_files_are_not_sent(service: Service) -> None:
    whole = service.client.get("/page/app.js")
    for ranges in (
        "bytes=0-0",
        "bytes=a",
        "bytes=99999999-",
        "bytes=" + ",".join(f"{3 * n}-{3 * n}" for n in range(90)),
    ):
        reply = service.client.get("/page/app.js", Range=ranges)
        assert (reply.status, reply.content) == (200, whole.content)


def test_pages_of_other_sites_ask_nothing(serve: Serve) -> None:
    client = serve()
    for site in ("cross-site", "same-site"):
        reply = client.get("/v1/models", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
        assert reply.status == 400 and "other sites" in reply.error["message"]
        assert client.get("/v2/health/live", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}).status == 200
    for site in ("same-origin", "none"):
        assert client.get("/v1/models", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors"}).status == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        reply = client.predict("mood", BODY, kind, Origin="http://evil.example")
        assert reply.status == 400, "a form of another site"
        assert client.predict("mood", BODY, kind).status == 415
    assert "access-control-allow-origin" not in client.get("/v1/models").headers


def test_bodies_of_any_kind_are_answered(service: Service, figures: Figures) -> None:
    generator, counted = random.Random(2), 0
    kinds = ["application/json", "text/csv", "multipart/form-data; boundary=x", "multipart/form-data; boundary=",
             "multipart/form-data", "application/json; charset=utf-7", "", "\xff", "a" * 5000]  # fmt: skip
    bodies = [b"", b"\0" * 1000, b"{" * 50_000, b'{"texts": [' + b"1," * 50_000, b"--x\r\n" * 5000, b"a,b\n" * 5000, b'"' * 9999,
              b'{"texts": ["' + b"\\ud800" * 100 + b'"]}', b'{"a":' * 900 + b"1" + b"}" * 900, b"1" * 9999, b"--x--",
              b'--x\r\nContent-Disposition: form-data; name="picture"; filename="' + b"a" * 9000 + b'"\r\n\r\n',
              b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n", b"\xef\xbb\xbf{}", b"NaN", b"a,a\n1,2\n"]  # fmt: skip
    for _ in range(much(0, 1500)):
        start = bytearray(generator.choice([BODY, *bodies])[:2000])
        for _ in range(generator.randint(1, 8)):
            start.insert(generator.randint(0, len(start)), generator.choice(b'\0\xff"{}[],:\r\n-0e9\\u'))
        bodies.append(bytes(start))
    for number, body in enumerate(bodies):
        for kind in kinds if number < 16 else [kinds[number % len(kinds)]]:
            for path in ("mood", "weather", "writer", "days"):
                reply = service.client.predict(path, body, kind)
                counted += 1
                assert reply.status in (200, 400, 413, 415, 422) and (reply.status == 200 or reply.error), (
                    body,
                    reply.content,
                )
            for path in ("/v1/jobs", "/v1/session"):
                reply = service.client.post(path, body, kind)
                assert reply.status in (400, 401, 415, 422) and reply.error, (path, body, reply.content)
                counted += 1
    figures(bodies=counted)


def test_a_damaged_table_is_the_clients_fault(service: Service) -> None:
    generator = random.Random(4)
    for length in range(1, much(12, 300)):
        footer = generator.randbytes(length)
        content = b"PAR1" + footer + length.to_bytes(4, "little") + b"PAR1"
        for name, body in (("a.parquet", content), ("a.csv.gz", b"\x1f\x8b" + footer), ("a.zip", b"PK\3\4" + footer)):
            reply = service.client.post(f"/v1/data?name={name}", body, "application/octet-stream")
            assert reply.status == 422 and "damaged" in reply.error["message"], reply.content


@pytest.mark.parametrize("name", ["about.json", "../About.JSON", "about.csv"])
def test_a_file_that_is_named_like_ours_is_kept(name: str, service: Service) -> None:
    content = b'[{"time": "2020-01-01", "a": 1}]'
    about = service.client.post(f"/v1/data?name={quote(name)}", content, "application/octet-stream").document
    (kept,) = [path for path in service.folder.rglob(f"{about['id']}/*") if path.name != "about.json"]
    assert (kept.name, kept.read_bytes()) == (about["name"], content)


def test_bytes_by_chance_break_nothing(service: Service, figures: Figures) -> None:
    """A whole request with some bytes changed, doubled or left out."""
    generator, statuses = random.Random(3), dict[int, int]()
    files, memory = service.open_files(), service.status("RssAnon")
    for _ in range(much(150, 3000)):
        request = bytearray(WHOLE)
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(request))
            match generator.randrange(4):
                case 0:
                    request[place] = generator.randrange(256)
                case 1:
                    del request[place : place + generator.randint(1, 20)]
                case 2:
                    request[place:place] = request[place : place + generator.randint(1, 20)]
                case _:
                    request.insert(place, generator.choice(b"\0\r\n :;%/\xff"))
        answer = halved(service, bytes(request))
        statuses[status_of(answer)] = statuses.get(status_of(answer), 0) + 1
    assert set(statuses) <= {0, 200, 400, 401, 404, 405, 413, 415, 422, 431}, statuses
    assert service.client.predict("mood", json.loads(BODY)).status == 200
    assert service.open_files() <= files + 5 and service.status("RssAnon") < memory + 60_000
    figures(
        requests=sum(statuses.values()), **{f"status_{status}": count for status, count in sorted(statuses.items())}
    )


def halved(service: Service, content: bytes) -> bytes:
    """What comes back for bytes after which the client says nothing more: it does not wait for the rest of a request."""
    answer = b""
    with connected(service.address) as connection:
        connection.settimeout(0.5)
        try:
            connection.sendall(content)
            while part := connection.recv(1 << 16):
                answer += part
        except (ConnectionError, TimeoutError):
            pass
    require_untold(answer)
    return answer
