"""The main job: from a path or an array to a trained, evaluated model in a run directory.

``fit`` plans, creates the directory, trains, and finishes; ``resume`` opens the directory, makes the same plan again,
and goes on where the last checkpoint was. Nothing is written before data and settings have been found good.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reparam import __version__, noise
from reparam.data.checks import check_trainable
from reparam.data.schema import Examples
from reparam.data.sources import source_name
from reparam.errors import RunError, UsageError
from reparam.evaluation import CollapseCheck, collapse_check, linear_residuals
from reparam.planning import MOST_ROWS, Plan, make_plan, read_examples, row_totals
from reparam.runs import Run, next_free, refuse_existing
from reparam.trained import TrainedVAE, load
from reparam.training.device import accelerator_for, precision_of
from reparam.training.feed import DeviceFeed
from reparam.training.loop import train
from reparam.training.progress import SilentWatcher, console_watcher
from reparam.training.settings import Settings
from reparam.training.state import TrainingState
from reparam.vae import VAE, Condition, Gaussian, Objective

__all__ = ["fit", "resume"]

# The evaluation that ends a training run looks at no more test rows than keep samples x values below this.
MOST_EVALUATED = 4_000_000_000


def fit(
    source: Any,
    settings: Settings | None = None,
    *,
    out: str | Path | None = None,
    model: VAE | None = None,
    objective: Objective | None = None,
    progress: bool = True,
) -> TrainedVAE:
    """Train a VAE on data, evaluate it on held-out rows, and write the report.

    Args:
        source: ``"digits"``, a path (folder of images, CSV, TSV, Parquet, npy, npz, IDX), a NumPy array, a torch
            tensor, a pandas or Arrow table, or ``{"x": array, "y": labels}``. Arrays: ``[N, D]`` rows of numbers,
            ``[N, H, W]`` or ``[N, C, H, W]`` images.
        settings: what differs from the defaults.
        out: run directory to create; default: the first free one of ``runs/1``, ``runs/2``, ...
        model: your own :class:`reparam.vae.VAE`, in the units of scaled data (levels in [0, 1]; real values with
            mean 0 and variance 1); default: built for the data. The likelihood is then that of its decoder.
        objective: your own :class:`reparam.vae.Objective`; default: what the settings name. All that it learns must be
            parameters of the model.
        progress: tell on stderr how it goes.

    Returns:
        The trained model, with the weights of the best validation bound.

    Raises:
        UsageError, DataError: before anything is written.
        RunError: ``out`` exists.
        DivergedError: a number stopped being finite; the run directory keeps the last good checkpoint.
        Interrupted: Ctrl-C or SIGTERM; :func:`resume` goes on.

    Example:
        >>> import reparam, tempfile
        >>> settings = reparam.Settings(epochs=1, num_samples=5)
        >>> model = reparam.fit("digits", settings, out=tempfile.mkdtemp() + "/digits", progress=False)
        >>> model.sample(3, seed=0).shape
        (3, 1, 8, 8)
    """
    settings = settings or Settings()
    watcher = console_watcher() if progress else SilentWatcher()
    path = next_free(Path("runs")) if out is None else Path(out)
    refuse_existing(path)
    prepared = _prepare(_read_to_learn(source, settings), settings, model, objective)
    for sentence in prepared.sentences:
        watcher.say(sentence)
    run = Run.create(
        path, _description(prepared, source, own_model=model is not None, own_objective=objective is not None)
    )
    watcher.say(f"run directory: {path}")
    return _train_and_finish(run, prepared, watcher)


def resume(
    path: str | Path,
    source: Any = None,
    *,
    settings: Mapping[str, Any] | None = None,
    model: VAE | None = None,
    objective: Objective | None = None,
    progress: bool = True,
) -> TrainedVAE:
    """Go on with a run that was stopped, killed or cut off; the result is that of a run never interrupted.

    Bit-identical on the same machine with the same versions and number of threads; a difference in these is said aloud.

    Args:
        path: the run directory.
        source: the data again, where it came from an array or has moved; its content must be the same.
        settings: names and values the caller takes the run to have; refused if it was started with others.
        model, objective: your own again, if the run was started with them.
        progress: tell on stderr how it goes.

    Raises:
        RunError: no run there; no usable checkpoint; other data or settings (named); locked by another process.
        UsageError: the run was started with an array, and there is no ``source``.
    """
    watcher = console_watcher() if progress else SilentWatcher()
    run = Run.open(path)
    ours = Settings.from_mapping(run.description["settings"], where=f"{run.path}/run.json")
    _check_settings(run, ours, settings or {})
    if run.description["status"] == "finished":
        watcher.say(f"{run.path} is finished after {run.description['steps_done']:,} steps: nothing to do")
        return load(run.path, model=model)
    source = run.description["data"]["source"] if source is None else source
    if source is None:
        raise UsageError(f"{run.path} was trained on an array: resume(path, x) needs the same data again")
    examples = read_examples(source, ours)
    if examples.fingerprint != run.description["data"]["fingerprint"]:
        raise RunError(
            f"the data is not what {run.path} was started with: its content differs (fingerprint "
            f"{examples.fingerprint[:12]}, expected {run.description['data']['fingerprint'][:12]}). Bring the data "
            "back, or start a new run with another --out"
        )
    _check_own(run, "model", run.description["network"]["kind"], model)
    _check_own(run, "objective", run.description.get("objective", "built-in"), objective)
    prepared = _prepare(examples, ours, model, objective)
    for name, now in _environment(prepared).items():
        if run.description["environment"].get(name) != now:
            before = run.description["environment"].get(name)
            watcher.say(f"{name} was {before} and is {now} now: the result will not be bit-identical to a straight run")
    return _train_and_finish(run, prepared, watcher)


def _read_to_learn(source: Any, settings: Settings) -> Examples:
    examples = read_examples(source, settings)
    check_trainable(examples, str(source) if isinstance(source, str | Path) else "the data")
    return examples


@dataclass(frozen=True)
class _Prepared:
    """A run ready to start or to go on: nothing is written yet."""

    examples: Examples
    plan: Plan
    accelerator: Any
    rows: DeviceFeed
    validation: DeviceFeed
    model: VAE
    precheck: CollapseCheck

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is decided and expected, in plain words."""
        return (*self.plan.sentences, self.precheck.sentence(conditional=self.plan.condition is not None))


