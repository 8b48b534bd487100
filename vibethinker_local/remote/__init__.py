"""Models on servers that speak the OpenAI protocol, behind the interface of an engine in this program.

Start reading at `choose.py`: what the user named. `server.py` asks a server once what it can do, `wire.py` has the
protocol as data, `pool.py` many servers as one, and `engine.py` what the layers above know: Sequences.
"""
