"""Supervisely's own SDK, told what to do: calls as lines of JSON on the input, answers as lines on the output."""

import asyncio
import hashlib
import json
import os
import sys
import tempfile

# What the SDK itself has to say is not for whoever reads the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import supervisely as sly  # noqa: E402

api = sly.Api(os.environ["SERVER_ADDRESS"], os.environ["API_TOKEN"])
team = int(os.environ["TEAM_ID"])
files = api.file


def facts(infos: list) -> list[dict]:
    return [{"path": info.path, "hash": info.hash, "size": info.sizeb} for info in infos]


def project_in(folder: str) -> dict:
    project = sly.Project(folder, sly.OpenMode.READ)
    annotations = {}
    for dataset in project.datasets:
        for name in dataset:
            path = dataset.get_ann_path(name)
            annotations[os.path.relpath(path, folder)] = sly.Annotation.load_json_file(path, project.meta).to_json()
    return {"meta": project.meta.to_json(), "annotations": annotations}


def wait(work: object) -> object:
    return asyncio.run(work)


def experiments(server: str, framework: str) -> list[dict]:
    from supervisely.nn.experiments import get_experiment_info_by_artifacts_dir, get_experiment_infos

    there = sly.Api(server, os.environ["API_TOKEN"])
    found = get_experiment_infos(there, team, framework)
    told = []
    for info in found:
        # As the apps that serve a model, or train on, open what they need.
        again = get_experiment_info_by_artifacts_dir(there, team, info.artifacts_dir)
        assert again is not None
        assert again.to_json() == info.to_json()
        read = {}
        for name in [*info.checkpoints, info.model_meta, info.app_state, info.hyperparameters]:
            with tempfile.TemporaryDirectory() as folder:
                local = os.path.join(folder, "file")
                there.file.download(team, os.path.join(info.artifacts_dir, name), local)
                with open(local, "rb") as file:
                    content = file.read()
                read[name] = hashlib.sha256(content).hexdigest()
                if name == info.model_meta:
                    meta = sly.ProjectMeta.from_json(json.loads(content))
                if name == info.app_state:
                    state = json.loads(content)
        classes = {one.name: one.geometry_type.geometry_name() for one in meta.obj_classes}
        told.append({"info": info.to_json(), "read": read, "classes": classes, "state": state})
    return told


calls = {
    "experiments": lambda server, framework: experiments(server, framework),
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
    "download_project": lambda server, project, local: sly.download_project(
        sly.Api(server, os.environ["API_TOKEN"]), project, local, log_progress=False, skip_create_readme=True
    ),
    "project": lambda local: project_in(local),
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
