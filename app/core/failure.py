"""Reasons of failures, as in the column `error` of jobs, exports and predictions, and in the reports of datasets."""

from typing import NotRequired, TypedDict

from app.core.text_data import TextData


class Reason(TypedDict):
    """Why an input cannot be used. `code` selects the service's text; `data` fills its placeholders."""

    code: str
    data: TextData


class JobFailure(TypedDict):
    """`code`: of the failure; `message`: for the log, in English; `reason`: if the input was refused."""

    code: str
    message: NotRequired[str]
    reason: NotRequired[Reason]
    returned: NotRequired[bool]  # to the request that waited for an estimate
