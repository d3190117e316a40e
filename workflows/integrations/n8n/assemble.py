"""One pass over a workflow: each node is converted, the document is put together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from workflows.integrations.n8n.connected import NOTHING, connected
from workflows.integrations.n8n.data import Data, Plain, Through, ancestors
from workflows.integrations.n8n.drawing import Drawing
from workflows.integrations.n8n.ending import Ending, ends_of_body, given_by
from workflows.integrations.n8n.findings import Findings
from workflows.integrations.n8n.flow import DONE
from workflows.integrations.n8n.js_tree import NotRead
from workflows.integrations.n8n.literals import without_literals
from workflows.integrations.n8n.nodes import base
from workflows.integrations.n8n.nodes.base import Answer, Job, Made, Start, Starts
from workflows.integrations.n8n.placeholders import stands_for, why_not
from workflows.integrations.n8n.report import Report
from workflows.integrations.n8n.scope import NodeScope
from workflows.integrations.n8n.source import STICKY_NOTE, Node, Source, text
from workflows.integrations.n8n.starting import Triggers
from workflows.integrations.n8n.templates import Values
from workflows.triggers.schedule import time_zones

logger = logging.getLogger(__name__)
SENDS = frozenset({"http_request", "email", "slack", "n8n"})
LONGEST_RUN = 31_622_400  # seconds that a run_timeout may have
# What reading a value of another shape than n8n writes may raise.
MISSHAPEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class Assembly:
    """Nodes in `given_up` become placeholders; those in `bare` without any settings."""

    def __init__(
        self,
        source: Source,
        slugs: Mapping[str, str],
        given_up: Mapping[str, str],
        bare: Collection[str],
    ) -> None:
        self.source = source
        self.slugs = slugs
        self.given_up = given_up
        self.bare = bare
        names = [node.name for node in source.nodes if node.type != STICKY_NOTE]
        self.findings = Findings(source, names)
        self.connected = connected(source, self.findings.warnings.append)
        self.nodes, self.ids = self.connected.nodes, self.connected.ids
        self.variables: dict[str, str] = {}
        self.made: dict[str, Made] = {}
        self.triggers = Triggers(self.connected, self.findings, bare)
        flow = self.connected.flow
        self.data = Data(flow, triggers=self.connected.triggers, before=ancestors(flow))
        self.waits = tuple(
            self.ids[name] for name in self.nodes if self._is_awaited(name)
        )
        self.answers: dict[str, Answer] = {}
        self._convert_all()
        self._turns()
        self._literals()

    def document(self) -> dict[str, Any]:
        """What a workflow's document is here, as a draft."""
        graph = Drawing(self.connected, self.made, self.findings, self._give_up).draw()
        ending = Ending(self.connected, self.made, self.findings, self.data)
        output = ending.draw(graph, self.answers)
        if self.triggers.is_idle or not graph["nodes"]:
            nothing = {"id": NOTHING, "type": "set", "config": {"values": {}}}
            graph["nodes"].append(nothing)
        if not self.triggers.made:
            self.findings.warnings.append("it has no trigger: it is started by hand")
        timeout = self.source.settings.get("executionTimeout")
        document: dict[str, Any] = {
            "name": self.source.name or "n8n workflow",
            "status": "draft",
            **graph,
            "variables": dict(self.variables),
            "triggers": self.triggers.all(graph),
        }
        if output:
            document["output"] = output
        if self.source.description:
            document["description"] = self.source.description
        if self.source.tags:
            document["tags"] = list(dict.fromkeys(self.source.tags))[:20]
        if isinstance(timeout, int) and 0 < timeout <= LONGEST_RUN:
            document["run_timeout"] = timeout
        return document

    def report(self) -> Report:
        """What became of each node; complete once the document was made."""
        return self.findings.report(self.nodes, self.ids)

    def _is_awaited(self, name: str) -> bool:
        """Whether the node becomes a step that waits for a call, once in each run."""
        node = self.nodes[name]
        return (
            node.type == "n8n-nodes-base.wait"
            and node.parameters.get("resume") == "webhook"
            and not self.connected.flow.loops_around(name)
            and not node.disabled
            and name not in self.given_up
        )

    def _convert_all(self) -> None:
        """Each after those that lead to it, because it reads what they give."""
        for name, node in self.nodes.items():
            if name in self.connected.triggers:
                self._start(node)
        waiting = [""]
        while waiting:
            owner = waiting.pop()
            for name in self.connected.flow.order(owner):
                self._step(self.nodes[name])
                if name in self.connected.flow.levels:
                    waiting.append(name)
        for name, node in self.nodes.items():
            if name in self.connected.stand_ins:
                self.triggers.add_stand_in(node)

    def _job(self, node: Node) -> tuple[Job, NodeScope]:
        scope = NodeScope(
            node=node.name,
            data=self.data,
            ids=frozenset(self.ids.values()),
            variables=self.variables,
            workflow_name=self.source.name,
            waits=self.waits,
        )
        zone = text(self.source.settings.get("timezone"))
        job = Job(
            node=node,
            id=self.ids[node.name],
            values=Values(scope),
            data=self.data,
            timezone=zone if zone in time_zones() else "",
            slugs=self.slugs,
        )
        return job, scope

    def _told(self, job: Job, scope: NodeScope) -> None:
        for sentence in job.values.notes:
            self.findings.differ(job.node.name, sentence)
        for sentence in scope.noted:
            self.findings.note(job.node.name, sentence)

    def _start(self, node: Node) -> None:
        job, scope = self._job(node)
        starter = base.starter_of(node)
        assert starter is not None  # noqa: S101 - the others are stand-ins
        try:
            made = starter(job)
        except MISSHAPEN as error:
            logger.exception(
                "n8n: a trigger of the type %s was not converted", node.type
            )
            self.findings.differ(node.name, _misshapen(error))
            made = Starts([Start("manual")], Plain("trigger.payload"))
        self.data.outputs[node.name] = made.output
        if made.answer is not None:
            self.answers[node.name] = made.answer
        self._told(job, scope)
        self.triggers.add(node, made.triggers)

    def _step(self, node: Node) -> None:
        job, scope = self._job(node)
        try:
            made = self._made(job)
        except NotRead as error:
            made = self._give_up(node.name, str(error))
        except MISSHAPEN as error:
            logger.exception("n8n: a node of the type %s was not converted", node.type)
            made = self._give_up(node.name, _misshapen(error))
        else:
            self._told(job, scope)
            if node.name in self.data.joins:
                self.findings.differ(
                    node.name,
                    "its data may come from several nodes: the first that ran is read",
                )
            self._settings(node, made)
        self.made[node.name] = made
        self.data.outputs[node.name] = made.output
        self.findings.became[node.name] = made.type

    def _made(self, job: Job) -> Made:
        node = job.node
        if node.name in self.given_up:
            raise NotRead(self.given_up[node.name])
        if node.disabled:  # what arrives goes on
            config = stands_for(
                node,
                "it is switched off in n8n",
                passes=True,
                bare=node.name in self.bare,
            )
            return Made("placeholder", config, Through(node.name))
        if node.name in self.connected.serves:
            served = self.connected.serves[node.name]
            raise NotRead(f'it serves "{served}", which has no counterpart')
        converter = base.converter_of(node)
        if converter is None:
            raise NotRead(
                "a trigger that has no counterpart here"
                if node.name in self.connected.stand_ins
                else why_not(node)
            )
        return converter(job)

    def _give_up(self, name: str, reason: str) -> Made:
        """A placeholder with every port that the workflow draws."""
        self.findings.unsupported(name, reason)
        passes = name in self.connected.stand_ins
        config = stands_for(
            self.nodes[name], reason, passes=passes, bare=name in self.bare
        )
        everything = {edge.output: ["success"] for edge in self.source.main()}
        output = Plain("trigger.payload" if passes else f"steps.{self.ids[name]}")
        ports = {**everything, DONE: ["success"]}
        return Made("placeholder", config, output, ports=ports)

    def _settings(self, node: Node, made: Made) -> None:
        """What all nodes have: retries, and what follows an error."""
        if made.type in SENDS:
            made.settings["retry"] = {"max_attempts": node.attempts}
            if node.attempts > 1:
                made.settings["retry"] |= {
                    "backoff": "fixed",
                    "initial": node.wait,
                    "jitter": 0,
                }
            if made.timeout is not None:
                made.settings["timeout"] = made.timeout
        elif node.attempts > 1:
            self.findings.differ(node.name, "it is not tried again: it sends nothing")
        if node.on_error == "branch":
            outputs = [o for o in made.ports if o != DONE]
            made.ports[max(outputs, default=-1) + 1] = ["failure"]
        if node.on_error != "stop":
            made.settings["on_error"] = node.on_error

    def _turns(self) -> None:
        """What each turn of a loop gives, where something reads it."""
        for owner, level in self.connected.flow.levels.items():
            ends = ends_of_body(level, self.made)
            if not ends or self.made[owner].type != "for_each":
                continue
            try:
                source = given_by(ends, self.made, self.ids, self.data)
            except NotRead as error:
                self.findings.differ(owner, f"what each item gives: {error}")
            else:
                self.made[owner].config["output"] = f"{{{{ {source} }}}}"

    def _literals(self) -> None:
        """Credentials that stand in the workflow may stay only where secrets may."""
        for name, made in self.made.items():
            made.config, lost = without_literals(self.ids[name], made.type, made.config)
            for place in lost:
                self.findings.differ(
                    name,
                    f"{place} held what looks like a credential: it was taken out; "
                    "make it a secret and use it in an HTTP step",
                )


def _misshapen(error: Exception) -> str:
    return f"its settings are of a form that is not known ({type(error).__name__})"
