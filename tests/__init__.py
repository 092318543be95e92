"""The app imports Socket.IO without its client's HTTP stack; tests need the client, so it comes first."""

import socketio as socketio
