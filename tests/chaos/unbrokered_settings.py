"""The project's settings without the broker class: plain django-q2 on its own."""

from __future__ import annotations

from tests.chaos.settings import *  # noqa: F403
from tests.chaos.settings import Q_CLUSTER

Q_CLUSTER = {key: value for key, value in Q_CLUSTER.items() if key != "broker_class"}
