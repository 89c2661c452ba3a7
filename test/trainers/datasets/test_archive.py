"""A data set in an archive is read like its folder, and nothing is ever unpacked beside."""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import shutil
import tarfile
import time
from pathlib import Path

import pytest
import supervisely as sly
from conftest import Make
from epochal.datasets import archive, reading
from epochal.datasets.checking import checked
from epochal.datasets.parameters import SplitParameters
from epochal.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _left(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "unpacked").iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("inner", ["", "my project"])
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_project(shapes: Make, tmp_path: Path, cache: Path, suffix: str, inner: str) -> None:
    """As Supervisely's package packs it, and as the web application does, in a folder of its own."""
    folder = shutil.copytree(shapes("supervisely"), tmp_path / "copy" / inner)  # images instead of links to them
    file = tmp_path / f"project{suffix}"
    sly.fs.archive_directory(str(tmp_path / "copy"), str(file))
    if suffix.endswith("gz"):
        file.write_bytes(gzip.compress(file.read_bytes()))
    whole, (data_set, split) = reading.read(folder), checked(str(file), "segment", SplitParameters())
    assert [one.name for one in data_set.images] == [one.name for one in whole.images]
    assert {one.kind for one in data_set.findings} == {"unpacked archive"}
    assert split.by == "folder"
    (unpacked,) = _left(cache)
    meta = next((cache / "unpacked" / unpacked).rglob("meta.json"))
    before = meta.stat().st_ino
    reading.read(file)
    assert meta.stat().st_ino == before  # not unpacked again


def _archive(file: Path, **members: bytes | str) -> Path:
    """An archive of these files, or of links where the content is text."""
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return file


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"a": b"", "../evil": b"x"}, r"'\.\./evil' in the archive .* leads out of its folder"),
        ({"a/../../evil": b"x"}, "leads out of its folder"),
        ({"/evil": b"x"}, "leads out of its folder"),
        ({"link": "/etc", "link/evil": b"x"}, "'link' in the archive .* is not a file but a link"),
        ({"a": b"", "a/b": b"x"}, "cannot be unpacked"),
        ({"a" * 300: b"x"}, "cannot be unpacked: .*File name too long"),
        ({"a.txt": b"x"}, "not a data set in a known format"),
    ],
    ids=["up", "inner up", "absolute", "link", "file as folder", "long", "no data set"],
)
def test_nothing_is_unpacked_beside(
    tmp_path: Path, cache: Path, members: dict[str, bytes | str], sentence: str
) -> None:
    file = _archive(tmp_path / "data.tar", **members)
    before = {path for path in tmp_path.rglob("*") if cache not in path.parents and path != cache}
    with pytest.raises(DataError, match=sentence):
        reading.read(file)
    assert {path for path in tmp_path.rglob("*") if cache not in path.parents and path != cache} == before
    assert not any(path.name in ("evil", "b") for path in tmp_path.rglob("*"))
    assert not any(name.endswith(".part") for name in _left(cache))


def test_an_archive_that_is_cut_off(tmp_path: Path, cache: Path) -> None:
    file = _archive(tmp_path / "data.tar", **{f"{index}.txt": b"x" * 700 for index in range(3)})
    content = file.read_bytes()
    for length in (0, 100, 512, 900, 1536, 1700, 3 * 1536):
        file.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut off|cannot be unpacked"):
            reading.read(file)
        assert _left(cache) == []


def _unpacked_before(tmp_path: Path, **days: float) -> list[str]:
    """Folders of archives with 1,000 bytes that ended processes asked for, the last time so many days ago."""
    folders = [archive.unpacked(_archive(tmp_path / f"{name}.tar", **{"a": b"x" * 1000})) for name in days]
    for folder, ago in zip(folders, days.values(), strict=True):
        archive._held.pop(folder).close()
        asked = time.time() - ago * 24 * 3600
        os.utime(folder.with_suffix(".lock"), (asked, asked))
    return [folder.name for folder in folders]


def test_what_nobody_asked_for_in_a_month_is_removed(tmp_path: Path, cache: Path) -> None:
    old, recent = _unpacked_before(tmp_path, old=40, recent=20)
    (cache / "unpacked" / f"{old}.part").mkdir()  # of a process that was killed
    again = archive.unpacked(tmp_path / "recent.tar")
    assert _left(cache) == sorted([old, f"{old}.part", recent])  # nothing is unpacked, and nothing looked for
    new = archive.unpacked(_archive(tmp_path / "new.tar", **{"a": b"x"}))
    assert _left(cache) == sorted([again.name, new.name])


def test_where_there_is_too_much_the_longest_unused_goes_first(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, _, newer = _unpacked_before(tmp_path, used=9, older=8, newer=7)
    archive.unpacked(tmp_path / "used.tar")
    os.utime(cache / "unpacked" / f"{used}.lock", (0, 0))  # a training for more than a month
    file = _archive(tmp_path / "new.tar", **{"a": b"x" * 1000})
    monkeypatch.setattr(archive, "_MOST_BYTES", 2000 + file.stat().st_size)
    new = archive.unpacked(file)
    assert _left(cache) == sorted([used, newer, new.name])


def test_an_archive_that_cannot_be_unpacked_holds_nobody_up(tmp_path: Path, cache: Path) -> None:
    file = _archive(tmp_path / "data.tar", **{"a/../../evil": b"x"})
    with pytest.raises(DataError):
        archive.unpacked(file)
    (lock,) = (cache / "unpacked").glob("*.lock")
    with open(lock) as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("data.zip", "unpack it, and give the folder"),
        ("data.tar.001", r"put its parts together \(cat data\.tar\.\* > data\.tar\)"),
        ("data.txt", "is a file: a data set is a folder, or an archive"),
    ],
)
def test_other_files(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(DataError, match=sentence):
        reading.read(tmp_path / name)
