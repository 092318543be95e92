"""The roles, and their order."""

from enum import StrEnum


class Role(StrEnum):
    """In ascending order: each role includes those before it."""

    VIEWER = "viewer"  # reads
    TRAINER = "trainer"  # also uploads, trains, tests, evaluates, exports; changes its own objects
    ADMIN = "admin"  # everything, users and tokens included

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def covers(self, other: "Role") -> bool:
        """Whether this role includes `other`."""
        return self.rank >= other.rank


def lower(one: Role, other: Role) -> Role:
    """The lesser role."""
    return min(one, other, key=lambda role: role.rank)
