"""The page: `settings` holds every limit, `handlers` do the work, `text` says it, `layout` wires it up."""
