"""The benchmark of the web service, shortened: every figure is there, and makes sense."""

from bridge.benchmarks.web_service import measure_service


def test_service_is_measured_with_uploads_pieces_and_sockets():
    found = measure_service("passthrough", clients=2, sockets=3, copies=1)
    assert 26 < found["song_seconds"] < 28
    assert 0 < found["upload_seconds"] < found["upload_to_first_piece_seconds"]
    assert 0 < found["piece_ms_median"] <= found["piece_ms_p95"]
    assert found["uploads_a_second"] > 0
    assert 10 < found["web_mb"] <= found["web_mb_with_sockets"] + 100
    assert {"open_to_first_piece_ms", "upload_seconds_p95", "worker_seconds", "alone_seconds"} <= found.keys()
    assert found["overhead_percent"] > -100
