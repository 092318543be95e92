"""Why work failed: as the columns `error` of jobs, exports and predictions hold it, and the reports of datasets."""

from typing import NotRequired, TypedDict

from app.core.text_data import TextData


class Reason(TypedDict):
    """Why something cannot be used. `code` names the text that its service has; `data` fills the text's gaps."""

    code: str
    data: TextData


class JobFailure(TypedDict):
    """`code`: what it ended with; `message`: for the log, in English; `reason`: where its input was refused."""

    code: str
    message: NotRequired[str]
    reason: NotRequired[Reason]
    returned: NotRequired[bool]  # to whoever waited for an estimate
