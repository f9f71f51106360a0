"""Downloads of archives as a user runs them, against a loopback server and a stand-in for the Drive client."""

import hashlib
import io
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from prepare import download
from prepare.assets.catalogue import BY_NAME
from prepare.assets.fetch import fetch_url
from tests.places import ROOT
from tests.prepare.loopback import FileServer, mounted, running, write_gdown
from utils.errors import InputError
from utils.run.command import run_command

GLOVE, EVALUATOR, AGENT = (BY_NAME[name] for name in ("glove", "evaluator-t2m", "motion-agent"))
WORDS = {f"our_vab_{rest}": f"content of {rest} ".encode() * 500 for rest in ("data.npy", "words.pkl", "idx.pkl")}


def zip_of(files):
    """Bytes of an archive; `files`: name or ZipInfo -> content."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def glove_zip(**more):
    return zip_of({f"glove/{name}": content for name, content in WORDS.items()} | more)


@pytest.fixture
def server(tmp_path, monkeypatch):
    with running(FileServer()) as server:
        monkeypatch.setenv("PATH", str(write_gdown(tmp_path / "bin", server.address)), prepend=os.pathsep)
        yield server


@pytest.fixture
def run_here(capfd, monkeypatch):
    """Run the command in this process -> (status, stdout, stderr), the Drive client's output among them."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["download", *map(str, words)])
        status = 0
        try:
            run_command(download.main)
        except SystemExit as exit:
            status = exit.code
        return status, *capfd.readouterr()

    return run


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_nothing_came(dest):
    """Neither files nor a receipt outside the folder of downloads."""
    assert [name for name in contents(dest) if not name.startswith(".downloads/")] == []


