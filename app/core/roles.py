"""The roles, and which covers which."""

from enum import StrEnum


class Role(StrEnum):
    """From least to most: each may do what those before it may."""

    VIEWER = "viewer"  # reads
    TRAINER = "trainer"  # also uploads, trains, tests, evaluates, exports; changes what is theirs
    ADMIN = "admin"  # all of it, users and tokens too

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def covers(self, other: "Role") -> bool:
        """Whether this role may do what `other` may."""
        return self.rank >= other.rank


def lower(one: Role, other: Role) -> Role:
    """The role that has less."""
    return min(one, other, key=lambda role: role.rank)
