"""Groups of settings, a topic each: every name, type, range, default and meaning. `tree` puts them under one root."""