def test_word_vectors_arrive_and_are_not_asked_for_again(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = archive = glove_zip(**{"__MACOSX/._x": b"x", "readme.txt": b"x"})
    dest = tmp_path / "glove"
    status, output, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0, errors
    assert "glove: 3 files" in output and f"next: --word-vectors {dest}" in output
    found = contents(dest)
    receipt = found.pop(".glove.download.json").decode()
    assert found == WORDS
    assert hashlib.sha256(archive).hexdigest() in receipt and GLOVE.drive.url in receipt
    asked = len(server.requests)
    # A kill after the receipt was written; and one before, when all files were in place.
    (dest / ".downloads/glove").mkdir(parents=True)
    for name in ("glove/glove.zip", "glove.lock"):
        (dest / ".downloads" / name).touch()
    status, output, _ = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0 and "glove: complete already" in output
    assert len(server.requests) == asked and not (dest / ".downloads").exists()
    (dest / ".downloads/glove").mkdir(parents=True)
    (dest / ".glove.download.json").rename(dest / "..glove.download.json.new.tmp")
    status, output, _ = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0 and "glove: 3 files" in output
    assert contents(dest) == {**WORDS, ".glove.download.json": receipt.encode()}


def test_the_published_evaluators_land_where_import_looks(tmp_path, server, run_here):
    """Both of the group; one failing does not keep the other from coming, and the next command is said."""
    folder = "t2m/"
    names = ("text_mot_match/model/finest.tar", "Comp_v6_KLD005/opt.txt", "Comp_v6_KLD005/meta/mean.npy")
    files = {folder + name: b"x" for name in (*names, "Comp_v6_KLD005/meta/std.npy")}
    server.files[EVALUATOR.drive.file_id] = zip_of(files)
    status, output, errors = run_here("extractor", "--source", "drive", "--dest", tmp_path)
    assert status == 2
    assert "error: evaluator-kit: Google Drive: gdown ended with status 1" in errors
    assert errors.endswith("error: not downloaded: evaluator-kit\n")
    assert f"prepare.import_evaluator --published {tmp_path}/t2m --word-vectors glove" in output
    assert {f"t2m/{name}" for name in names} <= set(contents(tmp_path))


@pytest.mark.parametrize("below", ["", "t2m/", "checkpoints/t2m/"])
def test_the_archive_of_the_evaluators_authors_is_complete(tmp_path, run_here, below):
    """They keep statistics and sizes in Comp_v6_KLD01, beside the models that generate."""
    names = ("text_mot_match/model/finest.tar", "Comp_v6_KLD01/opt.txt", "Comp_v6_KLD01/meta/mean.npy")
    more = ("Comp_v6_KLD01/meta/std.npy", "Comp_v6_KLD01/model/latest.tar", "length_est_bigru/model/finest.tar")
    archive = tmp_path / "saved.zip"
    archive.write_bytes(zip_of({f"{below}{name}": b"x" for name in (*names, *more)}))
    status, output, errors = run_here("evaluator-t2m", "--archive", archive, "--dest", tmp_path / "to")
    assert status == 0, errors
    assert f"prepare.import_evaluator --published {tmp_path}/to/t2m" in output
    assert {f"t2m/{name}" for name in (*names, *more)} <= set(contents(tmp_path / "to"))


def test_the_published_language_model_and_tokenizer(tmp_path, server, run_here):
    server.files[AGENT.drive.file_id] = zip_of({"ckpt/vqvae.pth": b"v", "ckpt/motionllm.pth": b"m"})
    status, output, errors = run_here("ckpt", "--source", "drive", "--dest", tmp_path)
    assert status == 0, errors
    assert "morl-weights" not in output
    assert (tmp_path / "ckpt/vqvae.pth").read_bytes() == b"v"
    assert f"--motion-tokenizer {tmp_path}/ckpt/vqvae.pth" in output


def test_a_broken_connection_is_continued(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = glove_zip()
    server.cut[GLOVE.drive.file_id] = 9000
    dest = tmp_path / "glove"
    status, _, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 2 and "Run the same command again to go on where it stopped" in errors
    assert_nothing_came(dest)
    status, _, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0, errors
    assert server.requests[-1][2] is not None and int(server.requests[-1][2][6:-1]) > 4000
    assert not (dest / ".downloads").exists()


def test_a_truncated_archive_is_noticed_and_fetched_anew(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = glove_zip()[:9000]
    dest = tmp_path / "glove"
    status, output, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 2 and output == ""
    assert "glove.zip: a truncated or damaged zip archive" in errors
    assert_nothing_came(dest)
    server.files[GLOVE.drive.file_id] = glove_zip()
    status, _, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0, errors


def test_a_flipped_bit_is_noticed(tmp_path, server, run_here):
    archive = bytearray(glove_zip())
    archive[archive.index(b"content of words.pkl") + 40] ^= 1
    server.files[GLOVE.drive.file_id] = bytes(archive)
    status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path / "glove")
    assert status == 2 and "damaged: glove/our_vab_words.pkl does not have its checksum" in errors
    assert_nothing_came(tmp_path / "glove")


def test_a_page_instead_of_an_archive(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = b"<!DOCTYPE html><html>Quota exceeded</html>"
    status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path / "glove")
    assert status == 2 and "a web page, not an archive: the server refused the download" in errors


def test_the_checksum_that_the_user_knows(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = archive = glove_zip()
    flags = ["glove", "--source", "drive", "--dest", tmp_path / "glove", "--sha256"]
    status, _, errors = run_here(*flags, "0" * 64)
    assert status == 2 and f"SHA-256 {hashlib.sha256(archive).hexdigest()}, expected {'0' * 64}" in errors
    assert_nothing_came(tmp_path / "glove")
    del flags[1:3]  # with a checksum of the archive it is the archive that is fetched
    status, _, errors = run_here(*flags, hashlib.sha256(archive).hexdigest().upper())
    assert status == 0, errors


def link():
    info = zipfile.ZipInfo("glove/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../evil.txt", "'../evil.txt' leads out of its folder"),
        ("glove/../../evil.txt", "leads out of its folder"),
        ("/tmp/evil.txt", "'/tmp/evil.txt' is an absolute path"),
        ("C:/evil.txt", "'C:/evil.txt' is an absolute path"),
        ("glove\\..\\evil.txt", "has a backslash"),
        ("GLOVE/our_vab_data.npy", "'GLOVE/our_vab_data.npy' is in it twice"),
        (link(), "'glove/link' is a link or a device"),
        ("glove/" + "x" * 3000, "the name 'glove/xxxxx"),
    ],
)
def test_an_archive_that_would_leave_its_folder_is_refused_whole(tmp_path, server, run_here, name, said):
    server.files[GLOVE.drive.file_id] = zip_of({f"glove/{n}": c for n, c in WORDS.items()} | {name: b"evil"})
    status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path / "a/b/glove")
    assert status == 2 and said in errors and "nothing was unpacked" in errors
    assert_nothing_came(tmp_path / "a/b/glove")
    assert not list(tmp_path.rglob("evil*"))


def test_an_archive_made_to_fill_the_disk_is_refused(tmp_path, run_here):
    path = tmp_path / "glove.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in WORDS.items():
            archive.writestr(f"glove/{name}", content)
        archive.writestr("glove/zeros", bytes(300 << 20))
    status, _, errors = run_here("glove", "--archive", path, "--dest", tmp_path / "glove")
    assert status == 2 and "would unpack to 314" in errors and "nothing was unpacked" in errors
    assert_nothing_came(tmp_path / "glove")


def test_an_archive_of_something_else(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = zip_of({"cats/one.jpg": b"x", "cats/two.jpg": b"y"})
    status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path / "glove")
    assert status == 2 and "does not hold what is needed; it holds cats/one.jpg, cats/two.jpg" in errors


