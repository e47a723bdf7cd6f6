"""Uploads one song to the service in a folder, in a process that a test may have crash on the way: FOLDER SONG."""

import os
import sys
from pathlib import Path

from web_service import CHEAP, ORIGIN, PASSWORD, RAW, TestClient

from bridge.web.service.app import make_site
from bridge.web.service.config import ServiceConfig
from bridge.web.service.context import open_service


def main(folder, song):
    database = os.environ["STREAM_SEP_DATABASE"]
    service = open_service(ServiceConfig(data=Path(folder), database=database, costs=CHEAP, model="passthrough"))
    with TestClient(make_site(service), base_url=ORIGIN, headers={"Origin": ORIGIN}) as browser:
        browser.post("/api/v1/session", json={"name": "ada", "password": PASSWORD}).raise_for_status()
        data = Path(song).read_bytes()
        made = browser.post("/api/v1/uploads", json={"name": "song.flac", "size": len(data)}).json()
        sent = browser.patch(f"/api/v1/uploads/{made['id']}", content=data, headers={**RAW, "Upload-Offset": "0"})
        assert sent.status_code == 200, sent.text
        sys.stdout.write("accepted")


if __name__ == "__main__":
    main(*sys.argv[1:])
