"""A workflow's definition: pure functions from documents to checked canonical form."""

from workflows.definition.canonical import canonical_json, digest
from workflows.definition.credentials import extract_literals
from workflows.definition.graph import Graph
from workflows.definition.info import ActionInfo
from workflows.definition.normalise import Normalised, normalise
from workflows.definition.problems import DefinitionError, Problem
from workflows.definition.schema import definition_schema
from workflows.definition.validate import check, structural_problems, validate

__all__ = [
    "ActionInfo",
    "DefinitionError",
    "Graph",
    "Normalised",
    "Problem",
    "canonical_json",
    "check",
    "definition_schema",
    "digest",
    "extract_literals",
    "normalise",
    "structural_problems",
    "validate",
]
