"""What happened: runs, their steps, attempts and log, and the queue of work."""

from runs.models.campaign import Campaign, CampaignRun
from runs.models.delivery_attempt import DeliveryAttempt
from runs.models.finished_run import FinishedRun
from runs.models.firing import Firing
from runs.models.idempotency import IdempotencyKey
from runs.models.job import Job
from runs.models.log import RunLog
from runs.models.payload import Payload, PayloadUse
from runs.models.rate_bucket import RateBucket
from runs.models.run import Run
from runs.models.step_run import StepRun
from runs.models.wait_token import WaitToken
from runs.models.worker import Worker

__all__ = [
    "Campaign",
    "CampaignRun",
    "DeliveryAttempt",
    "FinishedRun",
    "Firing",
    "IdempotencyKey",
    "Job",
    "Payload",
    "PayloadUse",
    "RateBucket",
    "Run",
    "RunLog",
    "StepRun",
    "WaitToken",
    "Worker",
]
