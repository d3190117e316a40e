"""What happened: runs, their steps, attempts and log, and the queue of work."""

from runs.models.delivery_attempt import DeliveryAttempt
from runs.models.idempotency import IdempotencyKey
from runs.models.job import Job
from runs.models.log import RunLog
from runs.models.run import Run
from runs.models.step_run import StepRun
from runs.models.worker import Worker

__all__ = [
    "DeliveryAttempt",
    "IdempotencyKey",
    "Job",
    "Run",
    "RunLog",
    "StepRun",
    "Worker",
]
