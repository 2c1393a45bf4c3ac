"""The parts of scripts/bench. recordings.py, live.py and micro.py say what is measured, programs.py runs it, rounds.py alternates between two builds, stats.py judges, machine.py
tells of the machine and who else uses it, other_build.py builds another commit, report.py writes."""
