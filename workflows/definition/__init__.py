"""A workflow's definition: pure functions from documents to checked canonical form."""

from workflows.definition.bodies import (
    Level,
    Located,
    body_of,
    node_ids,
    own_config,
    walk_graphs,
    walk_nodes,
)
from workflows.definition.canonical import canonical_json, digest
from workflows.definition.credentials import extract_literals
from workflows.definition.diff import Change, ChangeKind, diff
from workflows.definition.graph import Graph
from workflows.definition.info import ActionInfo
from workflows.definition.normalise import Normalised, normalise
from workflows.definition.problems import DefinitionError, Problem
from workflows.definition.schema import definition_schema
from workflows.definition.validate import check, structural_problems, validate

__all__ = [
    "ActionInfo",
    "Change",
    "ChangeKind",
    "DefinitionError",
    "Graph",
    "Level",
    "Located",
    "Normalised",
    "Problem",
    "body_of",
    "canonical_json",
    "check",
    "definition_schema",
    "diff",
    "digest",
    "extract_literals",
    "node_ids",
    "normalise",
    "own_config",
    "structural_problems",
    "validate",
    "walk_graphs",
    "walk_nodes",
]
