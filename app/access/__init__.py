"""Who may enter, and what each may do: see door.py. `app/routes/permissions.py` says it for each route and event."""
