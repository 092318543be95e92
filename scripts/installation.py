"""What to do if the database and the data folder do not belong together: `python -m scripts.installation status`,
`adopt` (use the folders with this database), `start-anew` (set them aside; none is deleted).
"""

from app import create_app
from app.cli import installation
from app.database import upgrade_if_old

if __name__ == "__main__":
    app = create_app("cli")
    upgrade_if_old(app)
    with app.app_context():
        installation()
