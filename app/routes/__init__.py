"""Blueprints: parse, call one service, answer."""
