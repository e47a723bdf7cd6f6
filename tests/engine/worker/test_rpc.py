"""Requests to a child process end with a reply, with its end, or with a limit; a write never waits."""

import os
import signal

import pytest

from stream_sep.engine.worker.rpc import RpcClient, raise_for_error
from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.lowlevel.child_process import ChildProcess

SERVER = """
import os, time
from stream_sep.engine.worker.rpc import RpcServer

def main():
    server = RpcServer()
    while "closed" not in (request := server.receive()):
        match request["do"]:
            case "double":
                server.reply(request, {"result": 2 * request["value"]})
            case "report":
                server.report("a report")
                server.send({"meter": 1})
                server.reply(request, {})
            case "end":
                os._exit(3)
            case "load":
                alive = server.send_signs_of_life()
                time.sleep(2.5)
                alive.set()
                server.reply(request, {"loaded": True})
"""


@pytest.fixture
def reports():
    return []


@pytest.fixture
def messages():
    return []


@pytest.fixture
def client(tmp_path, monkeypatch, reports, messages):
    (tmp_path / "rpc_child.py").write_text(SERVER)
    monkeypatch.syspath_prepend(str(tmp_path))
    client = RpcClient(ChildProcess("rpc_child", quiet=True), reports.append, on_message=messages.append)
    yield client
    client.close()


def test_a_reply_is_matched_to_its_request(client):
    assert [client.request({"do": "double", "value": n}, 60)["result"] for n in range(20)] == list(range(0, 40, 2))


def test_reports_and_messages_come_without_a_request(client, reports, messages):
    client.request({"do": "report"}, 60)
    assert reports == ["a report"]
    assert messages == [{"meter": 1}]


def test_a_process_that_ends_closes_every_request(client):
    assert client.request({"do": "end"}, 60)["closed"]
    assert client.request({"do": "double", "value": 1}, 60)["closed"]
    with pytest.raises(SeparatorError, match="exited unexpectedly"):
        raise_for_error(client.request({"do": "double", "value": 1}, 60))


def test_a_request_without_a_reply_ends_with_its_limit(client):
    client.request({"do": "double", "value": 1}, 60)
    assert "did not respond" in client.request({"do": "nothing"}, 0.2)["error"]


def test_signs_of_life_keep_a_request_alive_and_silence_ends_it(client):
    client.request({"do": "double", "value": 1}, 60)
    assert client.request({"do": "load"}, 60, silence=2.0) == {"loaded": True, "id": 1}
    os.kill(client._child.pid, signal.SIGSTOP)
    assert client.request({"do": "double", "value": 1}, 60, silence=0.2)["timeout"]


def test_a_process_that_reads_nothing_blocks_no_writer(client):
    client.request({"do": "double", "value": 1}, 60)
    os.kill(client._child.pid, signal.SIGSTOP)
    for _ in range(50):
        client.notify({"do": "double", "value": "x" * 100_000})  # 80 times what a pipe holds
    assert client.close() == -signal.SIGKILL


def test_errors_keep_their_kind():
    with pytest.raises(ConfigError, match="a message"):
        raise_for_error({"error": "a message", "kind": "ConfigError"})
    raise_for_error({"result": 1})
