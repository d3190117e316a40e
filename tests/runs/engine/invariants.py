"""What may never be seen of the engine's rows, whatever came before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from runs.engine.children import waits
from runs.engine.clock import database_now
from runs.engine.gathering import is_over
from runs.engine.held import state_of
from runs.engine.plan import plan
from runs.engine.versions import Compiled, compiled
from runs.models import Job, Run, StepRun
from runs.states import FINAL_RUN, FINAL_STEP, RunStatus, StepStatus
from tests.runs.engine.stories import ITEMS, World

OPEN = (StepStatus.RUNNING, StepStatus.WAITING)
FAR = 9999
# Nothing else may go wrong: another class of error is the engine's own fault.
ERRORS = {
    "", "Weather", "wait_timeout", "item_failed", "child_failed", "unknown", "poison",
    "cancelled",
}  # fmt: skip


@dataclass
class Rows:
    """All runs, jobs and steps as they are stored at one moment."""

    now: datetime
    runs: dict[UUID, Run]
    jobs: dict[UUID, Job]
    steps: dict[UUID, dict[str, StepRun]]
    versions: dict[UUID, Compiled]

    @classmethod
    def read(cls) -> Rows:
        rows = Run.objects.select_related("workflow").defer(
            "body", "headers", "query", "output"
        )
        runs = {run.pk: run for run in rows}
        steps: dict[UUID, dict[str, StepRun]] = defaultdict(dict)
        for step in StepRun.objects.defer("input", "output").order_by("pk"):
            steps[step.run_id][step.node_id] = step
        versions = {}
        for key, version in compiled(run.version_id for run in runs.values()).items():
            assert isinstance(version, Compiled)
            versions[key] = version
        jobs = {job.run_id: job for job in Job.objects.order_by("pk")}
        return cls(database_now(), runs, jobs, steps, versions)

    def level(self, run: Run) -> Compiled:
        """The graph that this run walks."""
        version = self.versions[run.version_id]
        return version.body(run.parent_node) if run.item_index is not None else version

    def root(self, run: Run) -> UUID:
        return run.root_run_id or run.pk

    def live_children(self) -> Counter[tuple[UUID | None, str]]:
        """How many children of each step have not ended, redrives aside."""
        return Counter(
            (run.parent_id, run.parent_node)
            for key in self.jobs
            if (run := self.runs[key]).parent_id and run.replay_of_id is None
        )

    @property
    def asking(self) -> list[StepRun]:
        """Steps that wait for an answer."""
        return [
            step
            for rows in self.steps.values()
            for step in rows.values()
            if step.status == StepStatus.WAITING and step.waiting_for == "signal"
        ]


@dataclass
class Memory:
    """What was seen before, which must not change: ends, versions, answers."""

    world: World
    numbers: dict[UUID, int] = field(default_factory=dict)
    answers: dict[tuple[UUID, str], str] = field(default_factory=dict)
    ended: dict[UUID, tuple[Any, ...]] = field(default_factory=dict)
    settled: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    versions: dict[UUID, UUID] = field(default_factory=dict)
    collected: set[int] = field(default_factory=set)

    def check(self, rows: Rows) -> None:
        """Every invariant, on these rows."""
        for run in rows.runs.values():
            pinned = self.versions.setdefault(run.pk, run.version_id)
            assert pinned == run.version_id, "a run keeps its version"
            steps = rows.steps[run.pk]
            self._check_steps(rows.level(run), steps.values())
            job = rows.jobs.get(run.pk)
            if run.status in FINAL_RUN:
                self._check_ended(run, job, steps.values(), rows.level(run))
            else:
                assert job is not None, "an unfinished run without a job is lost"
                check_job(rows, run, job)
        self._check_effects(rows)
        self._check_answers(rows)
        check_children(rows)
        check_limits(rows)
        check_keys(rows)
        check_families(rows)

    def _check_ended(
        self, run: Run, job: Job | None, steps: Iterable[StepRun], level: Compiled
    ) -> None:
        end = (run.status, run.finished_at, run.error_class, run.error_message)
        assert self.ended.setdefault(run.pk, end) == end, "a final state is final"
        assert job is None, "a run that has ended has no job"
        assert not [step for step in steps if step.status in OPEN]
        assert run.error_class in ERRORS, (run.error_class, run.error_message)
        if run.status == RunStatus.SUCCEEDED:
            known = (StepStatus.SUCCEEDED, StepStatus.SKIPPED, StepStatus.FAILED)
            assert {step.status for step in steps} <= set(known)
        stops = [
            step
            for step in steps
            if step.status == StepStatus.FAILED
            and level.graph.on_error[step.node_id] == "stop"
        ]
        ends_by_a_step = run.error_class not in ("poison", "cancelled")
        failed = run.status in (RunStatus.FAILED, RunStatus.DEAD_LETTER)
        assert not (stops and run.status == RunStatus.SUCCEEDED), "on_error is stop"
        assert stops or not (failed and ends_by_a_step), "no step made it fail"

    def _check_steps(self, level: Compiled, steps: Iterable[StepRun]) -> None:
        for step in steps:
            assert step.node_id in level.nodes, "a step of another version"
            assert step.kind == level.nodes[step.node_id].kind
            assert step.error_class in ERRORS, (step.error_class, step.error_message)
            if step.status not in FINAL_STEP:
                assert step.pk not in self.settled, "a finished step is finished"
                continue
            end = (step.status, step.port, step.finished_at, step.attempt)
            assert self.settled.setdefault(step.pk, end) == end, "a step ends once"
            if step.kind == "for_each" and step.status == StepStatus.SUCCEEDED:
                self._check_results(step)

    def _check_results(self, step: StepRun) -> None:
        """A loop's results are complete, in the order of the items."""
        if step.pk in self.collected:
            return
        self.collected.add(step.pk)
        output: Any = StepRun.objects.values_list("output", flat=True).get(pk=step.pk)
        failed = [item["index"] for item in output["failed"]]
        expected = [
            None if index in failed else {"n": item} for index, item in enumerate(ITEMS)
        ]
        assert output["results"] == expected
        assert step.port == ("item_failed" if failed else "")

    def _check_effects(self, rows: Rows) -> None:
        """One key for all attempts of a step, for no other step; the right value."""
        owners: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
        for (run_id, node_id), keys in self.world.keys.items():
            run = rows.runs[UUID(run_id)]
            row = rows.steps[run.pk].get(node_id)
            stored = {row.idempotency_key} if row is not None else set()
            assert len(keys) == 1
            assert keys <= stored, "the key of the effect is that of its row"
            place = (rows.root(run), node_id, run.parent_node, run.item_index)
            owners[next(iter(keys))].add(place)
            value = self.numbers[rows.root(run)]
            if run.item_index is not None:
                value = ITEMS[run.item_index]
            assert self.world.values[run_id, node_id] == {value}
            if node_id == "once":
                assert self.world.sent[run_id, node_id] <= 1, "on_unknown is fail"
        assert all(len(places) == 1 for places in owners.values())

    def _check_answers(self, rows: Rows) -> None:
        """An answer that was taken is what its step gets, whatever else happens."""
        for (run_id, node_id), decision in self.answers.items():
            step = rows.steps[run_id].get(node_id)
            if step is None or step.status == StepStatus.CANCELLED:
                continue
            if step.status == StepStatus.SKIPPED:
                continue
            if step.status in FINAL_STEP:
                found = (step.status, step.port)
                assert found == (StepStatus.SUCCEEDED, decision), "an answer was lost"
            else:
                assert step.waiting_for != "signal", "an answered step still waits"


