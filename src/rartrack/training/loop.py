"""The training run: steps, validations, checkpoints; stops and goes on anywhere (SPEC Sec. 9)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from rartrack import checkpoints
from rartrack.config import to_dict
from rartrack.errors import InputError
from rartrack.network.inference import pick_precision
from rartrack.network.rar import RAR
from rartrack.outputs import remove_leftovers
from rartrack.training import state as states
from rartrack.training.allocator import keep_freed_memory
from rartrack.training.checks import check
from rartrack.training.config import TrainingConfig
from rartrack.training.dataset import Batch, ClipDataset, Share, batches, dead_workers_in_one_line
from rartrack.training.log import TRAINING, VALIDATION, Pace, RunLog
from rartrack.training.objective import follows_another, objective
from rartrack.training.optimizer import Average, build_optimizer, freeze, rate, set_modes, set_rate
from rartrack.training.processes import Processes, join
from rartrack.training.remember import Memorised, RememberedBatch
from rartrack.training.start import starting_network
from rartrack.training.teacher import Teacher
from rartrack.training.validate import clip_scores, held_out_clips, held_out_videos, mean_overlaps
from rartrack.training.videos import VideoSource

BEST, LAST = "best.safetensors", "last.safetensors"
"""Checkpoints of a run's folder: averaged weights at the best and at the last validation, ready for tracking."""

Say = Callable[[str], None]
AnyBatch = Batch | RememberedBatch


@dataclass(frozen=True)
class Outcome:
    """How a call of ``train`` ended.

    Attributes:
        step: updates made in all.
        finished: whether that is all of them; if not, the same call goes on from there.
        folder: of the run.
    """

    step: int
    finished: bool
    folder: Path


