"""Invitations of users."""

from datetime import datetime
from typing import TypedDict

from apiflask.fields import Integer, List, Nested, String
from apiflask.validators import Length

from app.schemas.account_fields import ROLES, role_field
from app.schemas.base import DateTime, Message, MessageValues, Schema


class InvitationIn(Schema):
    role = role_field(required=True)


class InvitationInValues(TypedDict):
    role: str


class InvitationOut(Schema):
    invitation_id = Integer()
    path = String(metadata={"description": "Put it behind the server's address. It is shown once, and works once."})
    role = String(metadata={"enum": ROLES})
    expires_at = DateTime()


class InvitationOutValues(TypedDict):
    invitation_id: int
    path: str
    role: str
    expires_at: datetime


class OpenInvitation(Schema):
    invitation_id = Integer()
    role = String(metadata={"enum": ROLES})
    created_at = DateTime()
    expires_at = DateTime()


class OpenInvitationValues(TypedDict):
    invitation_id: int
    role: str
    created_at: datetime
    expires_at: datetime


class InvitationsOut(Schema):
    invitations = List(Nested(OpenInvitation))


class InvitationsOutValues(TypedDict):
    invitations: list[OpenInvitationValues]


class InvitationCheckIn(Schema):
    invitation = String(required=True, validate=Length(1, 200), metadata={"description": "The secret of its link."})


class InvitationCheckInValues(TypedDict):
    invitation: str


class InvitationCheckOut(Schema):
    role = String(metadata={"enum": ROLES})
    expires_at = DateTime()


class InvitationCheckOutValues(TypedDict):
    role: str
    expires_at: datetime


class InvitationRevoked(Message):
    invitation_id = Integer()


class InvitationRevokedValues(MessageValues):
    invitation_id: int
