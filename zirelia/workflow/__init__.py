"""One use case a file. Knows ports and domain only; `studio` hands in the adapters as a `Kit`."""
