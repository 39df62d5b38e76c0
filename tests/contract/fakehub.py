"""A fake of the Hugging Face Hub: what its published HTTP API says about files, and nothing else. It is strict: what it
does not know, or what is not as it should be, is answered with an error and kept in ``wrong``."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_contract"
_LFS = 1 << 20  # bytes from which on a file goes another way
_PAGE = 500  # files of one answer


class FakeHub:
    """One repository, `me/place`, of models; ``files`` and the number of ``commits``."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.large: dict[str, bytes] = {}  # by sha256
        self.commits = 0
        self.refuse: list[int] = []  # statuses of the next answers
        self.wrong: list[str] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> FakeHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Answer(Exception):  # noqa: N818 - an answer, good or bad
    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            size = self.headers.get("Content-Length")
            if size is None and self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while length := int(self.rfile.readline(), 16):
                    body += self.rfile.read(length)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(size or 0))
            try:
                with hub.lock:
                    if hub.refuse:
                        raise _Answer(hub.refuse.pop())
                    route(self.command, self.path, self.headers, body)
                raise AssertionError("every route answers")
            except _Answer as answer:
                self._send(answer)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815 - the names that http.server calls

        def _send(self, answer: _Answer) -> None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body or {}).encode()
            self.send_response_only(answer.status)
            self.send_header("Content-Length", str(len(body)))
            for name, text in answer.headers.items():
                self.send_header(name.replace("_", "-"), text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            """Nobody reads it."""

    def route(method: str, target: str, headers: Any, body: bytes) -> None:
        parts = urlsplit(target)
        path, query = parts.path, parse_qs(parts.query)
        if path.startswith("/lfs/") and method == "PUT":  # as to a bucket: signed, so without our token
            put_large(path[5:], headers, body)
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _Answer(401, {"error": "Invalid credentials"}, X_Error_Code="RepoNotFound")
        for prefix, call in routes.items():
            if path.startswith(prefix) and method in call[0].split():
                call[1](unquote(path[len(prefix) :]), query, headers, body)
        if "/me/place" not in path:
            raise _Answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        hub.wrong.append(f"{method} {target}")
        raise _Answer(501)

    def put_large(digest: str, headers: Any, body: bytes) -> None:
        if "Authorization" in headers or hashlib.sha256(body).hexdigest() != digest:
            hub.wrong.append(f"upload of {digest}")
            raise _Answer(400)
        hub.large[digest] = body
        raise _Answer(200)

    def entry(path: str) -> dict[str, Any]:
        data = hub.files[path]
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        return {"type": "file", "path": path, "size": len(data), "oid": oid}

    def tree(folder: str, query: Any, headers: Any, body: bytes) -> None:
        folder = folder.strip("/")
        found = sorted(path for path in hub.files if not folder or path.startswith(f"{folder}/"))
        if query.get("recursive") not in (["true"], ["True"]):
            hub.wrong.append("tree that is not recursive")
        if not found and folder:
            raise _Answer(404, {"error": "not here"}, X_Error_Code="EntryNotFound")
        begin = int(query.get("cursor", ["0"])[0])
        rest, more = found[begin : begin + _PAGE], {}
        if found[begin + _PAGE :]:
            place = f"{hub.url}/api/models/me/place/tree/main/{folder}".rstrip("/")
            more = {"Link": f'<{place}?recursive=true&cursor={begin + _PAGE}>; rel="next"'}
        raise _Answer(200, [entry(path) for path in rest], **more)

    def paths(_: str, query: Any, headers: Any, body: bytes) -> None:
        asked = (
            json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode()).get("paths", [])
        )
        raise _Answer(200, [entry(path) for path in asked if path in hub.files])

    def preupload(_: str, query: Any, headers: Any, body: bytes) -> None:
        asked = json.loads(body)["files"]
        way = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["size"] >= _LFS else "regular",
                "shouldIgnore": False,
            }
            for one in asked
        ]
        raise _Answer(200, {"files": way})

    def batch(_: str, query: Any, headers: Any, body: bytes) -> None:
        asked = json.loads(body)
        if (
            asked["operation"] != "upload"
            or "basic" not in asked["transfers"]
            or asked["hash_algo"] != "sha256"
        ):
            hub.wrong.append("batch")
            raise _Answer(422)
        made = [
            one
            if one["oid"] in hub.large
            else {**one, "actions": {"upload": {"href": f"{hub.url}/lfs/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        kind = "application/vnd.git-lfs+json"
        raise _Answer(200, {"transfer": "basic", "objects": made}, Content_Type=kind)

    def commit(_: str, query: Any, headers: Any, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines() if line]
        if not lines or lines[0]["key"] != "header" or not lines[0]["value"]["summary"]:
            hub.wrong.append("commit without a header")
            raise _Answer(400)
        files = dict(hub.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file" and value["encoding"] == "base64":
                files[value["path"]] = base64.b64decode(value["content"], validate=True)
            elif line["key"] == "lfsFile" and value["algo"] == "sha256" and value["oid"] in hub.large:
                files[value["path"]] = hub.large[value["oid"]]
            elif line["key"] == "deletedFile" and value["path"] in files:
                del files[value["path"]]
            else:
                hub.wrong.append(f"commit of {line['key']}")
                raise _Answer(404, {"error": "no such file"}, X_Error_Code="EntryNotFound")
        hub.files, hub.commits = files, hub.commits + 1
        sha = f"{hub.commits:040x}"
        made = {"commitUrl": f"{hub.url}/me/place/commit/{sha}", "commitOid": sha, "success": True}
        raise _Answer(200, made)

    def resolve(path: str, query: Any, headers: Any, body: bytes) -> None:
        if path not in hub.files:
            raise _Answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        data, span = hub.files[path], headers.get("Range", "")
        tag = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        if not span:
            raise _Answer(200, data, **tag)
        first, _, last = span.removeprefix("bytes=").partition("-")
        begin = int(first) if first else max(0, len(data) - int(last))
        until = min(len(data), int(last) + 1) if first and last else len(data)
        if begin >= len(data):
            raise _Answer(416, Content_Range=f"bytes */{len(data)}")
        raise _Answer(206, data[begin:until], Content_Range=f"bytes {begin}-{until - 1}/{len(data)}", **tag)

    def info(*_: Any) -> None:
        raise _Answer(200, {"id": "me/place", "sha": f"{hub.commits:040x}", "siblings": []})

    routes: dict[str, tuple[str, Any]] = {
        "/api/models/me/place/tree/main": ("GET", tree),
        "/api/models/me/place/paths-info/main": ("POST", paths),
        "/api/models/me/place/preupload/main": ("POST", preupload),
        "/api/models/me/place/commit/main": ("POST", commit),
        "/api/models/me/place/revision/main": ("GET", info),
        "/me/place.git/info/lfs/objects/batch": ("POST", batch),
        "/me/place/resolve/main/": ("GET HEAD", resolve),
    }
    return Handler
