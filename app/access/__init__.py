"""Authentication and authorization: see door.py. `app/routes/permissions.py` names the role of each route and event."""