def _prepare(examples: Examples, settings: Settings, model: VAE | None, objective: Objective | None) -> _Prepared:
    plan = make_plan(examples, settings, model, objective)
    accelerator = accelerator_for(settings.device, plan.resolved.precision or "float32")
    rows = plan.feed(examples, "train", accelerator.device)
    some = torch.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).long()
    gathered = rows.gather(some, noise.generator(settings.seed, "start", device=accelerator.device))
    x = gathered.x.cpu()
    if model is None:
        with torch.random.fork_rng(devices=[]):
            noise.seed_global(settings.seed, "weights")
            model = plan.build_model(x)
    elif gathered.features is not None:
        _check_takes_features(model, gathered.features[:2].cpu(), x[:2])
    validation = plan.feed(examples, "validation", accelerator.device)
    return _Prepared(examples, plan, accelerator, rows, validation, model, _precheck(model, x, gathered.features))


@torch.no_grad()
def _precheck(model: VAE, x: torch.Tensor, features: torch.Tensor | None) -> CollapseCheck:
    """In units of the decoder's noise where that is Gaussian; else as the encoder sees values, in units of their own.

    The theory is that of Gaussian noise. Heavy tails would make every value stand out of noise as wide as their middle.
    Of what is given the latents need not tell, so it is what a regression on that leaves which is looked at.
    """
    family = model.decoder.family
    if isinstance(family, Gaussian) and features is None:
        return collapse_check(x, family.scale.square().cpu())
    shown = model.encoder.view.cpu()(x)
    if features is not None:
        shown = _beside(features.cpu(), shown)
    return collapse_check(shown, shown.var(0, correction=0))


def _check_takes_features(model: VAE, features: torch.Tensor, x: torch.Tensor) -> None:
    """Refuse networks of the user's own that were not made for what is given, before anything is written."""
    trial = copy.deepcopy(model).cpu().eval()
    try:
        with torch.no_grad():
            trial.given(Condition(features)).reconstruct(x)
    except RuntimeError as error:
        raise UsageError(
            f"the model does not take what is given: its networks see {features.shape[1]} more inputs, appended along "
            f"dimension 1 of examples {list(x.shape[1:])} and of latents. What torch says: {error}"
        ) from None


