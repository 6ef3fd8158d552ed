"""Which projects and accounts are active: the one definition, in SQL.

Web apps store ``is_active`` as a number or as text ('0', '1').  NULL does for an account, and not for a project.
"""


def active_project(alias: str = "projects") -> str:
    """The SQL condition that a row of ``projects`` is active."""
    return f"CAST({alias}.is_active AS INTEGER) = 1"


def active_account(alias: str = "project_social_accounts") -> str:
    """The SQL condition that a row of ``project_social_accounts`` is active, whatever its project is."""
    return f"CAST(coalesce({alias}.is_active, 1) AS INTEGER) = 1"


#: The ids of the active projects, as text.
ACTIVE_PROJECT_IDS = f"SELECT CAST(id AS TEXT) FROM projects WHERE {active_project()} AND id IS NOT NULL"
