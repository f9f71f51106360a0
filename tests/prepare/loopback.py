"""Loopback stand-ins for what downloads talk to: a file server, a hub, a proxy; and the Drive client as a program.

The file server answers Range requests and can break off; the hub speaks what huggingface_hub asks for when it fetches
a snapshot (api/models/X, its tree, resolve/REVISION/FILE) and checks its token.
"""

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REVISION = "0123456789abcdef0123456789abcdef01234567"

# gdown as far as prepare.download uses it: URL -O FILE --continue, FILE????????.part, status 1 with a message.
GDOWN = """#!{python}
import os, pathlib, sys, urllib.error, urllib.parse, urllib.request
(url, _, out, more) = sys.argv[1:]
assert (sys.argv[2], more) == ("-O", "--continue"), sys.argv
if os.path.isfile(out):
    print("Skipping already downloaded file", out, file=sys.stderr)
    sys.exit(0)
part = out + "abcdefgh.part"
begun = os.path.getsize(part) if os.path.isfile(part) else 0
name = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["id"][0]
request = urllib.request.Request("{server}/" + name, headers={{"Range": f"bytes={{begun}}-"}} if begun else {{}})
try:
    answer = urllib.request.urlopen(request, timeout=10)
    with answer, open(part, "ab" if answer.status == 206 else "wb") as file:
        while piece := answer.read(4096):
            file.write(piece)
            file.flush()
        if answer.length:
            raise OSError("the response ended early")
except (OSError, urllib.error.URLError) as error:
    print("Error:", error, file=sys.stderr)
    sys.exit(1)
os.rename(part, out)
"""


class FileServer:
    """Serves `files` (name -> content) at `address`; `cut[name]`: bytes after which the next answer breaks off.

    With `hold`, an event, it stalls there until the event is set.
    """

    def __init__(self):
        self.hold = None
        self.files, self.cut, self.requests = {}, {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def do_HEAD(self):
                outer.answer(self)

            def do_CONNECT(self):
                outer.requests.append(("CONNECT", self.path, None))
                self.send_error(403)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, handler):
        name = handler.path.lstrip("/")
        self.requests.append((handler.command, name, handler.headers.get("Range")))
        if name not in self.files:
            handler.send_error(404)
            return
        self.send_file(handler, self.files[name], self.cut.pop(name, None) if handler.command == "GET" else None)

    def send_file(self, handler, content, cut=None, headers=()):
        wanted, begun = handler.headers.get("Range"), 0
        if wanted:
            begun = int(wanted.removeprefix("bytes=").rstrip("-").split("-")[0])
            if begun >= len(content):
                handler.send_error(416)
                return
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Length", str(len(content) - begun))
        for header, value in headers:
            handler.send_header(header, value)
        if wanted:
            handler.send_header("Content-Range", f"bytes {begun}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content[begun:][:cut])
            if cut is not None and self.hold is not None:
                handler.wfile.flush()
                self.hold.wait(60)
        handler.close_connection = True

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Hub(FileServer):
    """`files` of one repository; those of `lfs` have a SHA-256 on the hub, the others git's SHA-1.

    `served` replaces contents on the way, behind the checksums' back; `token`: needed by every request.
    """

    def __init__(self, repo, kind="models", lfs=(), token=None):
        super().__init__()
        self.repo, self.kind, self.lfs, self.token = repo, kind, lfs, token
        self.served = {}

    def answer(self, handler):
        self.requests.append((handler.command, handler.path, handler.headers.get("Authorization")))
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            handler.send_response(401)
            handler.send_header("X-Error-Code", "GatedRepo")
            handler.send_header("X-Error-Message", "Access to this repository is restricted.")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        api, resolve = f"/api/{self.kind}/{self.repo}", f"/{self.repo}/resolve/{REVISION}/"
        resolve = resolve if self.kind == "models" else f"/{self.kind}{resolve}"
        path = handler.path.partition("?")[0]
        if path in (api, f"{api}/revision/main"):
            self.send_json(handler, {"id": self.repo, "sha": REVISION, "siblings": [], "private": False})
        elif path.startswith(f"{api}/tree/"):
            self.send_json(handler, [self.entry(name) for name in self.files])
        elif path.startswith(resolve) and (name := path.removeprefix(resolve)) in self.files:
            etag = self.entry(name).get("lfs", {}).get("oid") or self.entry(name)["oid"]
            content = self.served.get(name, self.files[name])
            headers = [("ETag", f'"{etag}"'), ("X-Repo-Commit", REVISION)]
            self.send_file(handler, content, self.cut.pop(name, None) if handler.command == "GET" else None, headers)
        else:
            handler.send_response(404)
            handler.send_header("X-Error-Code", "RepoNotFound")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    def entry(self, name):
        content = self.files[name]
        entry = {"type": "file", "path": name, "size": len(content)}
        entry["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if name in self.lfs:
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return entry

    def send_json(self, handler, value):
        self.send_file(handler, json.dumps(value).encode(), headers=[("Content-Type", "application/json")])


@contextlib.contextmanager
def running(server):
    try:
        yield server
    finally:
        server.close()


def write_gdown(folder: Path, server: str) -> Path:
    """The stand-in, asking `server` for /FILE_ID; returns the folder, to be put on PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gdown").write_text(GDOWN.format(python=sys.executable, server=server))
    (folder / "gdown").chmod(0o755)
    return folder


@contextlib.contextmanager
def mounted(folder: Path, size: str):
    """A file system of its own at `folder`; skips the test where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
