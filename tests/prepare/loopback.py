"""Loopback stand-ins for what downloads talk to: a file server, a hub, a proxy; and the Drive client as a program.

The file server answers Range requests and can break off; the hub speaks what huggingface_hub asks for when it fetches
a snapshot (api/models/X, its tree, resolve/REVISION/FILE) and checks its token. An `OpenHub` is uploaded to as well.
"""

import base64
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

    With `hold`, an event, it stalls there until the event is set. `port`: 0 for any.
    """

    def __init__(self, port=0):
        self.hold = None
        self.files, self.cut, self.requests = {}, {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def do_HEAD(self):
                outer.answer(self)

            def do_POST(self):
                outer.answer(self)

            def do_PUT(self):
                outer.answer(self)

            def do_CONNECT(self):
                outer.requests.append(("CONNECT", self.path, None))
                self.send_error(403)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
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
        if handler.command != "HEAD":
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

    def __init__(self, repo, kind="models", lfs=(), token=None, port=0):
        super().__init__(port)
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


class OpenHub(Hub):
    """A hub on which the owner of `token` makes a repository of any name and commits to it: none is there at first.

    Small files come in the commit itself, .safetensors to an address of their own before it (LFS). `private`: as the
    repository was made; None before. `refused`: what a commit is answered with instead.
    """

    def __init__(self, token="secret", owner="me", port=0):
        super().__init__(None, token=token, port=port)
        self.owner, self.private, self.refused, self.commits, self.stored = owner, None, None, [], {}

    def answer(self, handler):
        wrong = handler.headers.get("Authorization") != f"Bearer {self.token}" and "/lfs/" not in handler.path
        if handler.command not in ("POST", "PUT") or wrong:
            if self.repo is not None or wrong:
                return super().answer(handler)
            return self.refuse(handler, 404, "RepoNotFound", "Repository not found")
        self.requests.append((handler.command, handler.path, handler.headers.get("Authorization")))
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = handler.path.partition("?")[0]
        if path.startswith("/lfs/"):
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/lfs/")
            self.stored[path.removeprefix("/lfs/")] = body
            return self.send_json(handler, {})
        if path == "/api/repos/create":
            return self.create(handler, json.loads(body))
        if path == "/api/validate-yaml":
            return self.send_json(handler, {"errors": [], "warnings": []})
        if path == f"/api/models/{self.repo}/preupload/main":
            return self.send_json(handler, {"files": [self.mode(file["path"]) for file in json.loads(body)["files"]]})
        if path == f"/{self.repo}.git/info/lfs/objects/batch":
            objects = [self.upload_to(entry) for entry in json.loads(body)["objects"]]
            return self.send_json(handler, {"transfer": "basic", "objects": objects})
        assert path == f"/api/models/{self.repo}/commit/main", path
        if self.refused is not None:
            return self.refuse(handler, 403, "Forbidden", self.refused)
        return self.commit(handler, [json.loads(line) for line in body.splitlines()])

    def create(self, handler, asked):
        name = f"{asked.get('organization') or self.owner}/{asked['name']}"
        if not name.startswith(f"{self.owner}/"):
            return self.refuse(handler, 403, "Forbidden", f"You don't have the rights to create a model under {name}")
        there, self.repo = self.repo == name, name
        self.private = self.private if there else asked.get("visibility") == "private"
        answer = json.dumps({"url": f"{self.address}/{name}", "name": name}).encode()
        handler.send_response(409 if there else 200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def mode(self, name):
        return {
            "path": name,
            "uploadMode": "lfs" if name.endswith(".safetensors") else "regular",
            "shouldIgnore": False,
        }

    def upload_to(self, entry):
        href = f"{self.address}/lfs/{entry['oid']}"
        return {"oid": entry["oid"], "size": entry["size"], "actions": {"upload": {"href": href}}}

    def commit(self, handler, lines):
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.stored[value["oid"]]
        self.lfs = tuple(name for name in files if name.endswith(".safetensors"))
        self.files.update(files)
        self.commits.append(sorted(files))
        url = f"{self.address}/{self.repo}/commit/{REVISION}"
        return self.send_json(handler, {"success": True, "commitOid": REVISION, "commitUrl": url, "hookOutput": ""})

    def refuse(self, handler, status, code, message):
        handler.send_response(status)
        handler.send_header("X-Error-Code", code)
        handler.send_header("X-Error-Message", message)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


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