def test_a_partial_target_is_completed_and_other_files_stay(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = glove_zip()
    dest = tmp_path / "glove"
    dest.mkdir()
    (dest / "notes.txt").write_text("mine")
    (dest / "our_vab_data.npy").write_bytes(WORDS["our_vab_data.npy"])
    before = (dest / "our_vab_data.npy").stat().st_ino
    status, _, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0, errors
    assert {name: (dest / name).read_bytes() for name in WORDS} == WORDS
    assert (dest / "notes.txt").read_text() == "mine"
    assert (dest / "our_vab_data.npy").stat().st_ino == before
    (dest / "our_vab_idx.pkl").unlink()  # what a finished download lost comes back
    status, output, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0 and "complete already" not in output, errors
    assert (dest / "our_vab_idx.pkl").read_bytes() == WORDS["our_vab_idx.pkl"]


def test_other_content_is_never_replaced(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = glove_zip()
    dest = tmp_path / "glove"
    dest.mkdir()
    (dest / "our_vab_data.npy").write_bytes(b"half of")
    status, _, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 2
    assert f"{dest} holds other files of these names (our_vab_data.npy has 7 bytes, not 10000)" in errors
    assert (dest / "our_vab_data.npy").read_bytes() == b"half of"
    assert not (dest / "our_vab_idx.pkl").exists()
    (dest / "our_vab_data.npy").rename(dest / "old.npy")
    asked = len([request for request in server.requests if request[0] == "GET"])
    status, _, errors = run_here("glove", "--source", "drive", "--dest", dest)
    assert status == 0, errors
    assert len(server.requests) == asked  # the archive was kept


def test_what_came_in_another_way_is_complete(tmp_path, server, run_here):
    for name, content in WORDS.items():
        (tmp_path / name).write_bytes(content)
    status, output, _ = run_here("glove", "--source", "drive", "--dest", tmp_path)
    assert status == 0 and "complete already" in output and server.requests == []


@pytest.fixture
def small_disk(tmp_path):
    """256 kB."""
    with mounted(tmp_path / "disk", "256k") as folder:
        yield folder


@pytest.mark.parametrize("stored", [300_000, 200_000])
def test_a_full_disk(small_disk, server, run_here, stored):
    """While downloading, then while unpacking what just fitted: said plainly, nothing half there, kept for later."""
    server.files[GLOVE.drive.file_id] = glove_zip(**{"glove/more": os.urandom(stored)})
    status, _, errors = run_here("glove", "--source", "drive", "--dest", small_disk / "glove")
    assert status == 2 and "the disk is full" in errors and "Traceback" not in errors
    assert_nothing_came(small_disk / "glove")
    assert list((small_disk / "glove/.downloads/glove").iterdir()) != []


def test_a_disk_that_gets_full_while_unpacking(small_disk, server, run_here, monkeypatch):
    """The room was looked at before, but somebody else took it."""
    server.files[GLOVE.drive.file_id] = glove_zip(**{"glove/more": os.urandom(200_000)})
    monkeypatch.setattr("prepare.assets.archives._check_room", lambda needed, folder: folder.mkdir(parents=True))
    status, _, errors = run_here("glove", "--source", "drive", "--dest", small_disk / "glove")
    assert status == 2 and f"the disk of {small_disk}/glove is full" in errors
    assert (small_disk / "glove/.downloads/glove/glove.zip").exists()
    assert_nothing_came(small_disk / "glove")


def test_two_at_once(tmp_path, server, run_here):
    server.files[GLOVE.drive.file_id] = glove_zip()
    (tmp_path / ".downloads").mkdir()
    with FileLock(tmp_path / ".downloads/glove.lock"):
        status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path)
    assert status == 2 and f"another download works in {tmp_path}/.downloads/glove" in errors
    assert server.requests == []


def test_no_client(tmp_path, run_here, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path / "glove")
    assert status == 2 and "Google Drive needs the program gdown: pip install gdown" in errors


def test_no_network(tmp_path, server, run_here):
    server.close()
    status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path / "glove")
    assert status == 2 and "Error:" in errors  # the client's own
    assert "gdown ended with status 1 (its message is above)" in errors and "set HTTPS_PROXY" in errors
    assert GLOVE.drive.url in errors and "--archive FILE" in errors


def test_the_real_client_goes_through_the_proxy(tmp_path, run_here, monkeypatch):
    """gdown itself, as far as a proxy that lets nothing through: our flags are its flags, the file id arrives."""
    pytest.importorskip("gdown")
    with running(FileServer()) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.address)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        status, _, errors = run_here("glove", "--source", "drive", "--dest", tmp_path / "glove")
    assert status == 2 and "gdown ended with status 1" in errors and "proxy" in errors.lower()
    assert ("CONNECT", "drive.google.com:443", None) in proxy.requests
    assert_nothing_came(tmp_path / "glove")


