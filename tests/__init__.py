"""The app imports Socket.IO without its client's HTTP stack; tests need the client, so they import it first."""

import socketio as socketio
