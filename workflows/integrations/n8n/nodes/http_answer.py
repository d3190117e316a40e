"""What an HTTP Request of n8n's gives to the nodes behind it."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.integrations.n8n.data import Data, Path
from workflows.integrations.n8n.expr import Expr, with_path
from workflows.integrations.n8n.js_tree import NotRead


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an answer; what is no JSON is below `text_as` in n8n.

    With `may_fail` the run may go on after a failure, which n8n puts into "error".
    """

    root: str
    text_as: str = ""
    may_fail: bool = False

    def read(self, data: Data, reader: str, path: Path, depth: int) -> Expr:  # noqa: ARG002
        body = f"{self.root}.body"
        own = with_path(body, path)
        if self.may_fail and path[:1] == ("error",):
            if path[1:]:
                raise NotRead(
                    f"what failed is told by {self.root}.status and {body} here"
                )
            status = f"{self.root}.status | default(0)"
            answered = f"200 <= ({status}) and ({status}) < 300"
            return Expr(
                f"(none if {answered} else {{'status': {status}}})", "path", atom=True
            )
        if self.text_as and path == (self.text_as,):
            return Expr(f"({body} if {body} is string else {own})", "path", atom=True)
        return Expr(own, "path", atom=True)
