"""A data set in an archive is read like its folder, and nothing is ever unpacked beside."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from pathlib import Path

import pytest
import supervisely as sly
from conftest import Make
from epochal.datasets import reading
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
    archive = tmp_path / f"project{suffix}"
    sly.fs.archive_directory(str(tmp_path / "copy"), str(archive))
    if suffix.endswith("gz"):
        archive.write_bytes(gzip.compress(archive.read_bytes()))
    whole, (data_set, split) = reading.read(folder), checked(str(archive), "segment", SplitParameters())
    assert [one.name for one in data_set.pictures] == [one.name for one in whole.pictures]
    assert {one.kind for one in data_set.findings} == {"unpacked archive"}
    assert split.by == "folder"
    (unpacked,) = _left(cache)
    meta = next((cache / "unpacked" / unpacked).rglob("meta.json"))
    before = meta.stat().st_ino
    reading.read(archive)
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
        ({"a.txt": b"x"}, "no data set that is known"),
    ],
    ids=["up", "inner up", "absolute", "link", "file as folder", "long", "no data set"],
)
def test_nothing_is_unpacked_beside(
    tmp_path: Path, cache: Path, members: dict[str, bytes | str], sentence: str
) -> None:
    archive = _archive(tmp_path / "data.tar", **members)
    before = {path for path in tmp_path.rglob("*") if cache not in path.parents and path != cache}
    with pytest.raises(DataError, match=sentence):
        reading.read(archive)
    assert {path for path in tmp_path.rglob("*") if cache not in path.parents and path != cache} == before
    assert not any(path.name in ("evil", "b") for path in tmp_path.rglob("*"))
    assert not any(name.endswith(".part") for name in _left(cache))


def test_an_archive_that_is_cut_off(tmp_path: Path, cache: Path) -> None:
    archive = _archive(tmp_path / "data.tar", **{f"{index}.txt": b"x" * 700 for index in range(3)})
    content = archive.read_bytes()
    for length in (0, 100, 512, 900, 1536, 1700, 3 * 1536):
        archive.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut off|cannot be unpacked"):
            reading.read(archive)
        assert _left(cache) == []


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