def _beside(features: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What a linear regression on what is given leaves of some rows."""
    rows = slice(None, None, 1 + len(x) // 1000)
    known, values = features[rows].double().numpy(), x[rows].flatten(1).double().numpy()
    return torch.from_numpy(linear_residuals(known, values, known, values))


def _train_and_finish(run: Run, prepared: _Prepared, watcher: SilentWatcher) -> TrainedVAE:
    plan, settings, device = prepared.plan, prepared.plan.settings, prepared.accelerator.device
    with run.lock():
        run.clean()
        state = TrainingState.start(
            prepared.model,
            average_decay=settings.average_decay,
            learning_rate=settings.learning_rate,
            device=device,
            weight_decay=prepared.plan.resolved.weight_decay or 0.0,
        )
        checkpoint, damaged = run.load_latest_good()
        for sentence in damaged:
            watcher.say(sentence)
        if checkpoint is not None:
            state.restore(checkpoint)
            watcher.say(f"going on after step {state.progress.step:,}")
        watcher.start(state.progress.step, plan.schedule.total_steps)
        try:
            train(
                state,
                schedule=plan.schedule,
                seed=settings.seed,
                patience=settings.patience,
                gradient_clip=settings.gradient_clip,
                loss=plan.loss,
                rows=prepared.rows,
                validation=prepared.validation,
                accelerator=prepared.accelerator,
                record=run,
                watcher=watcher,
            )
        finally:
            watcher.stop()
        return _finish(run, prepared, state, watcher)


def _finish(run: Run, prepared: _Prepared, state: TrainingState, watcher: SilentWatcher) -> TrainedVAE:
    progress = state.progress
    if progress.stopped_early:
        watcher.say(f"stopped early: no better validation bound in {prepared.plan.settings.patience} evaluations")
    watcher.say(f"best validation bound: {progress.best_bound_nats:.2f} nats at step {progress.best_step:,}")
    run.update(
        status="trained",
        steps_done=progress.step,
        stopped_early=progress.stopped_early,
        best={"step": progress.best_step, "bound_nats": progress.best_bound_nats},
    )
    trained = load(run.path, model=prepared.model, device=str(prepared.accelerator.device))
    watcher.say("evaluating on the test rows")
    trained.evaluate(prepared.examples, most_values=MOST_EVALUATED, say=watcher.say)
    trained.report(prepared.examples)
    run.update(status="finished")
    return load(run.path, model=prepared.model, device=str(prepared.accelerator.device))


def _description(prepared: _Prepared, source: Any, *, own_model: bool, own_objective: bool) -> dict[str, Any]:
    plan, model = prepared.plan, prepared.model
    is_path = isinstance(source, str | Path)
    return {
        "status": "training",
        "name": source_name(source),
        "settings": plan.settings.to_json(),
        "schema": plan.schema.to_json(),
        "scaling": plan.scaling.to_json(),
        "condition": None if plan.condition is None else plan.condition.to_json(),
        "likelihood": plan.likelihood,
        "binarize": plan.binarize,
        "data": {
            "source": str(source if source == "digits" else Path(source).resolve()) if is_path else None,
            "fingerprint": prepared.examples.fingerprint,
            "num_rows": len(prepared.examples),
            "total_quantiles": _total_quantiles(prepared) if plan.settings.library_size else None,
            "num_train": len(plan.split.train),
            "num_validation": len(plan.split.validation),
            "num_test": len(plan.split.test),
        },
        "network": {
            "kind": "custom" if own_model else "built-in",
            "latent_dim": plan.latent_dim,
            "architecture": None if plan.architecture is None else plan.architecture.to_json(),
            "num_parameters": sum(parameter.numel() for parameter in model.parameters()),
        },
        "objective": "custom" if own_objective else "built-in",
        "steps": plan.schedule.total_steps,
        "environment": _environment(prepared),
        "precheck": prepared.precheck.to_json(),
        "notes": list(prepared.sentences),
    }


def _total_quantiles(prepared: _Prepared) -> list[float]:
    """Of the training rows, at 0, 1, ..., 100 %: new rows get totals like these."""
    totals = row_totals(prepared.examples.values[prepared.plan.split.train]).numpy()
    return [float(value) for value in np.quantile(totals, np.linspace(0, 1, 101))]


def _environment(prepared: _Prepared) -> dict[str, Any]:
    return {
        "reparam": __version__,
        "torch": torch.__version__,
        "num_threads": torch.get_num_threads(),
        "device": str(prepared.accelerator.device),
        "precision": precision_of(prepared.accelerator),
    }


def _check_own(run: Run, what: str, kind: str, given: object) -> None:
    if kind == "custom" and given is None:
        raise RunError(
            f"{run.path} was started with your own {what}: resume(path, {what}=...) needs the same {what} again"
        )
    if kind != "custom" and given is not None:
        raise RunError(f"{run.path} was not started with your own {what}: resume(path) without it")


def _check_settings(run: Run, ours: Settings, given: Mapping[str, Any]) -> None:
    before, now = ours.to_json(), replace(ours, **given).to_json()
    changed = ", ".join(
        f"{name} was {before[name]!r}, now {now[name]!r}" for name in before if before[name] != now[name]
    )
    if changed:
        raise RunError(
            f"{run.path} was started with other settings: {changed}. Leave them out to resume, or start a new run "
            "with another --out"
        )
