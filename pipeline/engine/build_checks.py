"""Checks of a build file that concern several sections, or the files that it names."""

from pathlib import Path

from pipeline.config.base import IS_FILE, IS_FOLDER
from pipeline.config.build import Build, ocr_of, sampling_of, source_name
from pipeline.config.sources import KINDS, WorldStreet
from pipeline.errors import Problem


def impossible(build: Build) -> list[Problem]:
    """Errors that concern several sections, and missing files."""
    return [*_unsourced_regions(build), *_missing_files(build), *_misused_engines(build), *_unfillable_splits(build)]


def _unsourced_regions(build: Build) -> list[Problem]:
    problems: list[Problem] = []
    for i, region in enumerate(build.regions):
        for kind in KINDS:
            defined = getattr(build.sources, kind)
            named = getattr(region, kind)
            if named is not None and named not in defined:
                problems.append(
                    Problem(
                        f"regions.{i}.{kind}",
                        repr(named),
                        f"one of sources.{kind}: {', '.join(defined) or 'none defined'}",
                    )
                )
            if named is None and len(defined) > 1:
                problems.append(
                    Problem(f"regions.{i}.{kind}", "nothing, and several are defined", f"one of {', '.join(defined)}")
                )
        problems += [
            Problem("imagery.require", view, f"views that each region has a source of: {region.name} has none")
            for view in build.imagery.require
            if source_name(build, region, view) is None
        ]
        if not build.sources.street:
            problems.append(
                Problem(f"regions.{i}.street", "a region without a street source", "define one under sources.street")
            )
        if not build.sources.aerial and not build.sources.map:
            problems.append(
                Problem(f"regions.{i}", "a region without a reference", "an aerial or a map source under sources")
            )
    return problems


def _missing_files(build: Build) -> list[Problem]:
    """Paths that do not exist, or are a file instead of a folder, or the reverse."""
    problems: list[Problem] = []
    if build.publish.takedown is not None:
        problems += _present("publish.takedown", build.publish.takedown, folder=False)
    for kind in KINDS:
        for name, section in getattr(build.sources, kind).items():
            for key, value in section:
                kinds = type(section).model_fields[key].metadata
                folder = True if IS_FOLDER in kinds else False if IS_FILE in kinds else None
                where = f"sources.{kind}.{name}.{key}"
                if isinstance(value, Path):
                    problems += _present(where, value, folder=folder)
                elif isinstance(value, list):
                    for i, path in enumerate(value):
                        problems += _present(f"{where}.{i}", path, folder=folder) if isinstance(path, Path) else []
    return problems


def _misused_engines(build: Build) -> list[Problem]:
    problems: list[Problem] = []
    real = [name for name, street in build.sources.street.items() if not isinstance(street, WorldStreet)]
    segmenters = [segmenter.engine for segmenter in build.perception.segmenters]
    readers = [build.perception.ocr.engine, *(ocr_of(build, region).engine for region in build.regions)]
    for key, engines in (("ocr.engine", readers), ("segmenters", segmenters)):
        if "oracle" in engines and real:
            problems.append(
                Problem(
                    f"perception.{key}",
                    f"oracle with the real photos of {', '.join(real)}",
                    "oracle engines know only the synthetic world (sources of type world)",
                )
            )
    if "oracle" in segmenters and len(segmenters) > 1:
        problems.append(
            Problem("perception.segmenters", "oracle beside others", "the oracle alone: it knows the truth")
        )
    if build.imagery.anonymiser == "none" and real:
        problems.append(Problem("imagery.anonymiser", f"none with the real photos of {', '.join(real)}", "centerface"))
    if build.workspace == build.dataset:
        problems.append(Problem("dataset", "the same place as workspace", "a place of its own"))
    elif build.workspace.startswith(f"{build.dataset.rstrip('/')}/"):  # publishing would refuse it when all is done
        problems.append(Problem("workspace", "a place within the dataset", "a place of its own"))
    elif build.dataset.startswith(f"{build.workspace.rstrip('/')}/"):
        problems.append(Problem("dataset", "a place within the workspace", "a place of its own"))
    return problems


def _unfillable_splits(build: Build) -> list[Problem]:
    """Split settings that no sites whatever could satisfy; the others are judged when the sites are known."""
    publish, names = build.publish, [region.name for region in build.regions]
    problems: list[Problem] = []
    unknown = sorted(set(publish.unseen_regions) - set(names))
    if unknown:
        problems.append(Problem("publish.unseen_regions", ", ".join(unknown), f"one of {', '.join(names)}"))
    if publish.unseen_regions and not publish.splits.test_unseen:
        allowed = "a share above 0, since unseen_regions names regions for it"
        problems.append(Problem("publish.splits.test_unseen", "0", allowed))
    if publish.splits.test_unseen and len(names) == 1 and "test_unseen" not in publish.allow_empty:
        found = f"{publish.splits.test_unseen:g} with a single region, which stays empty"
        allowed = "0, several regions, or test_unseen in publish.allow_empty"
        problems.append(Problem("publish.splits.test_unseen", found, allowed))
    finest = min(sampling_of(build, region).unit_resolution for region in build.regions)
    if publish.block_resolution is not None and publish.block_resolution > finest:
        allowed = f"at most {finest}, the resolution of a unit (sampling.unit_resolution)"
        problems.append(Problem("publish.block_resolution", str(publish.block_resolution), allowed))
    return problems


def _present(where: str, path: Path, *, folder: bool | None) -> list[Problem]:
    if not path.exists():
        return [Problem(where, f"{path}, which does not exist", "an existing folder" if folder else "an existing file")]
    if not path.is_dir() and not path.is_file():  # a pipe that nobody writes to would be waited for without end
        return [Problem(where, f"{path}, which is a pipe or a device", "a folder" if folder else "a file")]
    if folder is not None and path.is_dir() != folder:
        return [
            Problem(
                where, f"{path}, which is a {'folder' if path.is_dir() else 'file'}", "a folder" if folder else "a file"
            )
        ]
    return []
