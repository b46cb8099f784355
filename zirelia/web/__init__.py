"""Pages and endpoints over HTTP; now health and metrics."""