def train(
    config: TrainingConfig,
    minutes: float | None = None,
    say: Say = print,
    stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train, or go on with the run that ``config.output`` holds.

    Args:
        config: of the run.
        minutes: stop after about so long, all that was done kept; the same call later goes on.
        say: takes a line of news.
        stopping: asked after every step, and while data is prepared; True stops as ``minutes`` does.

    Raises:
        InputError: wrong settings or data, other settings than the run began with, a loss that is not finite (it names
            the clips; the last checkpoint is kept), or a disk that refuses.
    """
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    keep_freed_memory()
    with join(config.device) as processes:
        run = _Run(config, processes, say if processes.first else lambda _: None)
        with dead_workers_in_one_line():
            try:
                return run.go(lambda: time.monotonic() > end or stopping())
            finally:
                run.close()


class _Run:
    """One process's part of a run."""

    def __init__(self, config: TrainingConfig, processes: Processes, say: Say) -> None:
        check(config, processes.world)
        self.config, self.processes, self.say = config, processes, say
        self.folder = Path(config.output).expanduser()
        stored = states.read(self.folder)
        if stored is not None:
            states.refuse_changes(self.folder, stored.config, config)
        torch.manual_seed(config.seed)
        self.clips = ClipDataset(config)
        self.held_out = held_out_clips(config)
        if processes.first:
            remove_leftovers(self.folder)
            self._report_data()
        self.network = starting_network(config, say if stored is None else None).to(processes.device)
        freeze(self.network, config.optimization)
        self.average = Average(self.network, config.optimization.average)
        self.optimizer = build_optimizer(self.network, config.optimization)
        self.precision = pick_precision(config.optimization.precision, processes.device)
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=self.precision == torch.float16)
        self.teacher = None if config.optimization.teacher is None else Teacher(config, processes.device)
        self.step, self.best, self.skipped = 0, {}, 0  # type: ignore[var-annotated]
        self.pace = Pace()
        self.begun = stored is not None
        if stored is not None:
            self._restore(stored)
        self.memorised: Memorised | None = None
        if config.optimization.remembered:  # named by the backbone's weights: not before they are restored
            self.memorised = Memorised(config, self.network, self.teacher, self.clips)
        self.module = processes.wrap(objective(self.network, config, self.precision))
        self.log = RunLog(self.folder, self.step if self.begun else -1) if processes.first else None

    def go(self, stopping: Callable[[], bool]) -> Outcome:
        """Prepare what is not there yet, then step until all steps are made or somebody says stop."""
        total = self.config.optimization.steps
        if not self._prepare_cache(stopping):
            self.say("stopped while videos are decoded; the same command goes on from there")
            return Outcome(self.step, False, self.folder)
        if not self._memorise(stopping):
            self.say("stopped while the backbone's features are computed; the same command goes on from there")
            return Outcome(self.step, False, self.folder)
        if not self.begun:
            self._validate()
            self._save()
        self.pace.start()
        for parts in self._parts():
            self.pace.waited()
            losses, norm = self._update(parts)
            self.step += 1
            self.pace.stepped(self.config.optimization.batch)
            self._note(losses, norm, parts)
            due = self.step % self.config.validation.interval == 0 or self.step == total
            stop = self.processes.sums(float(stopping()))[0] > 0
            if due:
                self._validate()
            if due or stop:
                self._save()
                self.pace.start()
            if stop and self.step < total:
                self.say(f"stopped after step {self.step} of {total}; the same command goes on from there")
                return Outcome(self.step, False, self.folder)
        self.say(f"done: {self.step} steps; {self.folder / BEST} has the best validation")
        return Outcome(self.step, True, self.folder)

    def close(self) -> None:
        if getattr(self, "log", None) is not None:
            cast(RunLog, self.log).close()

    def _prepare_cache(self, stopping: Callable[[], bool]) -> bool:
        """Decode the videos once, by the first process, before workers share them; the others wait for what it says."""
        prepared = True
        if self.processes.first:
            every = [self.clips, self.held_out]
            if self.teacher is not None and self.memorised is not None and self.memorised.missing():
                every.append(self.teacher.clips)
            prepared = all(clips.prepare(stopping) for clips in every if clips is not None)
        return self.processes.sums(float(not prepared))[0] == 0

    def _memorise(self, stopping: Callable[[], bool]) -> bool:
        """Fill the store of features where there is one; each process its share."""
        if self.memorised is None:
            return True
        mine = self.memorised.missing()[self.processes.rank :: self.processes.world]
        self.processes.wait()
        filled = self.memorised.fill(self.network, self.clips, mine, self.config.workers, self.say, stopping)
        return self.processes.sums(float(not filled))[0] == 0

    def _parts(self) -> Iterable[list[AnyBatch]]:
        """This process's clips of each update to come, in the parts that are computed one after another."""
        settings = self.config.optimization
        share = Share(
            settings.batch,
            self.processes.rank,
            self.processes.world,
            settings.accumulation,
            self.step,
            settings.steps,
        )
        pending: list[AnyBatch] = []
        pin = self.processes.device.type == "cuda"
        if self.memorised is None:
            loader = batches(self.clips, share, self.config.workers, pin)
        else:
            loader = batches(self.memorised, share, self.config.workers, False, RememberedBatch.stack)
        for batch in loader:
            pending.append(batch)
            if len(pending) == settings.accumulation:
                yield pending
                pending = []

    def _update(self, parts: list[AnyBatch]) -> tuple[Tensor, float]:
        """One step of the weights; returns the clips' losses and the gradient's norm before it was clipped."""
        settings = self.config.optimization
        set_rate(self.optimizer, rate(self.step, settings))
        # What is left out at random (the box head's maps) depends on the step alone, so that runs go on as they would.
        torch.manual_seed(((self.config.seed << 20) + self.step) * self.processes.world + self.processes.rank)
        if self.memorised is None:
            crops = cast(Batch, parts[0]).crops
            set_modes(self.network, settings, crops.shape[0] * crops.shape[1])
        else:
            self.network.train()  # its backbone is not run
        self.optimizer.zero_grad(set_to_none=True)
        found = []
        for index, batch in enumerate(parts):
            last = index == len(parts) - 1
            with self._shared(last):
                losses = self._losses(batch)
                self._refuse_unbounded(losses, batch)
                self.scaler.scale(losses.mean() / len(parts)).backward()  # type: ignore[no-untyped-call]
            found.append(losses.detach())
        self.scaler.unscale_(self.optimizer)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        norm = float(torch.nn.utils.clip_grad_norm_(trained, settings.clip_norm))
        if not math.isfinite(norm) and not self.scaler.is_enabled():
            raise InputError(self._unbounded("gradient", [name for batch in parts for name in batch.names]))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(self.network, self.step)
        return torch.cat(found), norm

    def _losses(self, batch: AnyBatch) -> Tensor:
        device = self.processes.device
        inputs: Any
        if isinstance(batch, Batch):
            inputs, taught = batch.crops.to(device, non_blocking=True), None
        else:
            inputs = {level: tap.to(device) for level, tap in batch.inputs.items()}
            taught = None if batch.taught is None else batch.taught.to(device)
        label = batch.label.to(device, non_blocking=True)
        other = follows_another(batch.names).to(device)
        with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
            return cast(Tensor, self.module(inputs, label, taught, other))

    def _shared(self, last: bool) -> Any:
        """Processes average their gradients once an update, with its last part."""
        if isinstance(self.module, DistributedDataParallel) and not last:
            return self.module.no_sync()
        return nullcontext()

    def _refuse_unbounded(self, losses: Tensor, batch: AnyBatch) -> None:
        finite = losses.detach().isfinite().cpu()
        if not finite.all():
            names = [name for name, good in zip(batch.names, finite, strict=True) if not good]
            raise InputError(self._unbounded("loss", names))

    def _unbounded(self, what: str, names: list[str]) -> str:
        kept = self.folder / states.FILE
        return f"step {self.step}: the {what} is not finite, with {', '.join(names)}; the last good state is {kept}"

    def _note(self, losses: Tensor, norm: float, parts: list[AnyBatch]) -> None:
        """Rows of the log; all processes take part in the sums."""
        reasons = [reason for batch in parts for clip in batch.skipped for reason in clip]
        settings = self.config.optimization
        loss, skipped = self.processes.sums(float(losses.sum()), float(len(reasons)))
        self.skipped += int(skipped)
        if skipped:  # the same sum in all of them
            reasons = self.processes.together(reasons)
        if self.log is None:
            return
        for reason in reasons:
            self.log.skipped(self.step, reason)
        self.pace.losses.append(loss / settings.batch)
        if self.step % self.config.log_interval and self.step != settings.steps:
            return
        mean, speed, waiting = self.pace.take()
        values = {
            "loss": mean,
            "gradient": norm,
            "rate": rate(self.step - 1, settings),
            "clips_per_second": speed,
            "waiting_share": waiting,
            "skipped": self.skipped,
        }
        self.log.row(TRAINING, self.step, values)
        self.say(f"step {self.step}: loss {mean:.3f}, {speed:.1f} clips/s, {100 * waiting:.0f} % waiting for data")

    def _validate(self) -> None:
        """Loss and overlap of the averaged weights on what is held out, the work divided among the processes."""
        settings, rank, world = self.config.validation, self.processes.rank, self.processes.world
        if self.held_out is None or not (settings.clips or settings.frames):
            self._save_model(BEST, {})
            self._save_model(LAST, {})
            return
        network = RAR(self.config.model.network).to(self.processes.device)
        network.load_state_dict(self.average.tensors)
        network.eval().requires_grad_(False)
        measure = objective(network, self.config, self.precision)
        loss, hits = clip_scores(measure, self.held_out, range(rank, settings.clips, world))
        found: dict[str, float] = {}
        if settings.frames:
            videos = held_out_videos(self.held_out, settings.sequences)
            if not videos:
                raise InputError(f"validation.sequences: no held-out sequence fits {', '.join(settings.sequences)}")
            found, reasons = mean_overlaps(
                network, self.config.model, videos[rank::world], settings.frames, self.precision
            )
            for reason in reasons:
                self.say(f"validation: left out: {reason}")
        loss, hits, overlaps, tracked = self.processes.sums(loss, hits, sum(found.values()), len(found))
        values: dict[str, float] = {}
        if settings.clips:
            values = {"loss": loss / settings.clips, "hits": hits / settings.clips}
        if tracked:
            values["overlap"] = overlaps / tracked
        if not values:
            raise InputError("validation: no held-out video can be tracked (above); give validation.clips, or others")
        if self.log is not None:
            self.log.row(VALIDATION, self.step, values)
        self.say(f"step {self.step}: validation " + ", ".join(f"{key} {value:.3f}" for key, value in values.items()))
        score = values["overlap"] if "overlap" in values else -values["loss"]
        if not self.best or score > self.best["score"]:
            self.best = {"step": float(self.step), "score": score}
            self._save_model(BEST, values)
        self._save_model(LAST, values)

    def _save_model(self, name: str, values: dict[str, float]) -> None:
        if not self.processes.first:
            return
        about = {"trained_by": "rartrack train", "step": self.step, "validation": values, "training": self._settings()}
        weights = {key: value.cpu() for key, value in self.average.tensors.items()}
        checkpoints.save(self.folder / name, checkpoints.Checkpoint(self.config.model, weights, about))

    def _settings(self) -> dict[str, Any]:
        """The run's settings without the model's, which a checkpoint holds itself."""
        return {key: value for key, value in to_dict(self.config).items() if key != "model"}

    def _save(self) -> None:
        if self.processes.first:
            states.write(
                self.folder,
                states.RunState(
                    step=self.step,
                    network=self.network.state_dict(),
                    average=self.average.tensors,
                    optimizer=states.optimizer_tensors(self.optimizer),
                    config=to_dict(self.config),
                    scaler=self.scaler.state_dict(),
                    best=self.best,
                    skipped=self.skipped,
                    losses=self.pace.losses,
                ),
            )
        self.processes.wait()

    def _restore(self, stored: states.RunState) -> None:
        self.network.load_state_dict(stored.network)
        self.average.load(stored.average)
        states.restore_optimizer(self.optimizer, stored.optimizer)
        if stored.scaler:
            self.scaler.load_state_dict(stored.scaler)
        self.step, self.best, self.skipped = stored.step, stored.best, stored.skipped
        self.pace.losses = list(stored.losses)
        self.say(f"going on from step {self.step} of {self.config.optimization.steps}")

    def _report_data(self) -> None:
        for source in self.clips.sources:
            count = len(source.sequences) if isinstance(source, VideoSource) else len(source.targets)
            self.say(f"{source.name}: {count} {'sequences' if isinstance(source, VideoSource) else 'objects'}")
        for name, why in self.clips.left_out.items():
            self.say(f"left out: {name}: {why}")
