"""The bundled model: its problems, how it is trained, and what it can do."""
