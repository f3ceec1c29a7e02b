"""Who may ask: a token elsewhere, this machine's own address here, and no page of another site."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config.sections import names_files
from foretell.errors import UsageError
from foretell.tasks import CONFIGURED, task_configuration
from foretell.web.guard import HEADERS, POLICY, Guard, is_loopback, read_token
from foretell.web.server import require_token

from ..serving import Serve
from ..tasks.commands import Run

TOKEN = "0123456789abcdef0123456789abcdef"


def test_a_token_is_asked_for_and_known(serve: Serve) -> None:
    client = serve(token=TOKEN)
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nowhere"):
        reply = client.get(path)
        assert reply.status == 401 and reply.headers["www-authenticate"] == "Bearer"
        assert reply.error["code"] == "unauthorised"
    assert client.predict("mood", {"texts": ["a"]}).status == 401
    assert client.get("/v2/health/live").status == 200
    for given_ in ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"):
        assert client.get("/v1/models", Authorization=given_).status == 401
    assert client.get("/v1/models", Authorization=f"Bearer {TOKEN}").status == 200
    assert client.get("/v1/models", Authorization=f"bearer {TOKEN}").status == 200
    assert client.get("/v1/models", Cookie=f"foretell-token={TOKEN}").status == 200
    assert client.get("/v1/models", Cookie="foretell-token=other; a=b").status == 401
    # With a token it may be reached under any name.
    assert client.get("/v1/models", Authorization=f"Bearer {TOKEN}", Host="models.example").status == 200


def test_only_requests_for_this_machine_are_answered_without_one(serve: Serve) -> None:
    client = serve()
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "[::2]:80"):
        reply = client.get("/v1/models", Host=host)
        assert reply.status == 400, host
    for host in ("localhost", "localhost:9", "127.0.0.1:1", "[::1]:8501", "LOCALHOST:5"):
        assert client.get("/v1/models", Host=host).status == 200, host
    own = client.address.removeprefix("http://")
    assert client.get("/v1/models", Origin=f"http://{own}").status == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://[", "//", "\xff"):
        reply = client.get("/v1/models", Origin=origin)
        assert reply.status == 400 and "other sites" in reply.error["message"]


def test_every_response_has_the_policy(serve: Serve) -> None:
    client = serve()
    for path in ("/v1/models", "/nowhere", "/v2/health/live"):
        headers = client.get(path).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS
    for directive in ("default-src 'self'", "img-src 'self' data: blob:", "style-src 'self' 'unsafe-inline'"):
        assert directive in POLICY
    assert "server" not in client.get("/v1/models").headers or client.get("/v1/models").headers["server"] == "uvicorn"


@given(st.text(max_size=40))
def test_no_other_token_is_known(text: str) -> None:
    guard = Guard(_nothing, TOKEN, own=False)
    assert guard.knows(text) == (text == TOKEN)
    assert guard.knows(TOKEN)


async def _nothing(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody is asked")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("short", "16 letters or more"),
        ("", "16 letters or more"),
        ("two words in one token", "no blanks"),
        ("é" * 20, "letters"),
    ],
)
def test_tokens_that_can_be_guessed_are_none(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(content, "utf-8")
    with pytest.raises(UsageError, match=told):
        read_token(path)


def test_a_token_is_read_without_what_an_editor_adds(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token") == TOKEN
    with pytest.raises(UsageError, match="No such file"):
        read_token(tmp_path / "nowhere")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00" * 10)
    with pytest.raises(UsageError, match="not text"):
        read_token(tmp_path / "bytes")


def test_addresses_that_others_can_reach_need_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org", "127.evil.example"):
        assert not is_loopback(host)
        with pytest.raises(UsageError, match="--token-file"):
            require_token(host, None)
        require_token(host, TOKEN)
    for host in ("127.0.0.1", "localhost", "::1", "127.1.2.3"):
        require_token(host, None)


def test_the_command_says_what_is_wrong(run: Run, runs_dir: Path, tmp_path: Path) -> None:
    for arguments, code, told in (
        ([], 2, "needs a RUN"),
        (["nowhere"], 3, "no run"),
        (["mood", "--host", "0.0.0.0"], 2, "--token-file"),
        (["mood", "--port", "70000"], 3, "port"),
        (["mood", "--max-body", "much"], 3, "16MB"),
        (["mood", "--deadline", "never"], 3, "90s"),
        (["mood", "--token-file", "nowhere"], 2, "cannot be read"),
        (["mood", "mood"], 2, "two models are called"),
        (["mood", "--queue", "0"], 3, "queue"),
        (["x=nowhere"], 3, "no run"),
    ):
        result = run("serve", *arguments, "--runs-dir", runs_dir)
        assert (result.code, told in result.err) == (code, True), (arguments, result.err)
        assert len(result.err.strip().splitlines()) <= 2
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{")
    assert run("serve", tmp_path / "broken").code == 5
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_options_that_name_files_are_the_servers() -> None:
    named = {
        name
        for task in CONFIGURED
        for _, name, field in task_configuration(task).options()
        if re.search(r"\b([Ff]iles?|[Ff]older|PACKAGE)\b", field.description or "")
    }
    # These speak of files, and name none.
    named -= {"split", "separator", "source", "language", "film", "model", "store"}
    for name in named:
        fields = [field for task in CONFIGURED for _, own, field in task_configuration(task).options() if own == name]
        assert fields and all(map(names_files, fields)), name
    assert {"validation_data", "test_data", "vectors", "runs_dir"} <= named