@pytest.mark.parametrize("local", [True, False])
def test_an_archive_from_elsewhere(tmp_path, run_here, local):
    archive = tmp_path / "saved.zip"
    archive.write_bytes(glove_zip())
    with running(FileServer()) as server:
        server.files["mirror/glove.zip"] = glove_zip()
        server.cut["mirror/glove.zip"] = 9000
        place = archive if local else f"{server.address}/mirror/glove.zip"
        status, _, errors = run_here("glove", "--archive", place, "--dest", tmp_path / "glove")
        if not local:
            assert status == 2 and "go on where it stopped" in errors
            status, _, errors = run_here("glove", "--archive", place, "--dest", tmp_path / "glove")
            assert server.requests[-1][2] == "bytes=9000-"
    assert status == 0, errors
    assert archive.is_file()
    assert (tmp_path / "glove/our_vab_data.npy").read_bytes() == WORDS["our_vab_data.npy"]


def test_a_bad_archive_of_the_user_is_not_deleted(tmp_path, run_here):
    archive = tmp_path / "saved.zip"
    archive.write_bytes(glove_zip()[:5000])
    status, _, errors = run_here("glove", "--archive", archive, "--dest", tmp_path / "glove")
    assert status == 2 and "truncated" in errors
    assert archive.is_file()


def test_a_server_without_ranges_and_a_refusing_one(tmp_path):
    with running(FileServer()) as server:
        server.files["x"] = b"0123456789"
        path = tmp_path / "x"
        path.with_name("x.part").write_bytes(b"abcdefghijklmnop")  # of another file: longer than the whole
        with pytest.raises(InputError, match="did not fit: run the command again"):
            fetch_url(f"{server.address}/x", path)
        assert fetch_url(f"{server.address}/x", path).read_bytes() == b"0123456789"
        with pytest.raises(InputError, match="the server answers 404"):
            fetch_url(f"{server.address}/y", tmp_path / "y")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name what to download"),
        (("cats",), "'cats' is nothing that can be downloaded; there are extractor"),
        (("extractor", "--archive", "x.zip"), "name one of evaluator-t2m, evaluator-kit"),
        (("glove", "--archive", "x.zip"), "--archive x.zip: no such file"),
        (("glove", "--sha256", "12"), "--sha256 must be 64 hex digits"),
        (("glove", "--sha256", "0" * 64, "--source", "hub"), "--sha256 is about an archive"),
        (("glove", "--archive", "x", "--source", "hub"), "--archive replaces the source"),
        (("evaluator-kit", "--source", "hub"), "evaluator-kit: there is no --source hub of it"),
        (("cot-data", "--source", "drive"), "cot-data: there is no --source drive of it"),
        (("glove", "--dest", "/dev/null/x", "--source", "drive"), "glove: /dev/null/x"),
    ],
)
def test_mistakes_are_one_line(run_here, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, output, errors = run_here(*words)
    assert status == 2 and output == "" and said in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("script", "asset", "files"),
    [
        ("download_glove.sh", GLOVE, {f"glove/{name}": content for name, content in WORDS.items()}),
        ("download_ckpt.sh", AGENT, {"ckpt/vqvae.pth": b"v", "ckpt/motionllm.pth": b"m"}),
    ],
)
def test_the_scripts(tmp_path, server, script, asset, files):
    """From any folder, with what is active; arguments are handed on, and so is the exit status."""
    env = os.environ | {"VIRTUAL_ENV": sys.prefix, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env["PATH"] = f"{tmp_path / 'bin'}:{env['PATH']}"
    command = ["bash", ROOT / "prepare" / script, "--source", "drive", "--dest", tmp_path / "to"]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ended.returncode == 2 and "gdown ended with status 1" in ended.stderr
    server.files[asset.drive.file_id] = zip_of(files)
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert asset.is_complete(asset.target(tmp_path / "to"))


@pytest.mark.parametrize("name", ["extractor", "glove", "ckpt", "data"])
def test_every_script_names_what_it_is_called_after(name):
    text = (ROOT / f"prepare/download_{name}.sh").read_text()
    assert "set -euo pipefail" in text and f'download.sh" {name} "$@"' in text
    assert os.access(ROOT / f"prepare/download_{name}.sh", os.X_OK)


def test_a_python_without_the_packages_is_told(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    env = os.environ | {"VIRTUAL_ENV": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(["bash", ROOT / "prepare/download_glove.sh"], env=env, capture_output=True, text=True)
    assert ended.returncode == 2 and "lacks the packages of requirements.txt" in ended.stderr
