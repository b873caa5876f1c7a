"""The page `runstore ui`: a small server on this machine alone."""