def check_job(rows: Rows, run: Run, job: Job) -> None:
    """Somebody works on the run, or will; nothing is put off that could be done."""
    steps = rows.steps[run.pk]
    statuses = {step.status for step in steps.values()}
    if job.lease_token is not None:
        return
    assert StepStatus.RUNNING not in statuses, "a step in flight without a lease"
    if job.due_at.year == FAR:
        began = [s for s in steps.values() if s.attempt and s.carried_from_id is None]
        assert not began, "it has begun and is held back"
        assert _is_held(rows, run) or _is_parked(rows, job), "nobody will wake it"
        return
    if job.due_at <= rows.now:
        return
    dues = [step.due_at for step in steps.values() if step.status == StepStatus.WAITING]
    assert job.due_at <= min(filter(None, dues), default=job.due_at)
    states = {key: state_of(step) for key, step in steps.items()}
    now = plan(rows.level(run).graph, states, rows.now, run.start)
    idle = (now.start, now.skip, now.complete, now.end) == ((), (), (), None)
    assert idle, "it oversleeps"
    over = [step for step in steps.values() if waits(step) and is_over(step)]
    assert not over, "its children have ended and nobody woke it"


def _is_held(rows: Rows, run: Run) -> bool:
    """A child that waits for a living sibling, or for the sweep."""
    if run.parent_id is None:
        return False
    parent = rows.steps[run.parent_id][run.parent_node]
    if parent.status != StepStatus.WAITING or is_over(parent):
        return parent.children_left > 0
    siblings = [
        job
        for key, job in rows.jobs.items()
        if rows.runs[key].parent_id == run.parent_id
        and rows.runs[key].parent_node == run.parent_node
    ]
    return any(job.due_at.year != FAR or job.lease_token for job in siblings)


