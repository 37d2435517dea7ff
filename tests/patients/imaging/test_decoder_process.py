"""U5: restrictions of the decoder process."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pillow_heif
import pytest
from pikepdf import Encryption
from PIL import Image

from patients.imaging.decode import _ROOT, COMMAND, Limits
from tests.darwin import install_imitation

from .media import camera_clip, pdf, recording, video
from .pictures import saved, scene

ATTEMPTS = {
    "write a file": "open({path!r}, 'wb').write(b'plaintext')",
    "create a file": "open({path!r}, 'wb').close()",
    "read a file": "open('/etc/hostname').read()",
    "list a folder": "import os; os.listdir('/')",
    "open a socket": "import socket; socket.socket()",
    "start a process": "import subprocess; subprocess.run(['true'])",
    "make a pipe": "import os; os.pipe()",
}


def run(program: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-P", "-s", "-B", "-c", program],
        env={"PYTHONPATH": str(_ROOT)},
        cwd="/",
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("decoder", ["render", "pdf", "media"])
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_no_file_socket_or_process_can_be_opened_while_decoding(
    attempt: str, decoder: str, tmp_path: Path
) -> None:
    path = tmp_path / "leak"
    code = attempt.format(path=str(path))
    prepare = (
        f"import io, socket, subprocess, resource\nfrom patients.imaging import decoder_process, {decoder}\n"
    )
    free = run(f"{prepare}try:\n    exec({code!r})\nexcept OSError: print('refused')\nelse: print('done')")
    assert free.stdout == b"done\n"
    path.unlink(missing_ok=True)
    confined = run(
        f"{prepare}decoder_process.confine(2**31, 60)\ndecoder_process.forbid_opening_files()\n"
        f"try:\n    exec({code!r})\nexcept OSError: print('refused')\nelse: print('done')"
    )
    assert confined.stdout == b"refused\n"
    assert not path.exists()


def test_nothing_can_be_written_while_the_decoders_are_imported(tmp_path: Path) -> None:
    """Files can be opened then, but nothing can be written to them."""
    path = tmp_path / "leak"
    done = run(
        "from patients.imaging import decoder_process\ndecoder_process.confine(2**31, 60)\n"
        f"file = open({str(path)!r}, 'wb', buffering=0)\n"
        "try: file.write(b'plaintext')\nexcept OSError: print('refused')"
    )
    assert done.stdout == b"refused\n"
    assert path.read_bytes() == b""


def test_core_dumps_and_tracing_are_disabled() -> None:
    done = run(
        "import ctypes, resource\nfrom patients.imaging import decoder_process\n"
        "decoder_process.confine(2**31, 60)\n"
        "PR_GET_DUMPABLE = 3\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(PR_GET_DUMPABLE))"
    )
    assert done.stdout == b"(0, 0) 0\n"


def run_decoder(
    *command: str, env: dict[str, str], picture: bytes, kind: str = "jpeg"
) -> subprocess.CompletedProcess[bytes]:
    settings = json.dumps(asdict(Limits()) | {"kind": kind})
    return subprocess.run(  # noqa: S603 - our own interpreter and arguments
        [*command, settings],
        input=picture,
        env=env,
        cwd="/",
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("kind", "make"),
    [("jpeg", lambda: saved(scene())), ("pdf", pdf), ("mp3", recording), ("mp4", video)],
    ids=["jpeg", "pdf", "mp3", "mp4"],
)
def test_the_decoder_leaves_no_temporary_files(kind: str, make: Callable[[], bytes], tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(_ROOT), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = run_decoder(*COMMAND, env=env, picture=make(), kind=kind)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"LACUNA\x01\n")
    assert b'"refused"' not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_without_one_limit_the_others_still_apply(tmp_path: Path) -> None:
    """As on macOS, which cannot limit memory and has no prctl."""
    paths = os.pathsep.join([install_imitation(tmp_path), str(_ROOT)])
    done = run_decoder(*COMMAND, env={"PYTHONPATH": paths}, picture=saved(scene()))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b'"refused"' not in done.stdout
    limits = "[resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)]"
    program = (
        "import resource\nfrom patients.imaging import decoder_process\n"
        f"decoder_process.confine(1, 60)\nprint({limits})"
    )
    confined = subprocess.run(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-c", program], env={"PYTHONPATH": paths}, capture_output=True, check=True
    )
    assert confined.stdout == b"[0, 0]\n"


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "TIFF", "BMP", "PPM", "PDF"])
def test_only_the_decoder_of_the_expected_type_is_used(file_format: str) -> None:
    done = run_decoder(*COMMAND, env={"PYTHONPATH": str(_ROOT)}, picture=saved(scene(), file_format))
    assert b'"refused": "' in done.stdout
    assert b"\xff\xd8" not in done.stdout


@pytest.mark.parametrize("kind", ["ogg", "wav", "mp4", "webm", "mp3"])
def test_a_playlist_is_refused_under_every_media_type(kind: str) -> None:
    """FFmpeg's playlist demuxers would open the files that a playlist names. They are not enabled."""
    playlist = b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n" + b"\n" * 3000
    done = run_decoder(*COMMAND, env={"PYTHONPATH": str(_ROOT)}, picture=playlist, kind=kind)
    assert b'"refused": "' in done.stdout
    assert b"\xff\xd8" not in done.stdout


