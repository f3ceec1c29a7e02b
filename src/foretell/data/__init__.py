"""From a file to windows: sources, tables, checks, spans, scaling, windows."""
