"""The parts of scripts/lab: the town (who permits whom), its state on disk, its processes, and what goes between its inhabitants."""
