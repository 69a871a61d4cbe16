"""The training loop: from a configuration to a run folder with `best.pt`, `last.pt`, `log.jsonl` and `curves.html`.

Started again on the same folder it goes on where it stood, bit for bit on the same machine: weights, optimizer,
position in the data, random state and best figure are all in `last.pt`.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import ConfigError, MachineError, Problem
from tools.retrieval.data.order import Mixing
from tools.retrieval.data.stream import Loader, Plan, Position
from tools.retrieval.encode import encode, model_encoders
from tools.retrieval.losses import Gather, Negatives, average_gradients, gather_all, gather_nothing
from tools.retrieval.models.build import build_model
from tools.retrieval.torch_parts import torch
from tools.retrieval.train.augment import drop_tokens, either
from tools.retrieval.train.config import Retrieval
from tools.retrieval.train.curves import write_curves
from tools.retrieval.train.devices import Place, placed
from tools.retrieval.train.log import Log
from tools.retrieval.train.schedule import rate
from tools.retrieval.train.setup import input_of, optimizer_of, training_rows
from tools.retrieval.train.state import BEST, LAST, keep, kept, random_state, set_random_state
from tools.retrieval.train.validate import validate


@dataclass
class Progress:
    """Progress of a training."""

    step: int = 0
    best: float = -1.0
    best_step: int = 0


def train(config: Retrieval, *, steps: int | None = None) -> Progress:
    """Train until all epochs are done, from the start or from the last checkpoint.

    Args:
        config: what, on what, how.
        steps: stop after so many steps of this call, as a kill would, but with a checkpoint.

    Raises:
        ConfigError: the data, the model or the run folder do not fit the configuration.
        MachineError: a shard is damaged, the disk is full, the loss is no number any more.
    """
    with placed(config.train.device, config.train.precision) as place:
        return _Trainer(config, place).run(steps)


class _Trainer:
    def __init__(self, config: Retrieval, place: Place) -> None:
        self._config, self._place = config, place
        torch.manual_seed(config.train.seed)
        self._model, self._activation = build_model(config.model, config.train.seed)
        self._wanted = input_of(config, self._model)
        self._index, self._val = training_rows(config)
        # Where things lie does not matter: which rows they hold is in the plan.
        self._settings = config.model_dump(mode="json", exclude={"run": True, "name": True, "data": {"datasets"}})
        self._model.to(place.device)
        self._optimizer = optimizer_of(config, self._model)
        self._scaler = place.scaler()
        self._gather: Gather = gather_all if place.world > 1 else gather_nothing
        self._negatives = Negatives(self._index, config.references, config.data.most_overlap)
        self._progress, self._alike = Progress(), None
        self._stood: str | None = None
        """The plan of the checkpoint that this goes on from."""
        config.run.mkdir(parents=True, exist_ok=True)
        state = kept(config.run, LAST, self._settings)
        position = Position()
        if state is not None:
            position = self._restore(state)
        if place.first:
            self._log = Log(config.run, self._progress.step)
        self._loader = self._load(position)

    def run(self, steps: int | None) -> Progress:
        """Run all epochs, or a number of steps."""
        settings, start = self._config.train, self._progress.step
        self._model.train()
        if settings.epochs == 0 and self._place.first:
            self._validate(0)
        while self._loader.position.epoch < settings.epochs:
            if steps is not None and self._progress.step - start >= steps:
                self._keep()
                return self._progress
            epoch = self._loader.position.epoch
            done = (epoch + self._loader.position.batch / self._loader.epoch_length) / settings.epochs
            self._step(next(self._loader), done)
            if self._loader.position.epoch > epoch:
                self._end_epoch(epoch)
            elif self._progress.step % settings.keep_steps == 0:
                self._keep()
        self._curves()
        return self._progress

    def _step(self, batch: dict[str, Any], done: float) -> None:
        settings, place, started = self._config.train, self._place, time.perf_counter()
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(done, settings.warmup)
        rows = self._gather(batch["row"])
        negative = self._negatives.among(rows).to(place.device)
        if "also" in batch:
            batch["text"] = either(batch["text"], batch.pop("also"))
        batch["text"] = drop_tokens(batch["text"], settings.drop_tokens)
        inputs = {name: values.to(place.device) for name, values in batch.items()}
        if settings.texts == "shuffled":
            inputs["text"] = inputs["text"].roll(1 + self._progress.step % max(1, len(batch["row"]) - 1), dims=0)
        with place.computing():
            terms = self._model.losses(inputs, negative, self._gather)
        if not math.isfinite(float(terms["loss"].detach())):
            raise MachineError(
                f"the loss is {terms['loss'].item()} at step {self._progress.step}: lower train.learning_rate, set "
                "train.clip_gradient, or use another precision; the last checkpoint stands"
            )
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(terms["loss"]).backward()
        if place.world > 1:
            average_gradients(self._model)
        self._scaler.unscale_(self._optimizer)
        most = settings.clip_gradient or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), most)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._progress.step += 1
        if place.first and (self._progress.step == 1 or self._progress.step % settings.log_steps == 0):
            pairs = max(1, negative.numel() - len(rows))
            self._log.write(
                "step",
                step=self._progress.step,
                epochs=done * settings.epochs,
                **{name: float(value.detach()) for name, value in terms.items()},
                learning_rate=self._optimizer.param_groups[0]["lr"],
                scale=float(self._model.scale().detach()),
                gradient=float(norm),
                masked=1 - float(negative.sum()) / pairs,
                seconds=time.perf_counter() - started,
            )

    def _end_epoch(self, epoch: int) -> None:
        settings = self._config.train
        last = epoch + 1 == settings.epochs
        if self._place.first and (last or (epoch + 1) % settings.validate_epochs == 0):
            self._validate(epoch + 1)
        if not last and any(hard.negatives == "alike" and hard.epoch <= epoch + 1 for hard in settings.hard):
            self._alike = self._vectors()
            self._loader = self._load(self._loader.position)
        self._keep()
        self._place.wait()

    def _validate(self, epochs: int) -> None:
        views = self._config.views
        found = validate(self._model, self._val, self._wanted, self._place.device, views)
        figure = sum(found[view][self._config.train.select] for view in found) / len(found)
        self._log.write("val", step=self._progress.step, epochs=epochs, figures=found)
        if figure > self._progress.best:
            self._progress.best, self._progress.best_step = figure, self._progress.step
            keep(self._config.run, BEST, self._weights() | {"step": self._progress.step, "figures": found})
        self._curves()

    def _vectors(self) -> Any:
        """Compute the vectors of the training rows' texts, in the index's order; the same in all processes.

        Of texts, since every row has one; those that the model finds alike are the hard ones for a text that searches.
        """
        self._model.eval()
        text, _ = model_encoders(self._model, self._place.device, ())
        found = encode(self._index, self._wanted, text, {})["text"]
        self._model.train()
        vectors = torch.from_numpy(found.rows_of(self._index.ids.tolist(), "train texts")).to(self._place.device)
        if self._place.world > 1:
            torch.distributed.broadcast(vectors, 0)  # to the last bit: the plan of batches must be one
        return vectors.cpu().numpy()

    def _load(self, position: Position) -> Loader:
        config, place = self._config, self._place
        lanes = place.world * max(1, config.data.workers)
        if config.train.batch % place.world:
            allowed = f"a multiple of the {place.world} processes"
            raise ConfigError([Problem("train.batch", str(config.train.batch), allowed)])
        mixing = Mixing(
            config.train.batch // place.world, config.data.window, lanes, config.train.seed, config.train.cluster
        )
        schedule = tuple((hard.epoch, hard.negatives) for hard in config.train.hard)
        plan = Plan(self._index, mixing, schedule, config.references, self._alike)
        self._plan = plan.digest()
        if self._stood and self._stood != self._plan:
            allowed = "the rows, processes and workers that it began with, or a new run folder"
            raise ConfigError([Problem("run", "a training that began on other rows, processes or workers", allowed)])
        return Loader(
            plan, self._wanted, position, rank=place.rank, world=place.world, workers=config.data.workers,
            keep=config.data.keep,
        )  # fmt: skip

    def _weights(self) -> dict[str, Any]:
        return {
            "model": self._model.state_dict(),
            "activation": self._activation,
            "settings": self._settings,
        }

    def _keep(self) -> None:
        if self._place.first:
            keep(
                self._config.run,
                LAST,
                self._weights()
                | {
                    "optimizer": self._optimizer.state_dict(),
                    "scaler": self._scaler.state_dict(),
                    "position": self._loader.position.model_dump(),
                    "plan": self._plan,
                    "progress": vars(self._progress),
                    "random": random_state(),
                    "alike": None if self._alike is None else torch.from_numpy(self._alike),
                },
            )

    def _restore(self, state: Mapping[str, Any]) -> Position:
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._progress = Progress(**state["progress"])
        self._alike = None if state["alike"] is None else state["alike"].numpy()
        self._stood = state["plan"]
        set_random_state(state["random"])
        return Position.model_validate(state["position"])

    def _curves(self) -> None:
        if self._place.first:
            write_curves(self._config.run, self._config.name)
