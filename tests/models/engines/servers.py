"""Servers of completions: the one of vLLM, where it is installed, and a small one with a real model, everywhere."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from peft import PeftModel

from models.engines.server_client import ServerClient
from models.engines.start_folder import write_start
from models.engines.transformers_engine import TransformersEngine
from models.inference.loading import ABOUT_FILE
from models.language.decoding import Sampling
from models.language.vocabulary import MotionVocabulary
from tests.places import ROOT
from utils.errors import InputError
from utils.files.json_files import write_json

VERSION = "0.32.0"


def write_export(folder: Path, model, vocabulary: MotionVocabulary, fingerprint: str) -> Path:
    """What of an export a server reads."""
    write_start(folder, model, vocabulary)
    write_json(folder / ABOUT_FILE, {"checkpoint": fingerprint, "dtype": str(model.dtype).removeprefix("torch.")})
    return folder


@contextlib.contextmanager
def vllm_server(export: Path, port: int, *flags: str):
    """The address of a real vLLM server of an export, started as the pages say."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "MORL_SERVER_LENGTH": "512",
        "OMP_NUM_THREADS": "1",
    }
    command = ["bash", "options/accelerate/vllm_server.sh", export, "--host", "127.0.0.1", "--port", port, *flags]
    url = f"http://127.0.0.1:{port}"
    log = export.parent / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [*map(str, command)], cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        for _ in range(600):
            with contextlib.suppress(InputError):
                ServerClient(url).version()
                break
            assert server.poll() is None, log.read_text()[-5000:]
            time.sleep(1)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


class SmallServer:
    """What of vLLM's server is asked for, with a real model under real adapters; one reply at a time.

    Args:
        name: of its model.
        room: tokens of a prompt with its reply.

    Attributes:
        adapters: name -> folder of those that it has now.
        log: (path, body) of every request.
        answer: path -> (status, body) that is answered instead.
        breaks: so many connections are closed without an answer.
        raw: it tells log-probabilities of the plain distribution.
    """

    def __init__(self, model, vocabulary: MotionVocabulary, name: str, room: int = 512) -> None:
        self.name, self.room, self.vocabulary = name, room, vocabulary
        self.adapters, self.log, self.answer, self.breaks, self.raw = {}, [], {}, 0, False
        self._model, self._lock = model, threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.handle(self, None)

            def do_POST(self):
                outer.handle(self, json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.request_queue_size = 256
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "SmallServer":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._http.shutdown()
        self._http.server_close()

    def handle(self, http: BaseHTTPRequestHandler, body) -> None:
        with self._lock:
            self.log.append((http.path, body))
            if self.breaks:
                self.breaks -= 1
                http.close_connection = True
                return
            status, said = self.answer.get(http.path) or self.said(http.path, body)
        data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        http.send_response(status)
        http.send_header("content-length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)

    def said(self, path: str, body) -> tuple[int, object]:
        if path == "/version":
            return 200, {"version": VERSION}
        if path == "/v1/models":
            cards = [{"id": self.name, "root": "/exports/it", "parent": None, "max_model_len": self.room}]
            cards += [{"id": name, "root": folder, "parent": self.name} for name, folder in self.adapters.items()]
            return 200, {"object": "list", "data": cards}
        if path == "/v1/load_lora_adapter":
            return self.load(body["lora_name"], body["lora_path"])
        if path == "/v1/unload_lora_adapter":
            return self.unload(body["lora_name"])
        if path == "/v1/completions" and body["model"] in (self.name, *self.adapters):
            if not Path(self.adapters.get(body["model"], "/")).is_dir():  # vLLM would die of it
                return 500, {"error": {"message": "EngineCore encountered an issue."}}
            return 200, {"choices": [self.choice(body)]}
        return 404, {"error": {"message": f"The model `{body and body.get('model')}` does not exist."}}

    def load(self, name: str, folder: str) -> tuple[int, object]:
        if not (Path(folder) / "adapter_config.json").is_file():
            return 404, {"error": {"message": f"Loading lora {name} failed: No adapter found for {folder}"}}
        if name in self.adapters:
            return 400, {"error": {"message": f"The lora adapter '{name}' has already been loaded."}}
        if isinstance(self._model, PeftModel):
            self._model.load_adapter(folder, name)
        else:
            self._model = PeftModel.from_pretrained(self._model, folder, name)
        self.adapters[name] = folder
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, name: str) -> tuple[int, object]:
        if self.adapters.pop(name, None) is None:
            return 404, {"error": {"message": f"The lora adapter '{name}' cannot be found."}}
        return 200, "Success"

    @torch.no_grad()
    def choice(self, body) -> dict:
        sampling = Sampling(body["temperature"], body["top_p"], body["max_tokens"], seed=0)
        if "allowed_token_ids" in body:
            [id] = body["allowed_token_ids"]
            return {"token_ids": [id], "logprobs": {"token_logprobs": [-2.5 if self.raw else 0.0]}}
        adapted = body["model"] in self.adapters
        if adapted:
            self._model.set_adapter(body["model"])
        off = isinstance(self._model, PeftModel) and not adapted
        with self._model.disable_adapter() if off else contextlib.nullcontext():
            engine = TransformersEngine(self._model, self.vocabulary)
            [drawn] = engine.generate([body["prompt"]], [body["seed"]], sampling)
            ids = torch.tensor([[*body["prompt"], *drawn.ids]])
            logits = self._model(ids).logits[0, len(body["prompt"]) - 1 : -1] / (body["temperature"] or 1.0)
        values = logits.log_softmax(dim=-1)[torch.arange(len(drawn.ids)), torch.tensor(drawn.ids)]
        return {"token_ids": drawn.ids, "logprobs": {"token_logprobs": values.tolist()}}
