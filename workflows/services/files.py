"""Files of documents, YAML or JSON, read without trusting them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from automate.lib import jsonio

MAX_FILE = 5 * 1024 * 1024
MAX_NODES = 200_000
TOO_DEEP = "is nested too deeply"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The document of this number (from 1) in a file, or why it cannot be read."""

    number: int
    document: dict[str, Any] | None = None
    error: str = ""


class _Refused(yaml.YAMLError):
    """What is YAML and not acceptable."""


# The core schema of YAML 1.2 (section 10.3.2): `on`, `yes`, 12:30 and dates are
# text. YAML 1.1 would turn a connection's key `on` into true.
_CORE = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    """Plain data only, of the core schema."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - the base's protocol


class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base's signature
        return True


for _tag, _pattern, _first in _CORE:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            _tag, re.compile(rf"(?:{_pattern})\Z"), list(_first)
        )


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        return int(text[2:] if base != 10 else text, base)
    except ValueError as error:  # more digits than Python reads
        raise _Refused(f"line {node.start_mark.line + 1}: {error}") from None


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def read_documents(raw: bytes, name: str = "") -> Iterator[Loaded]:
    """Every document of a file: JSON when the name ends so, otherwise YAML.

    A list at the top holds several documents. What cannot be read is told with its
    number and place, and ends the file.
    """
    if len(raw) > MAX_FILE:
        yield Loaded(1, error=f"the file has more than {MAX_FILE >> 20} MiB")
        return
    read = _read_json if name.lower().endswith(".json") else _read_yaml
    number = 0
    try:
        for tree in read(raw):
            for item in tree if isinstance(tree, list) else [tree]:
                number += 1
                if isinstance(item, dict):
                    yield Loaded(number, item)
                else:
                    yield Loaded(number, error="must be an object, the workflow")
    except (jsonio.BadJSON, yaml.YAMLError) as error:
        yield Loaded(number + 1, error=_words(error))
        return
    except RecursionError:
        yield Loaded(number + 1, error=TOO_DEEP)
        return
    if not number:
        yield Loaded(1, error="the file is empty")


def _read_json(raw: bytes) -> Iterator[Any]:
    yield jsonio.loads(raw)


def _read_yaml(raw: bytes) -> Iterator[Any]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Refused(f"is not UTF-8: byte {error.start}") from None
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            _check(node)
            tree = loader.construct_document(node)
            if tree is not None:
                yield tree
    finally:
        loader.dispose()


def _check(root: yaml.Node) -> None:
    """Raises for aliases that grow or turn in a circle, and for keys given twice."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        key = id(node)
        if key in sizes:
            return sizes[key]
        if key in open_nodes:
            raise _Refused(f"line {_line(node)}: an alias holds itself")
        open_nodes.add(key)
        total = 1
        if isinstance(node, yaml.MappingNode):
            _unique_keys(node)
            total += sum(size(part) for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(size(part) for part in node.value)
        if total > MAX_NODES:
            raise _Refused(
                f"line {_line(node)}: more than {MAX_NODES:,} values, with aliases"
            )
        open_nodes.discard(key)
        sizes[key] = total
        return total

    size(root)


def _unique_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Refused(f"line {_line(key)}: a key must be text")
        if (key.tag, key.value) in seen:
            raise _Refused(
                f'line {_line(key)}: the key "{key.value[:60]}" is there twice'
            )
        seen.add((key.tag, key.value))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _words(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        return f"line {mark.line + 1}, column {mark.column + 1}: {said}"
    return str(error)


def dump_yaml(documents: Sequence[dict[str, Any]]) -> str:
    """Documents as YAML that `read_documents` gives back unchanged."""
    return str(
        yaml.dump_all(
            documents,
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            explicit_start=len(documents) > 1,
            width=88,
        )
    )