def _is_parked(rows: Rows, job: Job) -> bool:
    """A run whose key somebody older has."""
    return any(
        other.holds_key or (other.due_at.year != FAR and other.pk < job.pk)
        for other in rows.jobs.values()
        if job.exclusive_key
        and (other.workflow_id, other.exclusive_key)
        == (job.workflow_id, job.exclusive_key)
    )


def check_children(rows: Rows) -> None:
    """Each counter is the number of its living children."""
    living = rows.live_children()
    for steps in rows.steps.values():
        for step in steps.values():
            count = living.pop((step.run_id, step.node_id), 0)
            assert step.children_left == count, "the counter and the children differ"
    assert not living, "a child without a step that started it"


def check_limits(rows: Rows) -> None:
    """max_concurrent_runs is never exceeded, and who works has a slot."""
    slots: Counter[UUID] = Counter()
    for key, job in rows.jobs.items():
        workflow = rows.runs[key].workflow
        if workflow.max_concurrent_runs is None:
            continue
        slots[workflow.pk] += job.holds_slot
        assert job.holds_slot or job.lease_token is None, "it works without a slot"
        assert slots[workflow.pk] <= workflow.max_concurrent_runs


def check_keys(rows: Rows) -> None:
    """Runs of one exclusive key never overlap, and begin as they came."""
    groups: dict[tuple[UUID, str], list[Job]] = defaultdict(list)
    for job in rows.jobs.values():
        if job.exclusive_key:
            groups[job.workflow_id, job.exclusive_key].append(job)
    for jobs in groups.values():
        begun = [
            job
            for job in jobs
            if job.lease_token or rows.runs[job.run_id].status == RunStatus.RUNNING
        ]
        assert len(begun) <= 1, "two runs of one key at once"
        assert all(job.holds_key for job in begun)
        assert begun in ([], jobs[:1]), "a younger run of the key went first"


def check_families(rows: Rows) -> None:
    """Redrives do not overlap: in each place of an event's family one run goes on."""
    places = Counter(
        (rows.root(run), run.parent_id, run.parent_node, run.item_index)
        for key in rows.jobs
        if (run := rows.runs[key])
    )
    assert all(count == 1 for count in places.values())
