"""The parts of scripts/hil: radios (finds and runs), judge (figures to findings), page (the report as HTML), share (what a report must not tell)."""
