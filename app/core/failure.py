"""Why work failed: as the columns `error` of jobs, exports and predictions hold it, and the reports of datasets."""

from typing import Any, NotRequired, TypedDict


class Reason(TypedDict):
    """Why something cannot be used. `code` names the text that its service has; `data` fills the text's gaps."""

    code: str
    data: dict[str, Any]


class JobFailure(TypedDict):
    """`code`: what it ended with; `message`: for the log, in English; `reason`: where its input was refused."""

    code: str
    message: NotRequired[str]
    reason: NotRequired[Reason]
    returned: NotRequired[bool]  # to whoever waited for an estimate