def heic() -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(scene()).save(buffer, quality=90)
    return buffer.getvalue()


def animated() -> bytes:
    """A GIF whose frames have different palettes, which Pillow imports a module for."""
    frames = [scene().quantize(colors) for colors in (4, 16, 64)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2)


WITH_EXIF = Image.Exif()
WITH_EXIF[0x0112] = 6
WITH_EXIF.get_ifd(0x8769)[0x9003] = "2003:02:14 20:15:00"
EVERY_KIND: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(scene(), exif=WITH_EXIF),
    "jpeg of several": lambda: saved(scene(), "MPO", save_all=True, append_images=[scene()]),
    "png": lambda: saved(scene().quantize(8), "PNG", exif=WITH_EXIF, transparency=1),
    "webp": lambda: saved(scene(), "WEBP", exif=WITH_EXIF),
    "gif": animated,
    "heic": heic,
    "avif": lambda: saved(scene(), "AVIF", exif=WITH_EXIF),
    "tiff": lambda: saved(scene(), "TIFF", compression="tiff_lzw", exif=WITH_EXIF),
    "pdf": pdf,
    "mp3": recording,
    "ogg": lambda: recording("ogg", "libopus", rate=48000),
    "wav": lambda: recording("wav", "pcm_s16le"),
    "mp4": video,
    "mp4 of a camera of 2003": lambda: camera_clip("pcm_u8"),
    "wav of a dictaphone": lambda: recording("wav", "adpcm_ms"),
    "tiff of two pages": lambda: saved(scene(), "TIFF", save_all=True, append_images=[scene()]),
    "pdf that forbids printing": lambda: pdf(1, encryption=Encryption(owner="tangerine", user="")),
    "webm": lambda: video("webm", "libvpx"),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_all_modules_are_imported_before_decoding(kind: str, tmp_path: Path) -> None:
    """A library could not import anything later, because files can no longer be opened."""
    file = tmp_path / "file"
    file.write_bytes(EVERY_KIND[kind]())
    settings = asdict(Limits())
    done = run(
        "import sys\nfrom patients.imaging import decoder_process, rendition\n"
        "from patients.imaging.kinds import Kind\n"
        f"kind = Kind({kind.split()[0]!r})\ndata = open({str(file)!r}, 'rb').read()\n"
        "render = decoder_process.load_renderer(kind)\nbefore = set(sys.modules)\n"
        f"facts, screen, thumb, *copy = render(data, kind, {settings!r})\n"
        "print(sorted(set(sys.modules) - before), len(screen) > 0, len(thumb) > 0)"
    )
    assert (done.stdout, done.stderr) == (b"[] True True\n", b"")


def test_the_decoder_does_not_import_django() -> None:
    program = (
        "import sys\nfrom patients.imaging import decoder_process, media, pdf, render\n"
        "print(any(name.split('.')[0] == 'django' for name in sys.modules))"
    )
    assert run(program).stdout == b"False\n"
