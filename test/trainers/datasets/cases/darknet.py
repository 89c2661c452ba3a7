"""Darknet's YOLO as CVAT exports it (YOLO 1.1), and lists of images with paths of another machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cases import Case
from cases.yolo import LINE, image, kinds, refused, trained, valid, write


def _export(
    prefix: str, *, inner: str = "", config: str = "", missing: str = "", **more: str
) -> Callable[[Path], None]:
    """An export: `prefix` is before its paths, `inner` a folder of its images, `missing` ends what is not there."""

    def make(folder: Path) -> None:
        write(folder / "obj.names", more.get("names", "thing\nother\n"))
        default = f"classes = 2\ntrain = {prefix}train.txt\nvalid = {prefix}valid.txt\nnames = {prefix}obj.names\n"
        write(folder / "obj.data", config or f"{default}backup = backup/\n")
        for part, count in (("train", 4), ("valid", 2)):
            names = [f"obj_{part}_data/{inner}{part}{index}.jpg" for index in range(count)]
            write(folder / f"{part}.txt", "".join(f"{prefix}{name}\n" for name in names))
            for name in names:
                image(folder / name)
                write((folder / name).with_suffix(".txt"), LINE)
        for path in list(folder.rglob("*")) if missing else []:
            if path.name.endswith(missing):
                path.unlink()

    return make


def _is_read(folder: Path) -> None:
    data_set, chosen, counts = trained(folder)
    assert (data_set.kind, data_set.classes, counts, kinds(folder)) == ("yolo", ["thing", "other"], [4, 2], {})
    assert [one.class_name for image in data_set.images for one in image.objects] == ["thing"] * 6
    assert all("obj_valid_data" in one.path.parts for one in chosen.parts["val"])


def _another_machine(folder: Path) -> None:
    for part in ("train", "val"):
        for index in range(2):
            image(folder / f"images/{part}/{part}{index}.jpg")
            write(folder / f"labels/{part}/{part}{index}.txt", LINE)
        lines = [f"/home/somebody/project/images/{part}/{part}{index}.jpg\n" for index in range(2)]
        write(folder / f"{part}.txt", "".join(lines))
    write(folder / "data.yaml", "train: train.txt\nval: val.txt\nnames: [thing]\n")


CASES = [
    *(
        Case(f"yolo: an export of CVAT, YOLO 1.1, with paths in {prefix or 'the folder'}", _export(prefix), _is_read)
        for prefix in ("", "data/", "build/darknet/x64/data/")
    ),
    Case("yolo: an export of CVAT with images in a folder called images", _export("data/", inner="images/"), _is_read),
    Case(
        "yolo: an export of CVAT without its images",
        _export("data/", missing=".jpg"),
        refused(r"train of .*obj\.data is train\.txt, which names 4 images, and none of them is there .*Save images"),
    ),
    Case(
        "yolo: an export of CVAT without an image",
        _export("data/", missing="train1.jpg"),
        refused(r"missing image: .*train1\.jpg"),
    ),
    Case(
        "yolo: an export of CVAT without its names",
        _export("data/", missing="obj.names"),
        refused(r"names of .*obj\.data is data/obj\.names, and there is no such file"),
    ),
    Case(
        "yolo: an export of CVAT, another number of classes",
        _export("", names="thing\n"),
        valid(class_count=1),
    ),
    Case(
        "yolo: obj.data without a training split",
        _export("", config="names = obj.names\nvalid = valid.txt\n"),
        refused(r"obj\.data has no train ="),
    ),
    Case(
        "yolo: obj.data that is none",
        _export("", config="names = obj.names\ntrain train.txt\n"),
        refused(r"obj\.data:2 is 'train train\.txt': each line must be a key"),
    ),
    Case("yolo: lists with paths of another machine", _another_machine, valid((2, 2), relocated_path=4)),
]
