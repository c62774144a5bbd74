"""Submitting: from a launch to a queued run with everything about it frozen."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest, check_manifest, resolve_manifest
from kitchen_core.config import ConfigError, config_hash, refs_in
from kitchen_core.home import Home
from kitchen_core.needs import Needs
from kitchen_core.store.lineage import run_node
from kitchen_core.store.records import NewQuote, NewRun, RevisionRecord, RunRecord
from kitchen_core.store.store import Store
from kitchen_core.telemetry.ports import Node
from kitchen_core.train.learning_rate import suggested_learning_rate, why_no_suggestion
from kitchen_core.train.model_folder import ModelFacts
from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.workflows.reading import RecipeReading
from kitchen_daemon.launching.asking import needs_by_quote, needs_of
from kitchen_daemon.launching.choosing import Chosen, Recipes
from kitchen_daemon.launching.needing import try_ports, try_ports_of
from kitchen_daemon.launching.pinning import Pinner, Pins
from kitchen_daemon.launching.revisions import keep_revision
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.turns import Turn, first_status, turn_of
from kitchen_daemon.machine.driver import has_gpu
from kitchen_daemon.models import Launch, Plan, Quote
from kitchen_daemon.quoting.quoter import Quoted, Quoter, device_of
from kitchen_daemon.running.resuming import recipe_file
from kitchen_daemon.secrets import read_secrets
from kitchen_daemon.settings import DEFAULTS, Settings

TINY_PARAMETERS = 10_000_000
"""Below this many weights a second thread costs more than it brings, and an adapter saves
nothing.
"""

DEFAULT_LORA_RANK = 32


@dataclass(frozen=True)
class _Prepared:
    """A launch that was found good."""

    chosen: Chosen
    config: dict[str, Any]
    pins: Pins
    manifest: Manifest
    turn: Turn
    quoted: Quoted
    needs: Needs

    @property
    def reading(self) -> RecipeReading:
        """The recipe with its settings."""
        return self.chosen.reading

    @property
    def adapters(self) -> dict[str, Any]:
        """The adapter of each port, and by `port.option` each option that is given."""
        told: dict[str, Any] = {}
        for port, choice in self.manifest.ports.items():
            told[port] = choice.adapter
            told |= {f"{port}.{option}": value for option, value in choice.options.items()}
        return told


class Submission(NamedTuple):
    """What the store is to take: a run, and what it is expected to take."""

    run: NewRun
    quote: NewQuote


class Submissions:
    """Checks launches and queues them. All methods block."""

    def __init__(
        self, home: Home, store: Store, shelf: Shelf, settings: Settings = DEFAULTS
    ) -> None:
        self._home = home
        self._store = store
        self._recipes = Recipes(store, shelf)
        self._settings = settings
        self._pinner = Pinner(store)
        self._quoter = Quoter(store, settings.cpu_watts)

    def plan(self, launch: Launch) -> Plan:
        """What the launch would do; it leaves nothing behind but the recipe's revision."""
        prepared = self._prepare(launch)
        reading = prepared.reading
        return Plan(
            recipe=reading.name,
            description=reading.description,
            workflow=reading.workflow,
            preset=launch.preset,
            manifest=launch.manifest,
            config=prepared.config,
            config_hash=config_hash(prepared.config),
            recipe_revision=self._revision(prepared.chosen).sha256,
            pins=prepared.pins.by_ref,
            adapters=prepared.adapters,
            after=prepared.turn.after,
            drawing=reading.drawing,
            needs=prepared.needs,
            quote=prepared.quoted.shown,
        )

    def quote(self, launch: Launch) -> Quote:
        """What the launch is expected to take; it leaves nothing behind."""
        return self._prepare(launch).quoted.shown

    def prepare(self, launch: Launch) -> Submission:
        """What the store is to take of a launch, everything about it frozen; `accept` the run once it is there.

        Raises RecipeError, ConfigError, RefError, ManifestError, BadTime, UnsafeSecrets, a port's error, or
        the store's NotFound.
        """
        prepared = self._prepare(launch)
        reading, turn = prepared.reading, prepared.turn
        run = NewRun(
            name=launch.name or reading.name,
            recipe=reading.name,
            workflow=reading.workflow,
            preset=launch.preset,
            manifest=launch.manifest,
            adapters=launch.adapters,
            wiring=prepared.manifest.model_dump(mode="json"),
            seed=prepared.config["seed"],
            config=prepared.config,
            config_hash=config_hash(prepared.config),
            pins=prepared.pins.by_ref,
            recipe_revision=self._revision(prepared.chosen).sha256,
            parents=[parent.id for parent in prepared.pins.parents],
            needs=prepared.needs,
            **asdict(turn),
            **first_status(self._store, turn.after, turn.after_any, turn.is_held),
        )
        return Submission(run, prepared.quoted.kept)

    def submit(self, launch: Launch) -> RunRecord:
        """Queue the run. Raises as `prepare` does."""
        return self.accept(self._store.create_run(*self.prepare(launch)))

    def accept(self, run: RunRecord) -> RunRecord:
        """Note what goes with a run that has just been queued: which recipe it came out of."""
        if run.recipe_revision:
            sha256 = run.recipe_revision
            recipe = Node(f"artifact:{sha256}", "recipe", run.recipe, sha256)
            self._store.add_edge(recipe, run_node(run.id, run.name), "recipe")
        return run

    def retry(self, run: RunRecord) -> RunRecord:
        """Queue the same again: the same revision, config, pins and adapters, from the start, and quoted anew. Raises
        ManifestError, ResumeError, RecipeError or a port's error where this machine has them no more.
        """
        check_manifest(Manifest.model_validate(run.wiring))
        try_ports_of(run, recipe_file(self._store, run), read_secrets(self._home))
        values = run.model_dump(include=set(NewRun.model_fields))
        values |= {"retry_of": run.id, "total_steps": None, "is_held": False}
        values |= {"not_before": None, "schedule_id": None, "scheduled_at": None}
        values |= first_status(self._store, run.after, run.after_any, is_held=False)
        manifest = Manifest.model_validate(run.wiring)
        quoted = self._quoter.quote(run.workflow, run.config, run.pins, manifest)
        memory_bytes = device_of(run.config).memory_bytes
        values["needs"] = needs_by_quote(run.needs, quoted.shown, memory_bytes)
        return self.accept(self._store.create_run(NewRun(**values), quoted.kept))

    def _prepare(self, launch: Launch) -> _Prepared:
        chosen = self._recipes.read(launch.recipe, launch.revision, launch.preset, launch.overrides)
        reading = chosen.reading
        manifest = resolve_manifest(launch.manifest, launch.adapters, self._home.root)
        try_ports(reading, manifest, read_secrets(self._home))
        pins = self._pinner.pin(refs_in(reading.resolved, reading.refs))
        config = self._frozen(reading.resolved, _trainer(manifest))
        quoted = self._quoter.quote(reading.workflow, config, pins.by_ref, manifest)
        return _Prepared(
            chosen=chosen,
            config=config,
            pins=pins,
            manifest=manifest,
            turn=turn_of(self._store, self._settings, launch, pins.unfinished),
            quoted=quoted,
            needs=needs_of(launch, config, quoted.shown, device_of(config).memory_bytes),
        )

    def _revision(self, chosen: Chosen) -> RevisionRecord:
        return chosen.revision or keep_revision(self._store, self._home, chosen.reading)

    def _frozen(self, config: dict[str, Any], trainer: Adapter) -> dict[str, Any]:
        """The config with all that depends on the machine, the model or who trains it decided."""
        facts = self._pinner.model_facts(config["model"])
        tiny = facts is not None and (facts.num_parameters or math.inf) < TINY_PARAMETERS
        frozen = dict(config)
        if config["threads"] is None:
            frozen["threads"] = 1 if tiny else len(os.sched_getaffinity(0))
        if config["lora_rank"] is None:
            frozen["lora_rank"] = 0 if tiny and not trainer.lora_only else DEFAULT_LORA_RANK
        if trainer.lora_only and not frozen["lora_rank"]:
            raise ConfigError(
                f"lora_rank=0 trains all weights, and {trainer.name} trains adapters only; set lora_rank, "
                "or leave it out"
            )
        if config["lora_targets"] and not frozen["lora_rank"]:
            raise ConfigError(
                f"lora_targets={','.join(config['lora_targets'])} is for an adapter, but this run trains "
                "all weights (lora_rank=0); set lora_rank, or leave lora_targets out"
            )
        if trainer.check_config is not None:
            trainer.check_config(frozen)
        if config["learning_rate"] is None and facts is not None and facts.adapter_of is None:
            frozen["learning_rate"] = _suggested(facts, lora=bool(frozen["lora_rank"]))
        frozen["device"] = _device(config["device"]) if trainer.offline else "cpu"
        return frozen


def _suggested(facts: ModelFacts, *, lora: bool) -> float:
    suggested = suggested_learning_rate(facts, lora=lora)
    if suggested is None:
        raise ConfigError(why_no_suggestion(facts))
    return suggested


def _trainer(manifest: Manifest) -> Adapter:
    """The adapter that trains the model."""
    return find_adapters().by_name[manifest.ports["training_client"].adapter]


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if has_gpu() else "cpu"
    if asked == "cuda" and not has_gpu():
        raise ConfigError("device: given 'cuda', but no NVIDIA GPU was found here; use device=cpu")
    return asked
