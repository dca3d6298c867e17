"""Optimisation: members are chosen by a search, computed at once, and kept as a dataset.

A search is repeatable: the same file with the same seed proposes the same points, whatever ran before. So one that was
stopped is started again, and finds on disk what it had computed.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from solvers.errors import ComputationError, InputError
from solvers.studies.engine import run_members
from solvers.studies.file import Located, Sample
from solvers.studies.folder import DONE, MISSING, StudyFolder
from solvers.studies.gradient import gradient
from solvers.studies.outcome import Evaluate, Outcome
from solvers.studies.plan import Builder, Member, Plan
from solvers.studies.progress import StudyProgress
from solvers.studies.room import find_room
from solvers.studies.search_file import SearchFile
from solvers.studies.study import Study, member_results, write_study
from solvers.studies.sums import is_sum, read_sum

POPULATION = 16  # of a generation of NSGA-II
SIMPLEX = 0.25  # first steps of Nelder-Mead, of each range


class _Ended(Exception):
    """All evaluations are done."""


def run_search(
    search: Located[SearchFile],
    builder: Builder,
    limits: dict[str, tuple[float, float]],
    output: Path,
    member_time: float | None = None,
    quiet: bool = False,
) -> Study:
    """Search until all evaluations are done, or go on with it.

    Args:
        search: the file, with `builder` and `limits` from `read_search`.
        builder: makes the members.
        limits: of the constraints.
        output: new folder, or that of this search.
        member_time: s after which a member is stopped; None: never.
        quiet: print nothing.

    Raises:
        InputError: the folder is another one's.
        ComputationError: the engine failed, or no member could be computed.
        KeyboardInterrupt: stopped by a signal.
    """
    folder = StudyFolder(output)
    file = search.file
    what = [
        file.method,
        file.seed,
        file.moving_mesh,
        file.vary,
        file.minimise,
        file.maximise,
        limits,
        builder.first.to_toml(),
    ]
    identity = hashlib.sha256(repr(what).encode()).hexdigest()
    folder.check(identity)
    with folder.open(identity, search.path):
        members = _Members(search, builder, limits, folder, member_time, quiet)
        methods = {"nelder-mead": _nelder_mead, "gradient": gradient}
        try:
            methods.get(search.file.method, _optuna)(search.file, builder, members.evaluate, members.at_once)
        except _Ended:
            pass
        finally:
            members.progress.close()
        best = members.write()
        if best is None:
            raise ComputationError(f"no member of the search could be computed within its constraints; see {output}")
        shutil.copy(folder.member(best.sha) / "member.toml", folder.path / "best.toml")
    return Study.load(output)


class _Members:
    """The members computed so far."""

    def __init__(
        self,
        search: Located[SearchFile],
        builder: Builder,
        limits: dict[str, tuple[float, float]],
        folder: StudyFolder,
        member_time: float | None,
        quiet: bool,
    ) -> None:
        self.search, self.builder, self.limits, self.folder = search, builder, limits, folder
        self.member_time = member_time
        self.room = find_room()
        self.at_once = self.room.at_once(search.file.ranks)
        self.members: list[Member] = []
        self.results: list[dict[str, Any]] = []
        self.outcomes: list[Outcome] = []
        self.sums = {name: read_sum(name, builder.first) for name in limits if is_sum(name)}
        self.refused = 0
        self.progress = StudyProgress(search.file.evaluations, 0, self.at_once, quiet)

    def evaluate(self, points: list[list[Any]]) -> list[Outcome]:
        """Compute points, those first that are left of the evaluations.

        Raises:
            _Ended: none is left.
        """
        left = self.search.file.evaluations - len(self.members) - self.refused
        if left <= 0:
            raise _Ended
        proposed: list[Member | None] = []
        for point in points[:left]:
            try:
                proposed.append(self.builder.member((len(self.members) + len(proposed),), point))
            except InputError:  # values that are right one by one may make no case together
                proposed.append(None)
                self.refused += 1
        members = [member for member in proposed if member is not None]
        missing = {m.sha: m for m in members if self.folder.record(m.sha).status == MISSING}
        for member in missing.values():
            self.folder.prepare(member)
        if missing:
            ranks = self.search.file.ranks
            run_members(self.folder, list(missing), ranks, self.room, self.member_time, lambda: None)
        found = {m.sha: member_results(self.folder, m.sha, self.search.file.collect) for m in members}
        self.members += members
        self.results += [found[member.sha] for member in members]
        outcomes = [Outcome(None, []) if m is None else self._outcome(m, found[m.sha]) for m in proposed]
        self.outcomes += [o for o, m in zip(outcomes, proposed, strict=True) if m is not None]
        states = [result["status"] for result in self.results]
        self.write()
        self.progress.show(states.count(DONE), len(states) - states.count(DONE) + self.refused)
        return outcomes + [Outcome(None, [])] * (len(points) - len(outcomes))

    def _outcome(self, member: Member, result: dict[str, Any]) -> Outcome:
        file = self.search.file
        values = [result[name] for name in file.minimise] + [-result[name] for name in file.maximise]
        if result["status"] != DONE or not np.isfinite(values).all():
            return Outcome(None, [])
        violations = []
        for name, (low, high) in self.limits.items():
            value = self.sums[name].of(member.case) if name in self.sums else result[name]
            for bound, excess in ((low, low - value), (high, value - high)):
                if np.isfinite(bound):
                    violations.append(float(np.nan_to_num(excess, nan=np.inf)) / (abs(bound) or 1.0))
        return Outcome([float(value) for value in values], violations)

    def write(self) -> Member | None:
        """Write the dataset; returns the best member: that of the smallest first objective."""
        good = [o.objectives is not None and all(v <= 0 for v in o.violations) for o in self.outcomes]
        scores = [o.objectives for o in self.outcomes]
        best = [
            g and not any(_better(other, s) for other, h in zip(scores, good, strict=True) if h)
            for s, g in zip(scores, good, strict=True)
        ]
        results = [
            r | {"feasible": float(g), "best": float(b)} for r, g, b in zip(self.results, good, best, strict=True)
        ]
        if not results:
            return None
        file = self.search.file
        plan = Plan(
            self.search,
            tuple(self.builder.variables),
            (tuple(range(len(self.builder.variables))),),
            (len(self.members),),
            tuple(self.members),
            Sample(file.method, file.evaluations, file.seed),
        )
        aims = {"minimise": file.minimise, "maximise": file.maximise}
        write_study(self.folder.path, plan, results, {key: names for key, names in aims.items() if names})
        ranked = [
            (score[0], k) for k, (score, b) in enumerate(zip(scores, best, strict=True)) if b and score is not None
        ]
        return self.members[min(ranked)[1]] if ranked else None


def _better(one: list[float] | None, other: list[float] | None) -> bool:
    """Whether one is nowhere worse and somewhere better."""
    if one is None or other is None:
        return other is None and one is not None
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def _optuna(file: SearchFile, builder: Builder, evaluate: Evaluate, at_once: int) -> None:
    """Ask Optuna for as many points as run at once, and tell it what came out."""
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

    optuna.logging.set_verbosity(logging.WARNING)
    space: dict[str, BaseDistribution] = {}
    choices: dict[str, list[Any]] = {}
    for j, (path, variable) in enumerate(zip(builder.paths, builder.variables, strict=True)):
        values = builder.varied[path]
        if isinstance(values, list):
            choices[variable.key] = values
            space[variable.key] = CategoricalDistribution(list(range(len(values))))
        elif variable.ends is not None:
            low, high = variable.ends
            whole = builder.is_whole(j)
            space[variable.key] = (
                IntDistribution(int(low), int(high), log=variable.log)
                if whole
                else FloatDistribution(low, high, log=variable.log)
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        options: dict[str, Any] = {"seed": file.seed}
        if file.constraint:
            options["constraints_func"] = lambda trial: trial.user_attrs.get("violations") or [1.0]
        if file.method == "nsga2":
            sampler: Any = optuna.samplers.NSGAIISampler(population_size=POPULATION, **options)
        else:
            sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, **options)
    objectives = len(file.minimise) + len(file.maximise)
    study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
    while True:
        trials = [study.ask(space) for _ in range(at_once)]
        points = [[choices[k][v] if k in choices else v for k, v in trial.params.items()] for trial in trials]
        for trial, outcome in zip(trials, evaluate(points), strict=True):
            if outcome.objectives is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                trial.set_user_attr("violations", outcome.violations)
                study.tell(trial, outcome.objectives)


def _nelder_mead(file: SearchFile, builder: Builder, evaluate: Evaluate, at_once: int) -> None:
    """Scipy's simplex in the ranges scaled to 0..1; started again around the best point when it has settled."""
    from scipy.optimize import minimize

    def objective(share: Sequence[float]) -> float:
        [outcome] = evaluate([builder.point(share)])
        if outcome.objectives is None or any(violation > 0 for violation in outcome.violations):
            return float("inf")
        return outcome.objectives[0]

    count = len(builder.variables)
    start: Any = np.full(count, 0.5)
    step = SIMPLEX
    while True:
        simplex = np.vstack(
            [start, *(start + step * np.where(start > 0.5, -1.0, 1.0) * unit for unit in np.eye(count))]
        )
        options = {"initial_simplex": simplex, "xatol": 1e-3, "fatol": 0.0}
        with np.errstate(invalid="ignore"):  # differences of infinite objectives
            found = minimize(objective, start, method="Nelder-Mead", bounds=[(0.0, 1.0)] * count, options=options)
        start, step = np.asarray(found.x), step / 2
