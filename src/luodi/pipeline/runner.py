"""Runs stages, or takes what they made before from the store.

A stage works in an attempt's own folder. Its artifact is stored, then its action record is written: the record is
the only proof of completion, so a kill at any moment leaves either nothing or everything.
"""

from __future__ import annotations

import json
import shutil
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luodi.errors import LuodiError, StageError
from luodi.pipeline.code import code_files
from luodi.pipeline.executor import Executor, LocalExecutor, ShardResult
from luodi.pipeline.keys import action_key, environment, key_parts, why_changed
from luodi.pipeline.lease import lease
from luodi.pipeline.progress import Listener, Silent
from luodi.pipeline.rows import Row, digest_rows, read_lineage, read_rows, write_lineage, write_rows
from luodi.pipeline.stage import MEASUREMENTS, Context, ShardFunction, Stage
from luodi.store import Action, Store, digest_json, write_json
from luodi.store.atomic import disk_errors

LATEST = "latest.json"


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run would do with a stage. `why` is "" if its result is in the store."""

    stage: str
    why: str
    action: Action | None


class Runner:
    """Runs the stages of one project in the order given, which must put inputs first."""

    def __init__(
        self,
        store: Store,
        stages: Sequence[Stage],
        *,
        project: Path,
        seed: int,
        executor: Executor | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.store = store
        self.stages = list(stages)
        self.project = project
        self.seed = seed
        self.executor = executor or LocalExecutor()
        self.listener = listener or Silent()
        self._latest = store.root / "runs" / LATEST
        known: set[str] = set()
        for stage in self.stages:
            missing = [name for name in stage.inputs.values() if name not in known]
            if missing:
                raise ValueError(f"stage {stage.name!r} comes before its input {missing[0]!r}")
            known.add(stage.name)

    def upto(self, to: str | None) -> list[Stage]:
        """The stages a run to `to` needs, in order."""
        if to is None:
            return self.stages
        names = [s.name for s in self.stages]
        if to not in names:
            raise StageError(f"there is no stage {to!r}", f"the stages are {', '.join(names)}")
        needed = {to}
        for stage in reversed(self.stages):
            if stage.name in needed:
                needed |= set(stage.inputs.values())
        return [s for s in self.stages if s.name in needed]

    def latest(self) -> dict[str, str]:
        """Key of the last action of every stage of this project."""
        try:
            loaded = json.loads(self._latest.read_bytes())
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def plan(self, to: str | None = None) -> list[Planned]:
        """What a run would do, and why; changes nothing."""
        last = self.latest()
        outputs: dict[str, str] = {}
        planned = []
        for stage in self.upto(to):
            waiting = [name for name in stage.inputs.values() if name not in outputs]
            if waiting:
                planned.append(Planned(stage.name, f"after {', '.join(waiting)}", None))
                continue
            parts, action = self._lookup(stage, outputs)
            if action is not None:
                outputs[stage.name] = action.output
                planned.append(Planned(stage.name, "", action))
            else:
                planned.append(Planned(stage.name, self._why(stage, parts, last), None))
        return planned

    def run(self, to: str | None = None) -> dict[str, Action]:
        """Bring every stage up to date; returns the action of each."""
        done: dict[str, Action] = {}
        with lease(self.store.root / "run.lock"):
            latest = self.latest()
            for stage in self.upto(to):
                outputs = {name: action.output for name, action in done.items()}
                parts, action = self._lookup(stage, outputs)
                if action is not None:
                    self.listener.stage_finished(stage.name, action.summary, action.seconds, True)
                else:
                    self.listener.stage_started(stage.name, self._why(stage, parts, latest))
                    action = self._execute(stage, parts, done)
                    self.listener.stage_finished(stage.name, action.summary, action.seconds, False)
                done[stage.name] = action
                if latest.get(stage.name) != action.key:
                    latest[stage.name] = action.key
                    write_json(self._latest, latest)
        return done

    def _lookup(self, stage: Stage, outputs: Mapping[str, str]) -> tuple[dict[str, Any], Action | None]:
        inputs = {name: outputs[maker] for name, maker in stage.inputs.items()}
        parts = key_parts(stage, inputs, self.seed)
        action = self.store.actions.get(action_key(parts))
        if action is None or action.output not in self.store.artifacts:
            return parts, None
        return parts, action

    def _why(self, stage: Stage, parts: dict[str, Any], latest: Mapping[str, str]) -> str:
        last = self.store.actions.get(latest.get(stage.name, ""))
        return why_changed(last.parts, parts) if last else "never ran here"

    def _execute(self, stage: Stage, parts: dict[str, Any], done: Mapping[str, Action]) -> Action:
        started = time.monotonic()
        key = action_key(parts)
        try:
            with disk_errors(f"stage {stage.name} could not write"):
                shutil.rmtree(self.store.folder("work") / key, ignore_errors=True)  # what killed attempts left
                attempt = self.store.folder("work") / key / uuid.uuid4().hex[:8]
                out = attempt / "out"
                out.mkdir(parents=True)
                state = self.store.folder("state") / key
                state.mkdir(exist_ok=True)
                inputs = {}
                for name, maker in stage.inputs.items():
                    artifact = self.store.artifacts.get(done[maker].output)
                    self.store.artifacts.verify(artifact)
                    inputs[name] = artifact.files
                shards: list[str] = []
                function, params = stage.load()
                context = Context(
                    stage=stage.name,
                    params=params,
                    inputs=inputs,
                    out=out,
                    state=state,
                    seed=self.seed,
                    project=self.project,
                    downloads=self.store.folder("downloads"),
                    store=self.store,
                    map_shards=lambda f, rows, params: self._map(stage, f, rows, params, shards),
                    made_from=dict(done),
                    report=lambda d, t, n: self.listener.stage_progress(stage.name, d, t, n),
                )
                function(context)
                if context.measurements:
                    context.write_json(MEASUREMENTS, [m.as_dict() for m in context.measurements])
                artifact = self.store.artifacts.add(
                    out, kind=stage.name, about={"stage": stage.name, "key": key, "parts": parts}
                )
                action = Action(
                    key=key,
                    stage=stage.name,
                    output=artifact.digest,
                    parts=parts,
                    summary=context.summary,
                    measurements=[m.as_dict() for m in context.measurements],
                    shards=shards,
                    seconds=round(time.monotonic() - started, 2),
                    time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                )
                self.store.actions.put(action)
                shutil.rmtree(attempt.parent, ignore_errors=True)
                shutil.rmtree(state, ignore_errors=True)
        except LuodiError as error:
            self.listener.stage_failed(stage.name, error.message)
            raise
        except Exception as error:
            log = self.store.folder("logs") / f"{stage.name}-{time.strftime('%Y%m%d-%H%M%S')}.log"
            with disk_errors(f"{log} could not be written"):
                log.write_text(traceback.format_exc(), "utf-8", "backslashreplace")
            self.listener.stage_failed(stage.name, str(error))
            raise StageError(
                f"stage {stage.name} failed: {type(error).__name__}: {error}",
                f"the details are in {log}; nothing is lost",
            ) from error
        return action

    def _map(
        self, stage: Stage, function: ShardFunction, shards: Sequence[list[Row]], params: Any, used: list[str]
    ) -> list[ShardResult]:
        """Results of all shards in their order. Every finished shard has its own action record."""
        common = {
            "stage": f"{stage.name}/shard",
            "code": code_files(function.__module__),
            "params": params.model_dump(mode="json"),
            "environment": environment(stage.libraries),
            "function": function.__qualname__,
        }
        keys = [digest_json(common | {"rows": digest_rows(rows)}) for rows in shards]
        used.extend(keys)
        results: dict[int, ShardResult] = {}
        for index, key in enumerate(keys):
            action = self.store.actions.get(key)
            if action is not None and action.output in self.store.artifacts:
                artifact = self.store.artifacts.get(action.output)
                self.store.artifacts.verify(artifact)
                results[index] = (read_rows(artifact.files), read_lineage(artifact.files))
        missing = [i for i in range(len(shards)) if i not in results]
        self.listener.stage_progress(stage.name, len(results), len(shards), "")
        for position, result in self.executor.run(function, [shards[i] for i in missing], params):
            index = missing[position]
            out = self.store.folder("work") / keys[index] / "out"
            shutil.rmtree(out.parent, ignore_errors=True)
            out.mkdir(parents=True)
            write_rows(out, result[0])
            write_lineage(out, result[1])
            artifact = self.store.artifacts.add(
                out, kind=f"{stage.name}/shard", about={"stage": stage.name, "key": keys[index]}
            )
            self.store.actions.put(
                Action(key=keys[index], stage=f"{stage.name}/shard", output=artifact.digest, parts=common)
            )
            shutil.rmtree(out.parent, ignore_errors=True)
            results[index] = result
            self.listener.stage_progress(stage.name, len(results), len(shards), "")
        return [results[i] for i in range(len(shards))]
