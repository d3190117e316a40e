"""What every API view shares: strict input, pages by cursor, one error type."""

from automate.lib.rest.errors import ApiError, invalid
from automate.lib.rest.pagination import ListQuery, page
from automate.lib.rest.strict import StrictSerializer

__all__ = ["ApiError", "ListQuery", "StrictSerializer", "invalid", "page"]
