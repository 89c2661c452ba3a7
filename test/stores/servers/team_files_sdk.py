"""Supervisely's own SDK, told what to do: calls as lines of JSON on the input, answers as lines on the output."""

import asyncio
import json
import os
import sys

# What the SDK itself has to say is not for whoever reads the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import supervisely as sly  # noqa: E402

api = sly.Api(os.environ["SERVER_ADDRESS"], os.environ["API_TOKEN"])
team = int(os.environ["TEAM_ID"])
files = api.file


def facts(infos: list) -> list[dict]:
    return [{"path": info.path, "hash": info.hash, "size": info.sizeb} for info in infos]


def wait(work: object) -> object:
    return asyncio.run(work)


calls = {
    "list": lambda path: facts(files.list(team, path, return_type="fileinfo")),
    "pages": lambda path: facts(api.storage.list(team, path, include_folders=False, return_type="fileinfo")),
    "info": lambda path: facts([info] if (info := files.get_info_by_path(team, path)) else []),
    "exists": lambda path: files.dir_exists(team, path),
    "upload": lambda local, path: files.upload_directory(team, local, path),
    "upload_async": lambda local, path, skip: wait(
        files.upload_directory_async(
            team,
            local,
            path,
            change_name_if_conflict=False,
            replace_if_conflict=True,
            enable_fallback=False,
            skip_existing_by_hash=skip,
        )
    ),
    "download": lambda path, local: files.download(team, path, local),
    "download_async": lambda path, local: wait(files.download_async(team, path, local)),
    "download_range": lambda path, local, start, end: wait(
        files._download_async(team, path, local, range_start=start, range_end=end)
    ),
    "download_folder": lambda path, local: files.download_directory(team, path, local),
    "remove": lambda path: files.remove(team, path),
    "remove_many": lambda paths: files.remove_batch(team, paths),
}

for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        answer = {"answer": calls[name](*arguments)}
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), file=answers, flush=True)
