"""The daemon: a clock that opens slots and jobs, durable workflows that do them, nodes that watch each other."""
