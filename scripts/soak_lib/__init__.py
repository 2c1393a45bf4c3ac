"""The parts of scripts/soak. scene.py runs the programs, packets.py sends and counts, losses.py explains what did not arrive, odds.py how much random choice loses, flatness.py judges memory,
descriptors and latency, state.py keeps everything in the output folder, report.py writes it."""
