"""The public verbs of runs: accept, cancel, redrive."""

from runs.engine.exclusive_key import exclusive_key, key_of
from runs.engine.payload import trigger_payload
from runs.services.accept import Accepted, accept, execute_manually
from runs.services.answer import Answer
from runs.services.asked import Question, look_at, may_decide
from runs.services.cancel import cancel
from runs.services.errors import (
    AlreadyAnswered,
    AnswerUnreadable,
    BadVariables,
    CampaignRefused,
    NotAnApprover,
    NotRunnable,
    NotWaiting,
    RedriveRefused,
    RunServiceError,
    TrialRefused,
    WaitOver,
)
from runs.services.events import Event, Target, target_of
from runs.services.redrive import redrive
from runs.services.resume import Decision, Given, resume
from runs.services.store import Dedupe

__all__ = [
    "Accepted",
    "AlreadyAnswered",
    "Answer",
    "AnswerUnreadable",
    "BadVariables",
    "CampaignRefused",
    "Decision",
    "Dedupe",
    "Event",
    "Given",
    "NotAnApprover",
    "NotRunnable",
    "NotWaiting",
    "Question",
    "RedriveRefused",
    "RunServiceError",
    "Target",
    "TrialRefused",
    "WaitOver",
    "accept",
    "cancel",
    "exclusive_key",
    "execute_manually",
    "key_of",
    "look_at",
    "may_decide",
    "redrive",
    "resume",
    "target_of",
    "trigger_payload",
]
