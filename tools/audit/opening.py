"""Opens an audit: the dataset, checked once a revision, and its database."""

from pathlib import Path

from sqlalchemy import insert, select, update

from pipeline.engine.definition import definition
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.manifest import PATH
from pipeline.storage import open_store
from tools.audit.database.opening import Desk, open_desk
from tools.audit.database.tables import settings
from tools.audit.library import Library
from tools.dataset import open_dataset
from tools.verify.verify import verify

_TOLD = 5


def dataset_of(where: str) -> str:
    """The dataset at a place, which may be a dataset or the workspace of a build.

    Raises:
        ConfigError: it is neither, or the workspace's build has not published yet.
    """
    if open_store(where, where="DATASET|WORKSPACE", read_only=True).exists(PATH):
        return where
    dataset = str(definition(open_store(where, where="DATASET|WORKSPACE", read_only=True)).build.dataset)
    if not open_store(dataset, where="dataset", read_only=True).exists(PATH):
        raise ConfigError([Problem("DATASET|WORKSPACE", f"{where}, whose build has not published", "one that has")])
    return dataset


def database_of(dataset: str, given: str | None) -> str:
    """Where the database is: as given, or a file beside the dataset's folder.

    Raises:
        ConfigError: the dataset is in a bucket, and none is given.
    """
    if given is not None:
        return given
    if "://" in dataset:
        raise ConfigError([Problem("--database", "none, for a dataset in a bucket", "a path or a postgresql:// URL")])
    folder = Path(dataset).resolve()
    return str(folder.with_name(f"{folder.name}.audit.sqlite"))


def open_audit(where: str, database: str | None, *, create: bool = True) -> tuple[Desk, Library]:
    """Open both.

    Raises:
        ConfigError: the dataset has faults, or the database is of another dataset or a newer version.
        MachineError: one of them cannot be reached.
    """
    dataset = dataset_of(where)
    library = Library(open_dataset(dataset))
    desk = open_desk(database_of(dataset, database), create=create)
    name = library.dataset.manifest.name
    with desk.reading() as connection:
        known = dict(connection.execute(select(settings.c.key, settings.c.value)).all())
    if known.get("dataset", name) != name:
        desk.close()
        raise ConfigError([Problem("--database", f"that of dataset {known['dataset']!r}", f"one of {name!r}, or none")])
    if known.get("verified") != library.revision:
        _verify(dataset, desk)
        _remember(desk, {"dataset": name, "verified": library.revision})
    return desk, library


def _verify(dataset: str, desk: Desk) -> None:
    faults = [str(fault) for fault in verify(open_store(dataset, where="DATASET", read_only=True))]
    if faults:
        desk.close()
        more = f", and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        found = f"{dataset}, which has faults ({'; '.join(faults[:_TOLD])}{more})"
        raise ConfigError([Problem("DATASET", found, "a dataset that `geoscribe verify` finds sound")])


def _remember(desk: Desk, values: dict[str, str]) -> None:
    with desk.writing() as connection:
        for key, value in values.items():
            if not connection.execute(update(settings).where(settings.c.key == key).values(value=value)).rowcount:
                connection.execute(insert(settings).values(key=key, value=value))
